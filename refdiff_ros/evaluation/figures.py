"""Figures of many cases, and the table that shows them."""

from collections.abc import Callable, Sequence
import math
from typing import Any, Protocol

import numpy as np

from refdiff_ros.evaluation.metrics.bootstrap import bootstrap_interval
from refdiff_ros.evaluation.metrics.mean_iou import mean_iou
from refdiff_ros.evaluation.metrics.overall_iou import overall_iou
from refdiff_ros.evaluation.metrics.precision_at import precision_at, THRESHOLDS
from refdiff_ros.evaluation.run import Answer
from refdiff_ros.evaluation.tabletop.cases import Case
from refdiff_ros.sim.expressions import KINDS

LEGEND = """\
mIoU: mean of the cases' IoU; oIoU: all intersections over all unions; each with its 95 %
bootstrap interval, pictures drawn whole. P@t: share of cases with an IoU of t or more.
point: share of cases whose attention map peaks on the object meant.
oracle: mIoU of the best proposal; s/case: without rendering."""
ALIKE_LEGEND = 'N alike: expressions with N other objects of the class in the picture.'
_MANY = 4  # distractors; more are so few cases that they are one row
_SHOWN = ('half', 'kind', 'distractors')
_COLUMNS = ('', 'cases', 'mIoU', '95 %', 'oIoU', '95 %', 'P@.5', 'P@.7', 'P@.9', 'point',
            'oracle', 's/case')


class Measured(Protocol):
    """What figures are made of: a tabletop's `Case`, or any sample's `Answer`.

    Attributes:
        iou, intersection, union, pointing, oracle_iou, seconds, error: as there.
        group: cases of one group are not independent.
    """

    iou: float
    intersection: int
    union: int
    pointing: float | None
    oracle_iou: float | None
    seconds: float
    error: str

    @property
    def group(self) -> int | str: ...


def figures(results: Sequence[Measured]) -> dict[str, Any]:
    """Every figure of `results`, ready for JSON: None where there is none.

    Returns:
        'cases', 'errors', 'mean_iou', 'mean_iou_interval', 'overall_iou',
        'overall_iou_interval', 'precision_at' by threshold, 'pointing', 'oracle_mean_iou',
        'seconds_per_case'.
    """
    shared = np.array([case.intersection for case in results])
    covered = np.array([case.union for case in results])
    groups = [case.group for case in results]
    return {
        'cases': len(results),
        'errors': sum(bool(case.error) for case in results),
        'mean_iou': _number(mean_iou(shared, covered)),
        'mean_iou_interval': [_number(bound) for bound in bootstrap_interval(
            [case.iou for case in results], groups=groups)],
        'overall_iou': _number(overall_iou(shared, covered)),
        'overall_iou_interval': [_number(bound) for bound in bootstrap_interval(
            shared, covered, groups)],
        'precision_at': {
            str(threshold): _number(precision_at(shared, covered, threshold))
            for threshold in THRESHOLDS},
        'pointing': _mean(results, lambda case: case.pointing),
        'oracle_mean_iou': _mean(results, lambda case: case.oracle_iou),
        'seconds_per_case': _mean(results, lambda case: case.seconds),
    }


def report(results: Sequence[Case]) -> dict[str, Any]:
    """`figures` of all cases, with 'by_kind' and 'by_half' of those that occur."""
    kinds = {kind: [case for case in results if case.kind == kind] for kind in KINDS}
    halves = {half: [case for case in results if case.half == half]
              for half in ('seen', 'unseen')}
    return {
        **figures(results),
        'by_kind': {kind: figures(some) for kind, some in kinds.items() if some},
        'by_half': {half: figures(some) for half, some in halves.items() if some},
    }


def tagged_report(
    results: Sequence[Answer], tags: Sequence[str] = ('kind',),
) -> dict[str, Any]:
    """`figures` of all answers that could be scored, 'by_<tag>' of those that have the tag, and
    how many had nothing to score ('unreadable')."""
    scored = [answer for answer in results if answer.scored]
    return {
        **figures(scored),
        'unreadable': len(results) - len(scored),
        **{f'by_{tag}': {value: figures(some) for value, some in by_tag(scored, tag).items()}
           for tag in tags},
    }


def by_tag(results: Sequence[Answer], tag: str) -> dict[str, list[Answer]]:
    """The answers that have a tag by its values, sorted; many distractors are one value."""
    found: dict[str, list[Answer]] = {}
    for answer in results:
        value = answer.tags.get(tag)
        if tag == 'distractors' and value is not None and value.isdecimal():
            value = value if int(value) < _MANY else f'{_MANY}+'
        if value is not None:
            found.setdefault(value, []).append(answer)
    return dict(sorted(found.items()))


def tags_of(results: Sequence[Answer]) -> list[str]:
    """The tags that any of the answers has, those of the table first."""
    found = {tag for answer in results for tag in answer.tags}
    return sorted(found, key=lambda tag: (tag not in _SHOWN, tag))


def table(found: dict[str, Any]) -> str:
    """The text table of a report: overall, by half where there are two, kind, distractors."""
    halves = found.get('by_half', {})
    halves = halves if len(halves) > 1 else {}
    alike = {f'{value} alike': some for value, some in found.get('by_distractors', {}).items()}
    lines = [_COLUMNS, _cells('overall', found)]
    lines += [_cells(name, some) for name, some in (
        halves | found.get('by_kind', {}) | alike).items()]
    widths = [max(len(line[k]) for line in lines) for k in range(len(_COLUMNS))]
    texts = ['  '.join(text.ljust(width) if k == 0 else text.rjust(width)
                       for k, (text, width) in enumerate(zip(line, widths, strict=True)))
             for line in lines]
    return '\n'.join([texts[0], '-' * len(texts[0]), *texts[1:]])


def _cells(name: str, some: dict[str, Any]) -> tuple[str, ...]:
    good = some['precision_at']
    return (
        name, str(some['cases']),
        _text(some['mean_iou']), _interval(some['mean_iou_interval']),
        _text(some['overall_iou']), _interval(some['overall_iou_interval']),
        *(_text(good[threshold], 2) for threshold in ('0.5', '0.7', '0.9')),
        _text(some['pointing'], 2), _text(some['oracle_mean_iou'], 2),
        _text(some['seconds_per_case'], 2))


def _mean(
    results: Sequence[Measured], value: Callable[[Measured], float | None],
) -> float | None:
    values = [value(case) for case in results if value(case) is not None]
    return _number(sum(values) / len(values)) if values else None


def _number(value: float) -> float | None:
    # JSON knows no NaN.
    return None if math.isnan(value) else round(float(value), 4)


def _text(value: float | None, digits: int = 3) -> str:
    return '-' if value is None else f'{value:.{digits}f}'


def _interval(bounds: Sequence[float | None]) -> str:
    return '-' if None in bounds else f'{bounds[0]:.2f}-{bounds[1]:.2f}'
