"""Figures of many grasp errors, and the lines that show them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from refdiff_ros.evaluation.metrics.grasp_error import GraspError

# Figure and unit, by the name of what is measured.
_MEASURED = {'position': ('position_mm', 'mm'), 'orientation': ('orientation_deg', 'degrees'),
             'width': ('width_mm', 'mm')}
_PERCENTILES = (50, 95)


@dataclass(frozen=True)
class GraspCase:
    """The grasp of one answer to a sample whose right grasp is known.

    Attributes:
        sample_id: of the sample.
        error: what it is off by; None where the answer has no grasp pose.
        reason: why it has none, or ''.
    """

    sample_id: str
    error: GraspError | None
    reason: str = ''

    def as_json(self) -> dict[str, Any]:
        """The case as a JSON object."""
        return asdict(self)


def grasp_figures(cases: Sequence[GraspCase]) -> dict[str, Any] | None:
    """Every figure of `cases`, ready for JSON; None where no sample has a right grasp.

    Returns:
        'cases'; 'missing', how many of them have no pose; and for 'position_mm',
        'orientation_deg' and 'width_mm' how many have that error ('count'), its median ('p50')
        and its 95th percentile ('p95'), None where none has it. Missing poses are in no
        percentile.
    """
    if not cases:
        return None
    errors = [case.error for case in cases if case.error is not None]
    found: dict[str, Any] = {'cases': len(cases), 'missing': len(cases) - len(errors)}
    for figure, _ in _MEASURED.values():
        values = [getattr(error, figure) for error in errors if getattr(error, figure) is not None]
        found[figure] = {'count': len(values), **{
            f'p{percent}': round(float(np.percentile(values, percent)), 2) if values else None
            for percent in _PERCENTILES}}
    return found


def grasp_lines(found: dict[str, Any] | None, cases: Sequence[GraspCase]) -> list[str]:
    """What `grasp_figures` found, for people; no line where no sample has a right grasp."""
    if found is None:
        return []
    parts = [f'{name} {found[figure]["p50"]:.1f} {unit} (median), {found[figure]["p95"]:.1f} '
             f'(95 %) of {found[figure]["count"]}'
             for name, (figure, unit) in _MEASURED.items() if found[figure]['count']]
    lines = [f'grasp pose off by: {"; ".join(parts)}'] if parts else []
    if found['missing']:
        reason, count = Counter(case.reason for case in cases if case.error is None
                                ).most_common(1)[0]
        lines.append(f'grasp pose missing in {found["missing"]} of {found["cases"]} answers; '
                     f'most often ({count}): {reason}')
    return lines
