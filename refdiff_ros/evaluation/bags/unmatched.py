"""What of a bag and its labels has no counterpart or measures nothing: counted, named, told."""

from collections.abc import Sequence
import sys
from typing import Any

from refdiff_ros.console import some
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.frames import seconds_text
from refdiff_ros.evaluation.bags.labels import Label, UNVERIFIED
from refdiff_ros.evaluation.bags.pairing import Index
from refdiff_ros.evaluation.bags.samples import Matched

_NAMED = 5  # of each kind of trouble; --json has them all


def check_verified(labels: Sequence[Label], allowed: bool) -> int:
    """How many labels are the model's own; refuses them unless `allowed`."""
    own = [label for label in labels if label.source == UNVERIFIED]
    if own and not allowed:
        lines = some([str(label.line) for label in own], _NAMED)
        raise BadRequestError(
            f'expected labels that somebody has looked at, got {len(own)} of {len(labels)} that '
            f'are the model\'s own answers (lines {lines}): correct each mask and set its "source"'
            ' to who did, or pass --unverified to measure agreement with that model')
    if own:
        print(f"NOTE: {len(own)} of {len(labels)} labels are a model's own answers: the figures "
              'say how far answers agree with it, not how good they are', flush=True)
    return len(own)


def tell_unmatched(index: Index, matched: Matched) -> None:
    """What has no counterpart, counted and named."""
    lost, bare = matched.labels_without_frames, matched.frames_without_labels
    if lost:
        names = some([f'line {label.line} at {seconds_text(label.stamp_ns)}' for label in lost],
                     _NAMED)
        print(f'{len(lost)} labels without a frame within 0.5 ms: {names}', file=sys.stderr)
    if bare:
        names = some([seconds_text(picture.stamp_ns) for picture in bare], _NAMED)
        print(f'{len(bare)} frames without a label: {names}', file=sys.stderr)
    if index.repeated:
        print(f'{index.repeated} images left out: an earlier one of their topic has the same '
              'stamp', file=sys.stderr)
    if index.without_depth:
        away = '' if index.nearest_depth_s is None else \
            f'; the nearest misses it by {index.nearest_depth_s * 1e3:.1f} ms'
        print(f'{index.without_depth} of {len(index.pictures)} images have no depth within '
              f'{index.topics.tolerance_s * 1e3:g} ms{away}: see --sync-tolerance',
              file=sys.stderr)


def unmatched_json(matched: Matched) -> dict[str, Any]:
    """Each label and frame left alone, ready for JSON."""
    return {
        'labels': [{'line': label.line, 'stamp_ns': label.stamp_ns, 'topic': label.topic,
                    'expression': label.expression}
                   for label in matched.labels_without_frames],
        'frames': [{'stamp_ns': picture.stamp_ns, 'topic': picture.topic}
                   for picture in matched.frames_without_labels]}
