"""Grasps of the engine's answers against the labels' right ones."""

from collections.abc import Mapping
import time

from refdiff_ros.evaluation.bags.samples import identity, Matched
from refdiff_ros.evaluation.grasp_report import GraspCase
from refdiff_ros.evaluation.metrics.grasp_error import grasp_error, TrueGrasp
from refdiff_ros.evaluation.run import Answer
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.results import Frame, Segmentation


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

    def add(self, answer: Answer, frame: Frame | None, found: Segmentation | None) -> None:
        """Take one answer in; one that could not be scored is passed over."""
        truth = self._truths.get(answer.sample_id)
        if truth is None or not answer.scored:
            return
        began = time.perf_counter()
        self.cases.append(self._case(answer, truth, frame, found))
        self.seconds += time.perf_counter() - began

    def _case(self, answer: Answer, truth: TrueGrasp, frame: Frame | None,
              found: Segmentation | None) -> GraspCase:
        if frame is None or found is None:
            return GraspCase(answer.sample_id, None, answer.error)
        region = grasp_region(found.mask, frame.depth_m, frame.camera)
        if not region.pose_valid:
            return GraspCase(answer.sample_id, None, region.pose_reason)
        return GraspCase(answer.sample_id, grasp_error(region.pose, region.width_m, truth))
