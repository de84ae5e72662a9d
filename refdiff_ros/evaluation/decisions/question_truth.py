"""Whether a question about candidates is true of the simulated objects that they show."""

from collections.abc import Callable

import numpy as np

from refdiff_ros.errors import require
from refdiff_ros.evaluation.decisions.cases import DecisionCase
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.results import Segmentation
from refdiff_ros.sim.sightings import see, Seen

_OBJECT_IOU = 0.5


def _column(seen: Seen) -> float:
    return require(seen.column, 'the column of an object that is seen')


def _line(seen: Seen) -> float:
    return require(seen.line, 'the line of an object that is seen')


# By property: what grows along these words.
_ALONG: dict[str, tuple[Callable[[Seen], float], tuple[str, ...]]] = {
    'side': (_column, ('left', 'middle', 'right')),
    'ordinal': (_column, (
        'first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth')),
    'height': (_line, ('upper', 'middle', 'lower')),
    'depth': (lambda seen: -seen.depth_m, ('back', 'middle', 'front')),
    'size': (lambda seen: float(np.prod(seen.thing.extents)), ('smaller', 'larger'))}


def question_holds(case: DecisionCase, answer: Segmentation) -> bool | None:
    """Whether each candidate's words are true of its object, by the scene's own geometry.

    Of two candidates with different words for a property, the objects must lie in the order of
    these words; a colour must be the object's. That no two candidates have the same words is
    required as well.

    Returns:
        None where a candidate is no object of the scene, or nothing is asked.
    """
    if answer.question is None:
        return None
    found = [_object(case, answer.proposals[row]) for row in answer.regions]
    shown = [row for row in found if row is not None]
    if len(shown) < len(found):
        return None
    things = see(case.view)
    seen, told = [things[row] for row in shown], answer.question.told
    apart = len({tuple(sorted(words.items())) for words in told}) == len(told)
    return apart and all(
        _holds(by, first, second, one[by], other[by])
        for first, one in zip(seen, told, strict=True)
        for second, other in zip(seen, told, strict=True)
        for by in one.keys() & other.keys())


def _holds(by: str, first: Seen, second: Seen, word: str, other: str) -> bool:
    if by == 'colour':
        return first.thing.colour == word
    grows, words = _ALONG[by]
    if words.index(word) < words.index(other):
        return grows(first) < grows(second)
    return True


def _object(case: DecisionCase, mask: np.ndarray) -> int | None:
    """The row of the object that a region shows."""
    ious = [iou(*overlap(mask, truth)) for truth in case.view.masks]
    best = int(np.argmax(ious))
    return best if ious[best] >= _OBJECT_IOU else None
