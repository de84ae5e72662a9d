"""Between the pick stages and their messages."""

from geometry_msgs.msg import PoseStamped
from std_msgs.msg import Header

from refdiff_ros.action import PickReferred
from refdiff_ros.grasp.results import GraspCandidate, GraspRegion, PoseStatus
from refdiff_ros.msg import GraspRegion as GraspRegionMsg
from refdiff_ros.pick.ros.frames import pose_from
from refdiff_ros.pick.stages import Grounding, PickOutcome
from refdiff_ros.results import Status
from refdiff_ros.ros.messages import pose_message
from refdiff_ros.srv import ReferSegmentation


def region_from(msg: GraspRegionMsg) -> GraspRegion:
    """A grasp region from its message; the contour, which no plan reads, is left out."""
    candidates = tuple(GraspCandidate(
        u1=c.u1, v1=c.v1, u2=c.u2, v2=c.v2, angle=c.angle, width_px=c.width_px,
        quality=c.quality, pose_valid=c.pose_valid, pose=pose_from(c.pose), width_m=c.width_m)
        for c in msg.candidates)
    extents = (msg.extents.x, msg.extents.y, msg.extents.z)
    return GraspRegion(
        valid=msg.valid, reason=msg.reason or ('' if msg.valid else 'no reason was given'),
        center_u=msg.center_u, center_v=msg.center_v, length_px=msg.length_px,
        width_px=msg.width_px, angle=msg.angle, candidates=candidates,
        pose_status=PoseStatus(msg.pose_status) if msg.pose_status else PoseStatus.NO_REGION,
        pose_reason=msg.pose_reason, pose=pose_from(msg.pose), width_m=msg.width_m,
        extents=extents, depth_fraction=msg.depth_fraction)


def grounding_from(response: ReferSegmentation.Response) -> Grounding:
    """What the refdiff node answered; its question, where it asks back, is part of the reason."""
    asked = response.mask.question
    return Grounding(
        Status(response.status), f'{response.reason} ({asked})' if asked else response.reason,
        region_from(response.grasp), response.mask, response.grasp)


def result_message(outcome: PickOutcome, base_frame: str) -> PickReferred.Result:
    """The action's result."""
    result = PickReferred.Result(
        status=int(outcome.status), reason=outcome.reason, width_m=float(outcome.opening_m),
        holding=outcome.held is not None,
        grounding_status=int(outcome.grounding) if outcome.grounding is not None else 0)
    if outcome.pose is not None:
        result.object_pose = PoseStamped(
            header=Header(frame_id=base_frame), pose=pose_message(outcome.pose))
    return result
