"""The pick itself: ground, approach, grasp, lift, verify, and back home when one of them fails.

It knows neither ROS nor a simulator: a `Robot` moves, a function grounds. The action server and
the evaluation in one process both run this.
"""

from collections.abc import Callable
from dataclasses import dataclass
import enum
import math
from typing import Any, Protocol

from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.results import GraspRegion, Pose
from refdiff_ros.pick.plan import GraspPlan, NoGraspError, plan_grasp, Reach
from refdiff_ros.results import Status


class Stage(enum.IntEnum):
    """Where a pick is; the numbers are those of the action's feedback."""

    GROUNDING = 1
    APPROACH = 2
    GRASP = 3
    LIFT = 4
    VERIFY = 5
    RETREAT = 6


class PickStatus(enum.IntEnum):
    """How a pick ended; the numbers are those of the action's result."""

    LIFTED = 1
    REFUSED = 2
    MISSED = 3
    DROPPED = 4
    CANCELLED = 5
    TIMEOUT = 6
    ROBOT_FAILED = 7


class RobotError(RefDiffError):
    """The robot does not report, or does not come to rest; the message says what to look at."""


class StoppedError(RefDiffError):
    """The pick was cancelled or its time is over.

    Args:
        status: CANCELLED or TIMEOUT.
        message: why.
    """

    def __init__(self, status: PickStatus, message: str):
        super().__init__(message)
        self.status = status


class Robot(Protocol):
    """An arm with a parallel gripper. Each call blocks until the motion is over.

    Raises (each call):
        RobotError: no report, or no rest in time.
        StoppedError: the pick was cancelled or timed out meanwhile.
    """

    home: Pose

    def move(self, pose: Pose) -> None:
        """Bring the frame between the fingertips to a pose in the base."""

    def grip(self, opening_m: float) -> float:
        """Open or close; what the opening is then, metres."""

    def wait(self, seconds: float) -> float:
        """Hold still; the opening after that, metres."""

    def let_finish(self) -> None:
        """From here on neither a cancel nor the deadline interrupts: the way back is driven."""


@dataclass(frozen=True)
class Grounding:
    """What a sentence means in the picture.

    Attributes:
        status, reason: of the answer.
        region: where to grip; None where the status gives none.
        mask, grasp: whatever the caller wants back in the feedback (messages, arrays).
    """

    status: Status
    reason: str
    region: GraspRegion | None = None
    mask: Any = None
    grasp: Any = None


@dataclass(frozen=True)
class PickOutcome:
    """How a pick ended.

    Attributes:
        status, reason: of the whole.
        grounding: status of the answer; None where none came.
        pose: the grasp pose in the base; None where none was planned.
        opening_m: of the fingers at the end; NaN where nobody knows.
    """

    status: PickStatus
    reason: str
    grounding: Status | None = None
    pose: Pose | None = None
    opening_m: float = math.nan


@dataclass(frozen=True)
class PickSettings:
    """What a pick goes by.

    Attributes:
        reach: of the gripper.
        camera: the optical frame in the base.
        min_opening_m: fingers nearer than this hold nothing.
        hold_s: how long the object is held up before the pick counts.
        accept_ambiguous: take the best of several regions that fit equally.
    """

    reach: Reach
    camera: Pose
    min_opening_m: float = 0.0025
    hold_s: float = 0.6
    accept_ambiguous: bool = False


Tell = Callable[[Stage, str, Grounding | None], None]


