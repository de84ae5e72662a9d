"""The robot as the skills see it: a hand that moves and grips, and the safe ways that it takes.

Poses are in the robot's base (metres, z up), of the frame between the fingertips: x closes, z is
the approach.
"""

from dataclasses import dataclass, replace
import enum
import math
from typing import Protocol

from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.results import Pose

# Less than this beside a place counts as above it.
_ABOVE_M = 0.01


class Interrupt(enum.Enum):
    """Why a motion was broken off: the names are those of the actions' statuses.

    CANCELLED by the client, TIMEOUT of the goal, STOPPED by a person.
    """

    CANCELLED = 'cancelled'
    TIMEOUT = 'timeout'
    STOPPED = 'stopped'


class OnCancel(str, enum.Enum):
    """What becomes of the object in hand after a cancel or a timeout.

    HOLD stays where the hand is, PUT_BACK brings it to where it was taken, LOWER sets it down
    below the hand where there is room, else it is put back.
    """

    HOLD = 'hold'
    PUT_BACK = 'put_back'
    LOWER = 'lower'


class RobotError(RefDiffError):
    """The robot does not report, or does not come to rest; the message says what to look at."""


class StoppedError(RefDiffError):
    """What the robot did was broken off; the hand has been halted.

    Args:
        kind: by whom.
        message: why.
    """

    def __init__(self, kind: Interrupt, message: str):
        super().__init__(message)
        self.kind = kind


class Robot(Protocol):
    """An arm with a parallel gripper. Each call blocks until the motion is over.

    Raises (each call but `halt`):
        RobotError: no report, or no rest in time.
        StoppedError: the motion was broken off; the hand has been halted before it is raised.
    """

    @property
    def home(self) -> Pose:
        """Where the hand waits."""

    def pose(self) -> Pose:
        """Where the hand is, in the base."""

    def opening(self) -> float:
        """How far apart the fingers are, metres."""

    def move(self, pose: Pose) -> None:
        """Bring the frame between the fingertips to a pose in the base, along a line."""

    def grip(self, opening_m: float) -> float:
        """Open or close; what the opening is then, metres."""

    def wait(self, seconds: float) -> float:
        """Hold still; the opening after that, metres."""

    def halt(self) -> None:
        """The pose of this moment becomes the target; fingers keep what they hold."""

    def let_finish(self) -> None:
        """From here on only a stop interrupts: neither a cancel nor the deadline does."""


@dataclass(frozen=True)
class Held:
    """What is between the fingers, and how it can be set down.

    Attributes:
        grasp: where it was gripped, in the base.
        opening_m: of the fingers when they let go of it.
        width_m: of the fingers while they hold it.
        rise_m: how high the fingertips stand over the base of the object.
        radius_m: of the circle around its middle that holds its footprint.
        off_m: from the fingertips to its middle, in the base, the hand turned as in `grasp`.
        top_m: how high it reaches over the fingertips.
        clear_z_m: a height at which the empty hand meets nothing.
        name: what it is called.
    """

    grasp: Pose
    opening_m: float
    width_m: float = math.nan
    rise_m: float = 0.0
    radius_m: float = 0.06
    off_m: tuple[float, float] = (0.0, 0.0)
    top_m: float = 0.0
    clear_z_m: float = 0.0
    name: str = 'object'

    def still_there(self, opening_m: float, min_opening_m: float) -> bool:
        """Whether fingers that far apart can still hold it; True where nobody knows."""
        if math.isnan(opening_m) or math.isnan(self.width_m):
            return True
        return min_opening_m <= opening_m < self.width_m + 0.006


def over(pose: Pose, height_m: float) -> Pose:
    """The same pose at another height in the base."""
    return replace(pose, position=(*pose.position[:2], float(height_m)))


def travel(robot: Robot, pose: Pose, clear_z_m: float) -> None:
    """Go up to where nothing is in the way, across, and down to a pose.

    Args:
        robot: what moves.
        pose: in the base.
        clear_z_m: height at which the hand, with what it holds, meets nothing.

    Raises:
        RobotError, StoppedError: as the robot's.
    """
    here = robot.pose()
    beside_m = math.dist(here.position[:2], pose.position[:2])
    if beside_m > _ABOVE_M:
        high = max(clear_z_m, here.position[2], pose.position[2])
        if high - here.position[2] > _ABOVE_M:
            robot.move(over(here, high))
        if high - pose.position[2] > _ABOVE_M:
            robot.move(over(pose, high))
    robot.move(pose)


def put_back(robot: Robot, held: Held) -> None:
    """Bring the object to where it was taken, let go there, and go up.

    Raises:
        RobotError, StoppedError: as the robot's; the fingers have not opened then.
    """
    # What hangs below the fingertips must clear what the empty hand clears.
    travel(robot, held.grasp, held.clear_z_m + held.rise_m)
    robot.grip(held.opening_m)
    robot.move(over(held.grasp, held.clear_z_m))


def go_home(robot: Robot, clear_z_m: float) -> None:
    """Bring the hand home, up first.

    Raises:
        RobotError, StoppedError: as the robot's.
    """
    travel(robot, robot.home, clear_z_m)
