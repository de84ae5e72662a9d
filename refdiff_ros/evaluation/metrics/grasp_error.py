"""How far a grasp pose is from the right one: position, orientation and opening.

Poses follow `msg/GraspRegion` and lie in the camera's optical frame (REP-103): x is the closing
direction, y runs along the fingers' width, z is the approach.

position     Distance of the two positions, mm.
orientation  Angle of the turn that takes one pose's axes to the other's, degrees, 0..180. A
             parallel gripper that is turned by half a turn about its approach has only swapped
             its fingers, so the smaller of the two angles counts.
width        Difference of the two openings, its sign dropped, mm.
"""

from dataclasses import dataclass
import math

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.results import Pose


@dataclass(frozen=True)
class TrueGrasp:
    """The right grasp, or what is known of it.

    Attributes:
        position: (x, y, z) metres.
        orientation: unit quaternion (x, y, z, w), to within 0.01 of its length; None where no
            closing direction is better than another, as on a ball.
        width_m: opening of the gripper, metres; None where it is not known.

    Raises:
        BadRequestError: other lengths, numbers that are not finite, a quaternion of another
            length, or a width below 0.
    """

    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float] | None = None
    width_m: float | None = None

    def __post_init__(self):
        good = len(self.position) == 3 and all(map(math.isfinite, self.position))
        if self.orientation is not None:
            good = good and len(self.orientation) == 4 \
                and abs(math.hypot(*self.orientation) - 1) < 0.01
        if self.width_m is not None:
            good = good and 0 <= self.width_m < math.inf
        if not good:
            raise BadRequestError(
                'expected a grasp of three finite metres, a unit quaternion x y z w and a width '
                f'of 0 metres or more, got {self.position}, {self.orientation} and '
                f'{self.width_m}')


@dataclass(frozen=True)
class GraspError:
    """What a grasp is off by; None where the right grasp says nothing of it.

    Attributes:
        position_mm, orientation_deg, width_mm: as the module says.
    """

    position_mm: float
    orientation_deg: float | None = None
    width_mm: float | None = None


def grasp_error(pose: Pose, width_m: float, truth: TrueGrasp) -> GraspError:
    """A pose and its opening in metres against the right ones.

    Example:
        >>> truth = TrueGrasp((0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.0), 0.05)
        >>> grasp_error(Pose((0.03, 0.0, 1.04), (0.0, 0.0, 0.0, 1.0)), 0.04, truth)
        GraspError(position_mm=50.0, orientation_deg=0.0, width_mm=10.0)
    """
    return GraspError(
        round(1e3 * math.dist(pose.position, truth.position), 3),
        None if truth.orientation is None else round(
            orientation_error_deg(pose.orientation, truth.orientation), 3),
        None if truth.width_m is None else round(1e3 * abs(width_m - truth.width_m), 3))


def orientation_error_deg(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float],
) -> float:
    """Degrees between two orientations of a parallel gripper, 0..180.

    Args:
        one, other: quaternions (x, y, z, w), not of length 0.
    """
    x, y, z, w = _turn(one, other)
    # Half a turn about z more swaps |z| with |w| and |x| with |y|.
    return math.degrees(2 * math.atan2(math.hypot(x, y, min(abs(z), abs(w))),
                                       max(abs(z), abs(w))))


def _turn(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:
    """The quaternion that turns `one` to `other`, in the axes of `one`: conjugate times other."""
    (a, b, c, d), (x, y, z, w) = one, other
    return (d * x - a * w - b * z + c * y, d * y + a * z - b * w - c * x,
            d * z - a * y + b * x - c * w, d * w + a * x + b * y + c * z)
