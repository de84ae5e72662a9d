"""Answers as messages."""

from collections.abc import Sequence
import math

from geometry_msgs.msg import Point, Point32, Polygon, Quaternion, Vector3
from geometry_msgs.msg import Pose as PoseMsg
import numpy as np
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from refdiff_ros.grasp.results import GraspRegion, Pose
from refdiff_ros.masks import box_xyxy
from refdiff_ros.msg import GraspCandidate as GraspCandidateMsg
from refdiff_ros.msg import GraspRegion as GraspRegionMsg
from refdiff_ros.msg import MaskCandidate, ReferringMask
from refdiff_ros.results import Segmentation
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.conversions import mask_message
from refdiff_ros.srv import ReferSegmentation
from refdiff_ros.stages import stage


@stage('messages')
def referring_mask(answer: Answer, candidates: int = 8) -> ReferringMask:
    """The answer as `ReferringMask`, with at most `candidates` regions listed.

    `latency_ms` is left to whoever sends it, since making the message takes time.
    """
    msg = ReferringMask(
        header=answer.header, status=int(answer.status), reason=answer.reason,
        expression=answer.expression, bundle=answer.bundle, preset=answer.preset,
        mode=answer.mode, notes=list(answer.notes), score=math.nan, presence=math.nan,
        model_ms=float(answer.model_ms), origin=int(answer.origin),
        grounded_stamp=(answer.grounded or answer.header).stamp)
    result = answer.segmentation
    if result is None:
        return msg
    msg.root, msg.parser = result.expression.root, result.expression.parser
    msg.mask = mask_message(result.mask, answer.header)
    msg.confidence, msg.calibrated = float(result.confidence), result.calibrated
    msg.presence = float(result.presence)
    msg.question = '' if result.question is None else result.question.text
    if result.status.has_mask:
        msg.area, msg.score = int(np.count_nonzero(result.mask)), float(result.score)
        msg.candidates = _candidates(result, answer, candidates)
        msg.box = msg.candidates[0].box
    return msg


def _candidates(result: Segmentation, answer: Answer, limit: int) -> list[MaskCandidate]:
    rows, question = result.regions[:limit], result.question
    count = len(rows)
    described = ('',) * count if question is None else question.descriptions[:count]
    numbers = (0,) * count if question is None else question.numbers[:count]
    fits = (result.fits or (math.nan,) * count)[:count]
    candidates = mask_candidates(
        [result.proposals[row] for row in rows], described, answer.header)
    for candidate, row, number, fit in zip(candidates, rows, numbers, fits, strict=True):
        candidate.score = float(result.scores.total[row])
        candidate.number, candidate.probability = number, float(fit)
    return candidates


def mask_candidates(
    masks: Sequence[np.ndarray], descriptions: Sequence[str], header: Header,
) -> list[MaskCandidate]:
    """Candidates of an answer whose mask is the first one.

    Args:
        masks: each (H, W) bool; the first one's pixels are not repeated.
        descriptions: for each.
        header: the input image's.
    """
    candidates = []
    for place, (mask, description) in enumerate(zip(masks, descriptions, strict=True)):
        box = box_message(mask)
        rows = slice(box.y_offset, box.y_offset + box.height)
        columns = slice(box.x_offset, box.x_offset + box.width)
        cut = Image() if place == 0 else mask_message(mask[rows, columns], header)
        candidates.append(MaskCandidate(mask=cut, box=box, description=description))
    return candidates


def box_message(mask: np.ndarray) -> RegionOfInterest:
    """The smallest upright box around a mask (H, W) bool, pixels; all 0 when it is empty."""
    box = box_xyxy(mask)
    if box is None:
        return RegionOfInterest()
    left, top, right, bottom = box
    return RegionOfInterest(
        x_offset=left, y_offset=top, width=right - left + 1, height=bottom - top + 1)


def without_pixels(mask: ReferringMask, grasp: GraspRegionMsg) -> None:
    """Take masks and contour out of an answer, so that it is small and can be read."""
    mask.mask = Image()
    for candidate in mask.candidates:
        candidate.mask = Image()
    grasp.contour = Polygon()


@stage('messages')
def grasp_region(answer: Answer) -> GraspRegionMsg:
    """The answer's grasp region; not valid, with the answer's reason, on failure."""
    msg = GraspRegionMsg(
        header=answer.header, expression=answer.expression, status=int(answer.status),
        pose_status=GraspRegionMsg.POSE_NO_REGION)
    grasp = answer.grasp
    if grasp is None:
        msg.reason = msg.pose_reason = answer.reason
        return msg
    msg.valid, msg.reason = grasp.valid, grasp.reason
    for name in ('center_u', 'center_v', 'length_px', 'width_px', 'angle', 'width_m',
                 'depth_fraction'):
        setattr(msg, name, float(getattr(grasp, name)))
    msg.contour = Polygon(points=[Point32(x=float(u), y=float(v)) for u, v in grasp.contour])
    msg.candidates = _grasp_candidates(grasp)
    msg.pose_status, msg.pose_reason = int(grasp.pose_status), grasp.pose_reason
    msg.pose = pose_message(grasp.pose)
    msg.extents = Vector3(**dict(zip('xyz', map(float, grasp.extents), strict=True)))
    return msg


def _grasp_candidates(grasp: GraspRegion) -> list[GraspCandidateMsg]:
    numbers = ('u1', 'v1', 'u2', 'v2', 'angle', 'width_px', 'quality', 'width_m')
    return [GraspCandidateMsg(
        pose_valid=bool(candidate.pose_valid), pose=pose_message(candidate.pose),
        **{name: float(getattr(candidate, name)) for name in numbers},
    ) for candidate in grasp.candidates]


def pose_message(pose: Pose) -> PoseMsg:
    """A pose as a message."""
    return PoseMsg(
        position=Point(**dict(zip('xyz', map(float, pose.position), strict=True))),
        orientation=Quaternion(**dict(zip('xyzw', map(float, pose.orientation), strict=True))))


def service_response(
    answer: Answer, candidates: int = 8, without_masks: bool = False,
) -> ReferSegmentation.Response:
    """The answer to one service call; `without_masks` as in the request."""
    response = ReferSegmentation.Response(
        status=int(answer.status), reason=answer.reason,
        mask=referring_mask(answer, candidates), grasp=grasp_region(answer))
    if without_masks:
        without_pixels(response.mask, response.grasp)
    response.mask.latency_ms = float(answer.latency_ms)
    return response
