"""The pick itself: ground, approach, grasp, lift, verify, and back home when one of them fails.

It knows neither ROS nor a simulator: a `Robot` moves, a function grounds. The action server and
the evaluation in one process both run this. Whatever happens, the fingers open only where the
object stands: a hand that cannot bring it there keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
import enum
import math
from typing import Any

from refdiff_ros.errors import require
from refdiff_ros.grasp.results import GraspRegion, Pose
from refdiff_ros.pick.plan import GraspPlan, NoGraspError, plan_grasp
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.robot import (
    go_home,
    Held,
    Interrupt,
    OnCancel,
    over,
    put_back,
    Robot,
    RobotError,
    StoppedError,
    travel,
)
from refdiff_ros.pick.space import Space
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
    STOPPED = 8


@dataclass(frozen=True)
class Grounding:
    """What a sentence means in the picture.

    Attributes:
        status, reason: of the answer.
        region: where to grip; None where the status gives none.
        mask, grasp: whatever the caller wants back in the feedback (messages, arrays).
        camera: the optical frame in the base, at the moment of the picture.
        space: what the depth picture shows around it; None goes by the region alone.
        refusal: why what was found cannot be gone to; '' where it can.
    """

    status: Status
    reason: str
    region: GraspRegion | None = None
    mask: Any = None
    grasp: Any = None
    camera: Pose | None = None
    space: Space | None = None
    refusal: str = ''


@dataclass(frozen=True)
class PickOutcome:
    """How a pick ended.

    Attributes:
        status, reason: of the whole.
        grounding: status of the answer; None where none came.
        pose: the grasp pose in the base; None where none was planned.
        opening_m: of the fingers at the end; NaN where nobody knows.
        held: what is between the fingers at the end, as far as they can tell.
    """

    status: PickStatus
    reason: str
    grounding: Status | None = None
    pose: Pose | None = None
    opening_m: float = math.nan
    held: Held | None = None


@dataclass(frozen=True)
class PickSettings:
    """What a pick goes by.

    Attributes:
        reach: of the gripper.
        min_opening_m: fingers nearer than this hold nothing.
        hold_s: how long the object is held up before the pick counts.
        accept_ambiguous: take the best of several regions that fit equally.
        on_cancel: what becomes of the object in hand after a cancel or a timeout.
        tried: grasps that came to nothing before.
    """

    reach: Reach
    min_opening_m: float = 0.0025
    hold_s: float = 0.6
    accept_ambiguous: bool = False
    on_cancel: OnCancel = OnCancel.PUT_BACK
    tried: tuple[Pose, ...] = ()


Tell = Callable[[Stage, str, Grounding | None], None]


def pick(ground: Callable[[], Grounding], robot: Robot, settings: PickSettings,
         tell: Tell) -> PickOutcome:
    """Pick up what `ground` finds.

    With LIFTED the hand stays where it is, holding. After a stop it stays where it is and keeps
    what it holds. After any other failure the object is put back and the hand goes home;
    `settings.on_cancel` says otherwise for a cancel and a timeout.

    Args:
        ground: asks what the sentence means; may raise StoppedError or RobotError.
        robot: what moves.
        settings: what it goes by.
        tell: called at the start of each stage with a sentence, and with the grounding once
            there is one.
    """
    return _Pick(robot, settings, tell).run(ground)


class _Pick:
    """One pick and how far it has come."""

    def __init__(self, robot: Robot, settings: PickSettings, tell: Tell):
        self._robot, self._settings, self._tell = robot, settings, tell
        self._grounding: Grounding | None = None
        self._plan: GraspPlan | None = None
        # Whether the fingers have been told to close, and what they hold since.
        self._closed = False
        self._width_m = math.nan

    def run(self, ground: Callable[[], Grounding]) -> PickOutcome:
        """Ground, plan and drive."""
        try:
            self._say(Stage.GROUNDING, 'asking where the object is')
            self._grounding = ground()
            refusal = _refusal(self._grounding, self._settings)
            if refusal:
                return self._outcome(PickStatus.REFUSED, refusal)
            settings = self._settings
            self._plan = plan_grasp(
                require(self._grounding.region, 'a region of an answer with a mask'),
                require(self._grounding.camera, 'the pose of the camera'), settings.reach,
                self._grounding.space, settings.tried)
            outcome, why = self._drive(self._plan), None
        except NoGraspError as error:
            return self._outcome(PickStatus.REFUSED, str(error))
        except StoppedError as error:
            outcome, why = self._outcome(PickStatus[error.kind.name], str(error)), error.kind
        except RobotError as error:
            outcome, why = self._outcome(PickStatus.ROBOT_FAILED, str(error)), None
        if self._plan is None or outcome.status is PickStatus.LIFTED:
            return outcome
        return self._withdraw(outcome, self._plan, why)

    def _drive(self, plan: GraspPlan) -> PickOutcome:
        robot, settings = self._robot, self._settings
        x, y, z = plan.grasp.position
        self._say(Stage.APPROACH, f'going to x {x:.3f}, y {y:.3f}, z {z:.3f} m in the base, '
                  f'fingers {plan.opening_m * 1000:.0f} mm apart'
                  f'{", at its edge" if plan.edge else ""}')
        robot.grip(plan.opening_m)
        travel(robot, plan.before, plan.clear_z_m)
        robot.move(plan.grasp)
        self._say(Stage.GRASP, 'closing the fingers')
        self._closed = True
        held = self._width_m = robot.grip(0.0)
        if held < settings.min_opening_m:
            return self._outcome(PickStatus.MISSED, 'the fingers closed on nothing')
        self._say(Stage.LIFT, f'{held * 1000:.0f} mm between the fingers, going up')
        robot.move(plan.lifted)
        self._say(Stage.VERIFY, f'holding it for {settings.hold_s:g} s')
        opening = robot.wait(settings.hold_s)
        if opening < settings.min_opening_m:
            return self._outcome(
                PickStatus.DROPPED, f'{held * 1000:.0f} mm were between the fingers, and nothing '
                'is after lifting')
        return self._outcome(
            PickStatus.LIFTED, f'{opening * 1000:.0f} mm are between the fingers, '
            f'{settings.reach.lift_m * 100:.0f} cm above the place')

    def _withdraw(self, outcome: PickOutcome, plan: GraspPlan,
                  why: Interrupt | None) -> PickOutcome:
        """Bring the object back and the hand home; the outcome keeps what came first."""
        if why is Interrupt.STOPPED:
            return self._ended(outcome, 'the hand stays where it is')
        if why is not None and self._settings.on_cancel is OnCancel.HOLD:
            return self._ended(outcome, 'the hand stays where it is, as on_cancel says')
        robot, held = self._robot, self._held(plan)
        self._say(Stage.RETREAT, f'{outcome.reason}: '
                  f'{"putting it back, " if held is not None else ""}going home')
        robot.let_finish()
        try:
            if held is not None:
                # It was lifted straight up, so that to lower it is to put it back.
                put_back(robot, held)
            elif self._closed:
                robot.move(over(plan.grasp, plan.clear_z_m))
            self._closed = False
            go_home(robot, plan.clear_z_m)
        except (RobotError, StoppedError) as error:
            robot.halt()
            return self._ended(outcome, f'the way back failed too: {error}')
        return self._ended(outcome, '')

    def _held(self, plan: GraspPlan | None) -> Held | None:
        """What may be between the fingers now."""
        if plan is None or not self._closed:
            return None
        held = held_by(plan, self._width_m)
        least = self._settings.min_opening_m
        return held if held.still_there(self._robot.opening(), least) else None

    def _ended(self, outcome: PickOutcome, remark: str) -> PickOutcome:
        held = self._held(self._plan)
        if remark and held is not None:
            remark += ', the fingers keep what they hold'
        return replace(outcome, reason='; '.join(filter(None, (outcome.reason, remark))),
                       held=held, opening_m=self._robot.opening())

    def _outcome(self, status: PickStatus, reason: str) -> PickOutcome:
        plan, grounding = self._plan, self._grounding
        lifted = status is PickStatus.LIFTED
        return PickOutcome(
            status, reason, grounding.status if grounding else None,
            plan.grasp if plan else None, self._robot.opening() if plan else math.nan,
            self._held(plan) if lifted else None)

    def _say(self, stage: Stage, note: str) -> None:
        self._tell(stage, note, self._grounding)


def held_by(plan: GraspPlan, width_m: float = math.nan) -> Held:
    """What a plan's fingers hold, with that opening between them."""
    return Held(plan.grasp, plan.opening_m, width_m, plan.rise_m, plan.radius_m, plan.off_m,
                plan.top_m, plan.clear_z_m)


def _refusal(grounding: Grounding, settings: PickSettings) -> str:
    """Why nothing will be touched, '' to go on."""
    if grounding.status is Status.AMBIGUOUS and not settings.accept_ambiguous:
        return f'AMBIGUOUS: {grounding.reason}; say more exactly which one is meant'
    if not grounding.status.has_mask:
        return f'{grounding.status.name}: {grounding.reason}'
    if grounding.refusal:
        return grounding.refusal
    return '' if grounding.region is not None else 'the answer carries no grasp region'
