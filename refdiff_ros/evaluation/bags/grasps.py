"""Grasps of answers against the right ones of labels: cases, figures, and lines that show them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
import time
from typing import Any

import numpy as np

from refdiff_ros.evaluation.bags.samples import identity, Matched
from refdiff_ros.evaluation.metrics.grasp_error import grasp_error, GraspError, TrueGrasp
from refdiff_ros.evaluation.run import Answer, Reply
from refdiff_ros.grasp.region import grasp_region

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


def true_grasps(matched: Matched) -> dict[str, TrueGrasp]:
    """The right grasps that labels have, by sample id."""
    return {identity(picture, label.expression)[0]: label.grasp
            for picture, labels in matched.pairs for label in labels if label.grasp is not None}


class GraspScorer:
    """Finds and scores the grasps of answers as they come.

    Attributes:
        cases: of the answers so far whose right grasp is known.
        seconds: that this has taken, to be left out of the run's rate.

    Args:
        truths: by sample id.
    """

    def __init__(self, truths: Mapping[str, TrueGrasp]):
        self.cases: list[GraspCase] = []
        self.seconds = 0.0
        self._truths = truths

    def add(self, answer: Answer, reply: Reply) -> None:
        """Take one answer in; one that could not be scored is passed over."""
        truth = self._truths.get(answer.sample_id)
        if truth is None or not answer.scored:
            return
        began = time.perf_counter()
        self.cases.append(self._case(answer, truth, reply))
        self.seconds += time.perf_counter() - began

    def _case(self, answer: Answer, truth: TrueGrasp, reply: Reply) -> GraspCase:
        frame, found = reply.frame, reply.segmentation
        if frame is None or found is None:
            return GraspCase(answer.sample_id, None, answer.error)
        region = grasp_region(found.mask, frame.depth_m, frame.camera)
        if not region.pose_valid:
            return GraspCase(answer.sample_id, None, region.pose_reason)
        return GraspCase(answer.sample_id, grasp_error(region.pose, region.width_m, truth))


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
