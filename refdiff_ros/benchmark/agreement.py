"""Whether two contestants answered alike.

Letters: N proposals that passed the filter, H W image height and width.
"""

from typing import Any

import numpy as np

from refdiff_ros.benchmark.contestants import Outcome

# Proposals whose overlap is at least this are taken for the same, and so are chosen masks.
_SAME = 0.99


def compare(baseline: Outcome, ours: Outcome, same_reading: bool) -> dict[str, Any]:
    """The differences, ready for JSON.

    Args:
        baseline: an answer.
        ours: another answer to the same expression on the same frame.
        same_reading: both read the method alike, so that they are expected to agree.

    Returns:
        'chosen_iou', and for the same reading: 'survivors' (number of scored proposals of each),
        'matched' (how many are the same but for a few pixels), 'identical' (of those, to the
        pixel), 'scores' (by name the largest difference over the matched), 'correlation' (largest
        difference of c) and 'agrees': all proposals and the chosen mask are the same.
    """
    found: dict[str, Any] = {
        'same_reading': same_reading, 'chosen_iou': mask_iou(baseline.mask, ours.mask)}
    if not same_reading:
        return found
    first, second = baseline.proposals[baseline.rows], ours.proposals[ours.rows]
    pairs = _matches(first, second)
    scores = {
        name: float(max(abs(float(baseline.scores[name][a]) - float(ours.scores[name][b]))
                        for a, b in pairs))
        for name in baseline.scores} if pairs else {}
    return {
        **found, 'survivors': [len(first), len(second)], 'matched': len(pairs),
        'identical': sum(np.array_equal(first[a], second[b]) for a, b in pairs),
        'scores': scores,
        'correlation': float(np.abs(baseline.correlation - ours.correlation).max()),
        'agrees': bool(
            len(first) == len(second) == len(pairs) and found['chosen_iou'] >= _SAME)}


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two masks (H, W) bool; 1 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def _matches(first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows that are the same proposal, each row once."""
    pairs, free = [], list(range(len(second)))
    for a, mask in enumerate(first):
        overlaps = [mask_iou(mask, second[b]) for b in free]
        if overlaps and max(overlaps) >= _SAME:
            pairs.append((a, free.pop(int(np.argmax(overlaps)))))
    return pairs
