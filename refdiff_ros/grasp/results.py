"""What the grasp stage answers: frozen records with the fields of `msg/GraspRegion`.

Pixels are those of the input image (u right, v down, the centre of the first pixel at 0, 0).
Metres and rotations are in the camera's optical frame (REP-103: x right, y down, z forward).
"""

from dataclasses import dataclass, field
import enum

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.results import describe_array


class PoseStatus(enum.IntEnum):
    """Whether the 3D part is filled; the numbers are those of `msg/GraspRegion`."""

    VALID = 1
    NO_DEPTH = 2
    NO_CAMERA_INFO = 3
    DEPTH_MISMATCH = 4
    TOO_FEW_POINTS = 5
    NO_REGION = 6


@dataclass(frozen=True)
class Pose:
    """A position in metres and a unit quaternion (x, y, z, w)."""

    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    orientation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) float64 rotation matrix whose columns are the pose's x, y and z axes."""
        x, y, z, w = self.orientation
        return np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])

    def of(self, pose: 'Pose') -> 'Pose':
        """A pose of this frame, in the frame that this pose is in."""
        rotation = self.rotation
        position = np.array(self.position) + rotation @ np.array(pose.position)
        return Pose(tuple(position.tolist()), quaternion(rotation @ pose.rotation))


@dataclass(frozen=True)
class GraspCandidate:
    """One way for a parallel gripper to close on the region (`msg/GraspCandidate`).

    Attributes:
        u1, v1, u2, v2: the two contact points in pixels, on the region's contour.
        angle: of the closing direction against the u axis, radians in (-pi/2, pi/2], positive
            from u towards v.
        width_px: distance of the contacts in pixels.
        quality: 0..1, the product of antipodal quality and closeness to the region's centre.
        pose_valid: whether `pose` and `width_m` are filled from depth.
        pose: position between the contacts; x along the closing direction, z the approach.
        width_m: gripper opening between the contacts in metres; 0 without a pose.
    """

    u1: float
    v1: float
    u2: float
    v2: float
    angle: float
    width_px: float
    quality: float
    pose_valid: bool = False
    pose: Pose = Pose()
    width_m: float = 0.0


@dataclass(frozen=True)
class GraspRegion:
    """Where a gripper can take hold of a region (`msg/GraspRegion`).

    Attributes:
        valid: whether rectangle, contour and candidates can be used.
        reason: one sentence: why not, or what the region leaves out; '' when all is plain.
        center_u, center_v: centre of the oriented rectangle, pixels.
        length_px, width_px: its sides along and across the main axis, pixels.
        angle: of the main axis against the u axis, radians in (-pi/2, pi/2], positive from u
            towards v.
        contour: (K, 2) float32 outer contour (u, v), through the centres of the border pixels.
        candidates: antipodal contact pairs, best first.
        pose_status: whether the 3D part below is filled, or why not.
        pose_reason: the same as a sentence; '' when the pose is valid without remark.
        pose: position is the centre of the visible surface in metres; x across the main axis
            (closing direction), y along it, z the approach direction away from the camera.
        width_m: gripper opening needed across the main axis, metres.
        extents: of the visible surface along the pose's x, y and z, metres.
        depth_fraction: 0..1, share of the mask's pixels with a usable depth reading.
    """

    valid: bool
    reason: str = ''
    center_u: float = 0.0
    center_v: float = 0.0
    length_px: float = 0.0
    width_px: float = 0.0
    angle: float = 0.0
    contour: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    candidates: tuple[GraspCandidate, ...] = ()
    pose_status: PoseStatus = PoseStatus.NO_REGION
    pose_reason: str = ''
    pose: Pose = Pose()
    width_m: float = 0.0
    extents: tuple[float, float, float] = (0.0, 0.0, 0.0)
    depth_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.contour.ndim != 2 or self.contour.shape[1] != 2:
            raise BadRequestError(
                f'expected a contour (K, 2) of u, v, got {describe_array(self.contour)}')
        if not self.valid and not self.reason:
            raise BadRequestError('expected a reason with a region that is not valid, got none')

    @property
    def pose_valid(self) -> bool:
        """Whether pose, width_m and extents are filled."""
        return self.pose_status is PoseStatus.VALID


def quaternion(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """Unit quaternion (x, y, z, w), w >= 0, of a (3, 3) rotation matrix.

    The largest of the four components is computed first, which keeps the division away from 0.
    """
    m = np.asarray(rotation, dtype=np.float64)
    squares = np.array([1 + m[0, 0] - m[1, 1] - m[2, 2], 1 - m[0, 0] + m[1, 1] - m[2, 2],
                        1 - m[0, 0] - m[1, 1] + m[2, 2], 1 + m[0, 0] + m[1, 1] + m[2, 2]])
    products = np.array([
        [squares[0], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
        [m[0, 1] + m[1, 0], squares[1], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
        [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], squares[2], m[1, 0] - m[0, 1]],
        [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], squares[3]]])
    row = products[int(np.argmax(squares))]
    row = row / np.linalg.norm(row)
    x, y, z, w = (row if row[3] >= 0 else -row).tolist()
    return x, y, z, w