def pick(ground: Callable[[], Grounding], robot: Robot, settings: PickSettings,
         tell: Tell) -> PickOutcome:
    """Pick up what `ground` finds.

    After a failure that left home, the fingers open and the hand goes back up and home; with
    LIFTED it stays where it is, holding.

    Args:
        ground: asks what the sentence means; may raise StoppedError or RobotError.
        robot: what moves.
        settings: what it goes by.
        tell: called at the start of each stage with a sentence, and with the grounding once
            there is one.
    """
    grounding: Grounding | None = None
    plan: GraspPlan | None = None
    try:
        tell(Stage.GROUNDING, 'asking where the object is', None)
        grounding = ground()
        refusal = _refusal(grounding, settings)
        if refusal:
            return PickOutcome(PickStatus.REFUSED, refusal, grounding.status)
        plan = plan_grasp(grounding.region, settings.camera, settings.reach)
        outcome = _drive(grounding, plan, robot, settings, tell)
    except NoGraspError as error:
        return PickOutcome(PickStatus.REFUSED, str(error), grounding.status)
    except StoppedError as error:
        outcome = _ended(error.status, str(error), grounding, plan)
    except RobotError as error:
        outcome = _ended(PickStatus.ROBOT_FAILED, str(error), grounding, plan)
    if plan is not None and outcome.status is not PickStatus.LIFTED:
        return _retreat(plan, robot, outcome, grounding, tell)
    return outcome


def _refusal(grounding: Grounding, settings: PickSettings) -> str:
    """Why nothing will be touched, '' to go on."""
    if grounding.status is Status.AMBIGUOUS and not settings.accept_ambiguous:
        return f'AMBIGUOUS: {grounding.reason}; say more exactly which one is meant'
    if not grounding.status.has_mask:
        return f'{grounding.status.name}: {grounding.reason}'
    return '' if grounding.region is not None else 'the answer carries no grasp region'


def _drive(grounding: Grounding, plan: GraspPlan, robot: Robot, settings: PickSettings,
           tell: Tell) -> PickOutcome:
    def outcome(status: PickStatus, reason: str, opening_m: float) -> PickOutcome:
        return PickOutcome(status, reason, grounding.status, plan.grasp, opening_m)

    x, y, z = plan.grasp.position
    tell(Stage.APPROACH, f'going to x {x:.3f}, y {y:.3f}, z {z:.3f} m in the base, fingers '
         f'{plan.opening_m * 1000:.0f} mm apart{", at its edge" if plan.edge else ""}', grounding)
    robot.grip(plan.opening_m)
    robot.move(plan.before)
    robot.move(plan.grasp)
    tell(Stage.GRASP, 'closing the fingers', grounding)
    held = robot.grip(0.0)
    if held < settings.min_opening_m:
        return outcome(PickStatus.MISSED, 'the fingers closed on nothing', held)
    tell(Stage.LIFT, f'{held * 1000:.0f} mm between the fingers, going up', grounding)
    robot.move(plan.lifted)
    tell(Stage.VERIFY, f'holding it for {settings.hold_s:g} s', grounding)
    opening = robot.wait(settings.hold_s)
    if opening < settings.min_opening_m:
        return outcome(PickStatus.DROPPED, f'{held * 1000:.0f} mm were between the fingers, and '
                       'nothing is after lifting', opening)
    return outcome(PickStatus.LIFTED, f'{opening * 1000:.0f} mm are between the fingers, '
                   f'{settings.reach.lift_m * 100:.0f} cm above the place', opening)


def _ended(status: PickStatus, reason: str, grounding: Grounding | None,
           plan: GraspPlan | None) -> PickOutcome:
    return PickOutcome(status, reason, grounding.status if grounding else None,
                       plan.grasp if plan else None)


def _retreat(plan: GraspPlan, robot: Robot, outcome: PickOutcome, grounding: Grounding | None,
             tell: Tell) -> PickOutcome:
    """Open, go up and home, whatever becomes of it; the outcome keeps what came first."""
    tell(Stage.RETREAT, f'{outcome.reason}: opening, going home', grounding)
    robot.let_finish()
    try:
        robot.grip(plan.opening_m)
        robot.move(plan.before)
        robot.move(robot.home)
    except (RobotError, StoppedError) as error:
        return PickOutcome(
            outcome.status, f'{outcome.reason}; the way back failed too: {error}',
            outcome.grounding, outcome.pose, outcome.opening_m)
    return outcome
