"""Requirements on figures ('miou=0.5'): an evaluation that says met or missed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import math
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.iou import THRESHOLDS

# Name: the figure's keys in a report, whether more is better, and the largest value there is.
_KNOWN: dict[str, tuple[tuple[str, ...], bool, float]] = {
    'miou': (('mean_iou',), True, 1.0),
    'oiou': (('overall_iou',), True, 1.0),
    **{f'pr@{threshold}': (('precision_at', str(threshold)), True, 1.0)
       for threshold in THRESHOLDS},
    'pointing': (('pointing',), True, 1.0),
    'oracle_miou': (('oracle_mean_iou',), True, 1.0),
    **{name: ((name,), False, math.inf)
       for name in ('mean_ms', 'p50_ms', 'p95_ms', 'p99_ms', 'max_ms')},
    **{name: ((name,), True, math.inf)
       for name in ('frames_per_second', 'answers_per_second', 'cases')},
    **{name: ((name,), False, math.inf)
       for name in ('errors', 'unreadable', 'labels_without_frames', 'frames_without_labels')},
    # Of a bag that was played to the node.
    'dropped_share': (('dropped_share',), False, 1.0),
    **{name: ((name,), False, math.inf)
       for name in ('frames_dropped', 'labels_unanswered', 'age_mean_ms', 'age_p50_ms',
                    'age_p95_ms', 'age_p99_ms', 'age_max_ms')},
    'grasp_missing': (('grasp', 'missing'), False, math.inf),
    **{f'grasp_{short}p{percent}_{unit}': (('grasp', figure, f'p{percent}'), False, math.inf)
       for short, figure, unit in (('', 'position_mm', 'mm'), ('', 'orientation_deg', 'deg'),
                                   ('width_', 'width_mm', 'mm'))
       for percent in (50, 95)},
}


@dataclass(frozen=True)
class Requirement:
    """A figure and the value that it must reach, or must not exceed.

    Attributes:
        name: one of the known names, such as 'miou' or 'p95_ms'.
        wanted: its bound.

    Raises:
        BadRequestError: another name, or a bound that the figure cannot have.
    """

    name: str
    wanted: float

    def __post_init__(self):
        if self.name not in _KNOWN:
            raise BadRequestError(
                f'expected a requirement on one of {", ".join(_KNOWN)}, got {self.name!r}')
        highest = _KNOWN[self.name][2]
        if not 0 <= self.wanted <= highest or math.isinf(self.wanted):
            span = '0 or more' if math.isinf(highest) else f'0 to {highest:g}'
            raise BadRequestError(
                f'expected a value of {span} for {self.name}, got {self.wanted:g}')


@dataclass(frozen=True)
class Verdict:
    """A requirement and what came; `got` is None where there is no such figure."""

    requirement: Requirement
    got: float | None

    @property
    def met(self) -> bool:
        """Whether the bound holds; not where there is no figure."""
        if self.got is None:
            return False
        more_is_better = _KNOWN[self.requirement.name][1]
        return self.got >= self.requirement.wanted if more_is_better \
            else self.got <= self.requirement.wanted

    def __str__(self) -> str:
        sign = '>=' if _KNOWN[self.requirement.name][1] else '<='
        got = 'no figure' if self.got is None else f'{self.got:g}'
        return (f'{"met" if self.met else "missed":<6}  {self.requirement.name}: '
                f'wanted {sign} {self.requirement.wanted:g}, got {got}')

    def as_json(self) -> dict[str, Any]:
        """The verdict as a JSON object."""
        return {'name': self.requirement.name, 'wanted': self.requirement.wanted,
                'got': self.got, 'met': self.met}


def parse_requirements(texts: Sequence[str]) -> list[Requirement]:
    """Requirements from texts such as 'miou=0.5'.

    Raises:
        BadRequestError: a text without '=' or without a number, or as `Requirement`.
    """
    found = []
    for text in texts:
        name, _, value = text.partition('=')
        try:
            bound = float(value)
        except ValueError as error:
            raise BadRequestError(
                f'expected NAME=NUMBER such as miou=0.5, got {text!r}; names: {", ".join(_KNOWN)}'
            ) from error
        found.append(Requirement(name.strip(), bound))
    return found


def judge(requirements: Sequence[Requirement], figures: Mapping[str, Any]) -> list[Verdict]:
    """Each requirement held against the `figures` of a report."""
    verdicts = []
    for requirement in requirements:
        got: Any = figures
        for key in _KNOWN[requirement.name][0]:
            got = got.get(key) if got is not None else None
        verdicts.append(Verdict(requirement, got))
    return verdicts
