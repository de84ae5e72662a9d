"""Eq. (2) and the decision: which proposal is meant, whether any is, or whether several are.

Letters: N proposals, H W image height and width.
"""

from dataclasses import dataclass, replace

import numpy as np

from refdiff_ros.masks import smaller_shares
from refdiff_ros.presets import SelectionConfig
from refdiff_ros.results import Status
from refdiff_ros.stages import stage


@dataclass(frozen=True)
class Selection:
    """The decision over N proposals.

    Attributes:
        status: FOUND, NOT_FOUND or AMBIGUOUS.
        reason: a sentence.
        index: row of the best proposal; -1 without one.
        rivals: rows of the other regions that fit about as well, best first.
        score: combined score of the best proposal; NaN without one.
        confidence: 0..1, softmax share of the best proposal among separate regions; the
            probability that it is right where `calibrated`.
        notes: what a reader should know about how the choice came about.
        regions: rows of the separate regions, best first.
        calibrated, presence: as in `Segmentation`.
        fits: for each of `regions` that was judged, the probability that the expression is true
            of it; () unless calibrated.
    """

    status: Status
    reason: str
    index: int = -1
    rivals: tuple[int, ...] = ()
    score: float = float('nan')
    confidence: float = 0.0
    notes: tuple[str, ...] = ()
    regions: tuple[int, ...] = ()
    calibrated: bool = False
    presence: float = float('nan')
    fits: tuple[float, ...] = ()


@stage('selection')
def select(
    total: np.ndarray,
    masks: np.ndarray,
    config: SelectionConfig,
    shares: np.ndarray | None = None,
    probability: np.ndarray | None = None,
) -> Selection:
    """Eq. (2): the proposal with the highest score, with an honest status.

    Args:
        total: (N,) combined scores; NaN marks proposals that were filtered out.
        masks: (N, H, W) bool.
        config: thresholds of the decision.
        shares: (N, N) `smaller_shares` of the masks, if the caller knows them.
        probability: (N,) that the expression is true of each, finite where `total` is: the
            highest is chosen instead; None where nobody knows.
    """
    rows = np.flatnonzero(np.isfinite(total))
    if len(masks) == 0:
        return Selection(Status.NOT_FOUND, 'no region was proposed in this image: check that the '
                         'object is in view and large enough')
    if len(rows) == 0:
        return Selection(Status.NOT_FOUND, f'all {len(masks)} proposed regions were filtered out '
                         'by size: move closer or lower min_area_px')
    worth = total if probability is None else probability
    order = rows[np.argsort(-worth[rows], kind='stable')]
    separate = separate_regions(order, masks, config.rival_overlap, shares)
    best = int(separate[0])
    score = float(total[best])
    shares = np.exp((total[separate].astype(np.float64) - score) / config.temperature)
    chosen = Selection(
        Status.FOUND, f'one region fits best, with score {score:.3f}', index=best, score=score,
        confidence=float(1.0 / shares.sum()),
        notes=_negative_note(score, filtered=len(rows) < len(masks)),
        regions=tuple(map(int, separate)))
    if not masks[best].any():
        return replace(chosen, status=Status.NOT_FOUND, reason='the best region is empty: nothing '
                       'in this image answers to the expression')
    if config.min_score is not None and score < config.min_score:
        return replace(chosen, status=Status.NOT_FOUND, reason=f'the best region scores '
                       f'{score:.3f}, below the required {config.min_score:.3f}')
    rivals = _rivals(total, separate, config.ambiguity_margin)
    if rivals:
        return replace(
            chosen, status=Status.AMBIGUOUS, rivals=rivals,
            reason=f'{1 + len(rivals)} separate regions score within '
            f'{config.ambiguity_margin:g} of the best: say which one is meant')
    return chosen


def separate_regions(
    order: np.ndarray, masks: np.ndarray, overlap: float, shares: np.ndarray | None = None,
) -> np.ndarray:
    """Rows of `order` that are regions of their own, best first.

    A region is the same as a better one when their intersection covers more than `overlap` of
    the smaller of the two: a part of an object is no second object.

    Args:
        order: rows of `masks`, best first, at least one.
        masks: (N, H, W) bool.
        overlap: 0..1.
        shares: (N, N) `smaller_shares` of the masks, if the caller knows them.
    """
    regions = assign_regions(order, masks, overlap, shares)
    return order[np.unique(regions, return_index=True)[1]]


def assign_regions(
    order: np.ndarray, masks: np.ndarray, overlap: float, shares: np.ndarray | None = None,
) -> np.ndarray:
    """Which region each row of `order` belongs to.

    Args:
        order, masks, overlap, shares: as in `separate_regions`.

    Returns:
        (len(order),) int: numbers 0, 1, ... of the regions of `separate_regions`; a row that is
        part of several is the best one's.
    """
    share = smaller_shares(masks[order]) if shares is None else shares[np.ix_(order, order)]
    kept, found = [0], [0]
    for row in range(1, len(order)):
        same = np.flatnonzero(share[row, kept] > overlap)
        if len(same) == 0:
            kept.append(row)
        found.append(int(same[0]) if len(same) else len(kept) - 1)
    return np.array(found)


def _rivals(
    total: np.ndarray, separate: np.ndarray, margin: float | None,
) -> tuple[int, ...]:
    if margin is None:
        return ()
    best = total[separate[0]]
    # In the order of probabilities what comes after may score higher.
    return tuple(int(row) for row in separate[1:] if abs(best - total[row]) <= margin)


def _negative_note(score: float, filtered: bool) -> tuple[str, ...]:
    # The authors' code multiplies the scores of filtered proposals by 0, so that a rejected one
    # wins over survivors that all score below zero.
    if score < 0 and filtered:
        note = ('every proposal that passed the filter scores below zero; the best of them was '
                "taken, where the authors' code takes a rejected one")
        return (note,)
    return ()
