"""What an operator's click on one region of an ambiguous answer means."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import GraspRegion, PoseStatus
from refdiff_ros.results import Segmentation, Status
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.messages import box_message

# How much the box that was clicked must agree with the newest one at that place (IoU): the
# picture may have changed between the look and the click.
_SAME_BOX = 0.5
_CHANGED = 'the picture has changed since: look again, and click again'


def choose(
    answer: Answer, point_uv: tuple[int, int], box_xywh: Sequence[float], limit: int = 100,
) -> Answer:
    """The newest answer as the operator decided it: FOUND, with the region clicked as its mask.

    Args:
        answer: the newest answer.
        point_uv: the pixel clicked.
        box_xywh: the box of the region as the operator saw it, pixels.
        limit: how many regions the operator was shown.

    Raises:
        BadRequestError: the answer is not AMBIGUOUS, or that region is no longer there.
    """
    result = answer.segmentation
    if answer.status is not Status.AMBIGUOUS or result is None:
        raise BadRequestError(
            f'there is nothing to choose: the newest answer is {answer.status.name}')
    rows = result.regions[:limit]
    height, width = result.mask.shape
    u, v = point_uv
    if not (0 <= u < width and 0 <= v < height):
        raise BadRequestError(f'expected a pixel of the {width}x{height} image, got ({u}, {v})')
    agreement = {row: _box_iou(box_xywh, _box(result.proposals[row]))
                 for row in rows if result.proposals[row][v, u]}
    row = max(agreement, key=agreement.__getitem__, default=None)
    if row is None or agreement[row] < _SAME_BOX:
        raise BadRequestError(_CHANGED)
    number = result.numbers[rows.index(row)]
    reason = f'the operator chose region {number} of {len(rows)}'
    chosen = replace(
        result, status=Status.FOUND, reason=reason, mask=result.proposals[row], index=row,
        rivals=(), score=float(result.scores.total[row]), confidence=1.0, question=None,
        fits=())
    return replace(answer, status=Status.FOUND, reason=reason, segmentation=chosen,
                   grasp=_grasp(answer, result, row))


def _grasp(answer: Answer, result: Segmentation, row: int) -> GraspRegion | None:
    frame, before = answer.frame, answer.grasp
    if frame is None:
        return before
    grasp = grasp_region(result.proposals[row], frame.depth_m, frame.camera)
    if before is not None and grasp.pose_status in (
            PoseStatus.NO_DEPTH, PoseStatus.NO_CAMERA_INFO):
        # The first answer knows why an input that was there could not be used.
        grasp = replace(grasp, pose_status=before.pose_status, pose_reason=before.pose_reason)
    return grasp


def _box(mask: np.ndarray) -> tuple[float, float, float, float]:
    found = box_message(mask)
    return found.x_offset, found.y_offset, found.width, found.height


def _box_iou(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    overlap = [min(a + c, b + d) - max(a, b) for a, b, c, d in (
        (first[0], second[0], first[2], second[2]), (first[1], second[1], first[3], second[3]))]
    shared = max(overlap[0], 0.0) * max(overlap[1], 0.0)
    union = first[2] * first[3] + second[2] * second[3] - shared
    return shared / union if union > 0 else 0.0
