"""Figures of many cases, and the table that shows them."""

from collections.abc import Callable, Hashable, Sequence
import math
from typing import Any

import numpy as np

from refdiff_ros.evaluation.metrics.bootstrap import bootstrap_interval
from refdiff_ros.evaluation.metrics.iou import mean_iou, overall_iou, precision_at, THRESHOLDS
from refdiff_ros.evaluation.run import Answer

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

Group = Callable[[Answer], Hashable]


def by_picture(answer: Answer) -> Hashable:
    """Answers of one picture are not independent; bootstraps draw them together."""
    return answer.image_id


def figures(results: Sequence[Answer], group: Group = by_picture) -> dict[str, Any]:
    """Every figure of `results`, ready for JSON: None where there is none.

    Args:
        results: answers that there was a truth to score by.
        group: tells which answers bootstraps draw together; its order is the order of drawing.

    Returns:
        'cases', 'errors', 'mean_iou', 'mean_iou_interval', 'overall_iou',
        'overall_iou_interval', 'precision_at' by threshold, 'pointing', 'oracle_mean_iou',
        'seconds_per_case'.
    """
    shared = np.array([case.intersection for case in results])
    covered = np.array([case.union for case in results])
    groups = [group(case) for case in results]
    return {
        'cases': len(results),
        'errors': sum(bool(case.error) for case in results),
        'mean_iou': rounded(mean_iou(shared, covered)),
        'mean_iou_interval': [rounded(bound) for bound in bootstrap_interval(
            [case.iou for case in results], groups=groups)],
        'overall_iou': rounded(overall_iou(shared, covered)),
        'overall_iou_interval': [rounded(bound) for bound in bootstrap_interval(
            shared, covered, groups)],
        'precision_at': {
            str(threshold): rounded(precision_at(shared, covered, threshold))
            for threshold in THRESHOLDS},
        'pointing': _mean(results, lambda case: case.pointing),
        'oracle_mean_iou': _mean(results, lambda case: case.oracle_iou),
        'seconds_per_case': _mean(results, lambda case: case.seconds),
    }


def tagged_figures(
    results: Sequence[Answer], tags: Sequence[str] = ('kind',), group: Group = by_picture,
) -> dict[str, Any]:
    """`figures` of all answers that could be scored, 'by_<tag>' of those that have the tag, and
    how many had nothing to score ('unreadable').
    """
    scored = [answer for answer in results if answer.scored]
    return {
        **figures(scored, group),
        'unreadable': len(results) - len(scored),
        **{f'by_{tag}': {value: figures(some, group)
                         for value, some in by_tag(scored, tag).items()} for tag in tags},
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
    """The text of `tagged_figures`: overall, by half where there are two, kind, distractors."""
    halves = found.get('by_half', {})
    halves = halves if len(halves) > 1 else {}
    alike = {f'{value} alike': some for value, some in found.get('by_distractors', {}).items()}
    lines = [_COLUMNS, _cells('overall', found)]
    lines += [_cells(name, some) for name, some in (
        halves | found.get('by_kind', {}) | alike).items()]
    head, *rows = aligned(lines)
    return '\n'.join([head, '-' * len(head), *rows])


def _cells(name: str, some: dict[str, Any]) -> tuple[str, ...]:
    good = some['precision_at']
    return (
        name, str(some['cases']),
        shown(some['mean_iou']), span(some['mean_iou_interval']),
        shown(some['overall_iou']), span(some['overall_iou_interval']),
        *(shown(good[threshold], 2) for threshold in ('0.5', '0.7', '0.9')),
        shown(some['pointing'], 2), shown(some['oracle_mean_iou'], 2),
        shown(some['seconds_per_case'], 2))


def _mean(
    results: Sequence[Answer], value: Callable[[Answer], float | None],
) -> float | None:
    values = [found for case in results if (found := value(case)) is not None]
    return rounded(sum(values) / len(values)) if values else None


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Cells as lines of text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ['  '.join(cell.rjust(width) if k else cell.ljust(width)
                      for k, (cell, width) in enumerate(zip(line, widths, strict=True)))
            for line in lines]


def rounded(value: float) -> float | None:
    """A figure as JSON has it, to four digits; JSON knows no NaN."""
    return None if math.isnan(value) else round(float(value), 4)


def shown(value: float | None, digits: int = 3) -> str:
    """A figure for people; '-' where there is none."""
    return '-' if value is None else f'{value:.{digits}f}'


def span(bounds: Sequence[float | None]) -> str:
    """An interval for people; '-' where there is none."""
    return '-' if None in bounds else f'{bounds[0]:.2f}-{bounds[1]:.2f}'
