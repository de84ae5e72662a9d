"""An answer as `visualization_msgs/MarkerArray`, for RViz and Foxglove.

All markers are in the header's optical frame, in metres. The first one of each array deletes what
was drawn before, so that nothing of an older answer stays on the screen.
"""

from collections.abc import Iterable

from geometry_msgs.msg import Point, Vector3
import numpy as np
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from refdiff_ros.grasp.results import GraspCandidate, GraspRegion, Pose
from refdiff_ros.grasp.surface import back_project
from refdiff_ros.results import Frame, Segmentation, Status
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.messages import pose_message

# Metres: thickness of lines, length of the axes and of the approach arrow, height of numbers.
_LINE = 0.002
_AXIS = 0.05
_APPROACH = 0.1
_LETTER = 0.03
# As in `overlay`: the colours of Okabe and Ito, which stay apart for colour-blind eyes.
_FOUND = (0.0, 0.62, 0.45)
_AMBIGUOUS = (0.90, 0.62, 0.0)
_RECTANGLE = (1.0, 1.0, 1.0)
_CANDIDATE = (0.84, 0.37, 0.0)
_AXES = ((1.0, 0.2, 0.2), (0.2, 0.9, 0.2), (0.3, 0.5, 1.0))


def no_markers(header: Header | None = None) -> MarkerArray:
    """The array that takes everything off the screen."""
    return MarkerArray(markers=[Marker(header=header or Header(), action=Marker.DELETEALL)])


def marker_array(answer: Answer) -> MarkerArray:
    """Grasp pose, gripper rectangle, grasp candidates, and the regions of an ambiguous answer.

    What has no place in space (no depth, no camera_info, no region) is left out.
    """
    array = no_markers(answer.header)
    grasp, segmentation = answer.grasp, answer.segmentation
    if grasp is not None and grasp.pose_valid:
        colour = _AMBIGUOUS if answer.status is Status.AMBIGUOUS else _FOUND
        array.markers += [_axes(grasp.pose), _approach(grasp.pose, colour), _gripper(grasp)]
    if grasp is not None:
        array.markers += _candidates(grasp.candidates)
    if segmentation is not None and segmentation.rivals and answer.frame is not None:
        array.markers += _regions(segmentation, answer.frame)
    for marker in array.markers:
        marker.header = answer.header
    return array


def _axes(pose: Pose) -> Marker:
    """x across the jaws, y along the fingers, z the approach: red, green, blue."""
    marker = _lines('grasp_pose', 0, 2 * _LINE)
    for k, colour in enumerate(_AXES):
        _segment(marker, pose.position, _along(pose, k, _AXIS), colour)
    return marker


def _approach(pose: Pose, colour: tuple[float, float, float]) -> Marker:
    """An arrow that ends at the grasp."""
    return Marker(
        ns='approach', id=0, type=Marker.ARROW, color=_rgba(colour),
        pose=pose_message(Pose()), scale=Vector3(x=3 * _LINE, y=6 * _LINE, z=10 * _LINE),
        points=[_point(_along(pose, 2, -_APPROACH)), _point(pose.position)])


def _gripper(grasp: GraspRegion) -> Marker:
    """The opening of the gripper by the length that it may hold, at the grasp pose."""
    marker = _lines('gripper', 0, _LINE)
    x, y = grasp.width_m / 2, grasp.extents[1] / 2
    rotation = grasp.pose.rotation
    corners = [np.asarray(grasp.pose.position) + rotation @ (u, v, 0.0)
               for u, v in ((-x, -y), (x, -y), (x, y), (-x, y))]
    for k, corner in enumerate(corners):
        _segment(marker, corner, corners[(k + 1) % 4], _RECTANGLE)
    return marker


def _candidates(candidates: tuple[GraspCandidate, ...]) -> list[Marker]:
    """For each a closing line and a stub against the approach; the fainter the worse."""
    markers = []
    for rank, candidate in enumerate(candidates):
        if not candidate.pose_valid:
            continue
        marker = _lines('candidates', rank, _LINE)
        alpha = 0.25 + 0.75 * min(max(candidate.quality, 0.0), 1.0)
        pose, half = candidate.pose, candidate.width_m / 2
        _segment(marker, _along(pose, 0, -half), _along(pose, 0, half), _CANDIDATE, alpha)
        _segment(marker, pose.position, _along(pose, 2, -_AXIS), _CANDIDATE, alpha)
        markers.append(marker)
    return markers


def _regions(segmentation: Segmentation, frame: Frame) -> list[Marker]:
    """A number over each region that may be meant, in the order of the question."""
    markers = []
    for place, (row, number) in enumerate(
            zip(segmentation.regions, segmentation.numbers, strict=True)):
        middle = _middle(segmentation.proposals[row], frame)
        if middle is None:
            continue
        marker = Marker(
            ns='regions', id=place, type=Marker.TEXT_VIEW_FACING, text=str(number),
            color=_rgba(_AMBIGUOUS), scale=Vector3(z=_LETTER), pose=pose_message(Pose(middle)))
        markers.append(marker)
    return markers


def _middle(mask: np.ndarray, frame: Frame) -> tuple[float, float, float] | None:
    """The middle of a mask (H, W) bool in the optical frame, metres, a letter's height nearer."""
    camera = frame.camera
    if frame.depth_m is None or camera is None:
        return None
    rows, columns = np.nonzero(mask & np.isfinite(frame.depth_m) & (frame.depth_m > 0))
    if len(rows) == 0:
        return None
    z = float(np.median(frame.depth_m[rows, columns]))
    u, v = float(columns.mean()), float(rows.mean())
    x, y, _ = back_project(np.asarray(u), np.asarray(v), np.asarray(z), camera).tolist()
    return x, y, z - _LETTER


def _lines(namespace: str, number: int, width: float) -> Marker:
    return Marker(ns=namespace, id=number, type=Marker.LINE_LIST, pose=pose_message(Pose()),
                  scale=Vector3(x=width), color=_rgba((1.0, 1.0, 1.0)))


def _segment(
    marker: Marker, start: Iterable[float], end: Iterable[float],
    colour: tuple[float, float, float], alpha: float = 1.0,
) -> None:
    marker.points += [_point(start), _point(end)]
    marker.colors += [_rgba(colour, alpha)] * 2


def _along(pose: Pose, axis: int, metres: float) -> np.ndarray:
    return np.asarray(pose.position) + metres * pose.rotation[:, axis]


def _point(xyz: Iterable[float]) -> Point:
    return Point(**dict(zip('xyz', map(float, xyz), strict=True)))


def _rgba(colour: tuple[float, float, float], alpha: float = 1.0) -> ColorRGBA:
    return ColorRGBA(r=colour[0], g=colour[1], b=colour[2], a=float(alpha))
