"""What following an order gives: statuses, states, questions. The numbers are the messages'."""

from dataclasses import dataclass, field
import enum
import math

import numpy as np

from refdiff_ros.masks import box_xyxy
from refdiff_ros.pick.robot import Held


class FollowStatus(enum.IntEnum):
    """How an order ended.

    NOT_READ has no step that can be followed; REFUSED touched nothing; FAILED did.
    """

    DONE = 1
    NOT_READ = 2
    REFUSED = 3
    FAILED = 4
    CANCELLED = 5
    STOPPED = 6
    TIMEOUT = 7


class State(enum.IntEnum):
    """What the follower does."""

    IDLE = 0
    READING = 1
    GROUNDING = 2
    ASKING = 3
    CONFIRMING = 4
    APPROACHING = 5
    GRASPING = 6
    LIFTING = 7
    CARRYING = 8
    PLACING = 9
    OFFERING = 10
    POINTING = 11
    VERIFYING = 12
    RETREATING = 13
    STOPPED = 14


class StepStatus(enum.IntEnum):
    """What became of one step."""

    OPEN = 0
    RUNNING = 1
    DONE = 2
    REFUSED = 3
    FAILED = 4
    LEFT_OUT = 5


class Ask(enum.IntEnum):
    """When a person is asked."""

    IF_OPEN = 0
    NEVER = 1
    BEFORE_MOVING = 2


class QuestionKind(enum.IntEnum):
    """What a question is about."""

    WHICH_ONE = 1
    YES_NO = 2


@dataclass(frozen=True)
class Option:
    """One answer that a question offers.

    Attributes:
        number: 1, 2, ...; in the order in which the question names them.
        label: for a button ('the left red mug').
        words: all words and phrases that answer it, in lower case.
        box_xyxy: in the picture, pixels; None without one.
        middle_m: (3,) in the base; None where nobody knows.
        probability: 0..1, that the words fit it; NaN where nobody knows.
    """

    number: int
    label: str
    words: tuple[str, ...]
    box_xyxy: tuple[int, int, int, int] | None = None
    middle_m: tuple[float, float, float] | None = None
    probability: float = math.nan


@dataclass(frozen=True)
class FollowQuestion:
    """A question to a person.

    Attributes:
        number: counts the questions of this process.
        step: row of the step that it is about.
        kind: what it is about.
        text: as it is put.
        options: that it offers; none of a question that is answered in free words.
        tries_left: how many answers that fit none are still taken.
    """

    number: int
    step: int
    kind: QuestionKind
    text: str
    options: tuple[Option, ...] = ()
    tries_left: int = 3


@dataclass(frozen=True)
class StepResult:
    """What became of a step, with a sentence."""

    status: StepStatus = StepStatus.OPEN
    reason: str = ''


@dataclass(frozen=True)
class Progress:
    """Where an order stands; what `~/state` carries.

    Attributes:
        state: what is done now.
        step: row of the step, -1 before the first.
        plan: one sentence a step.
        steps: what became of each.
        note: one sentence for a person.
        question: the open one.
        held: name of what is in the hand, ''.
    """

    state: State = State.IDLE
    step: int = -1
    plan: tuple[str, ...] = ()
    steps: tuple[StepResult, ...] = ()
    note: str = ''
    question: FollowQuestion | None = None
    held: str = ''


@dataclass(frozen=True)
class FollowOutcome:
    """How an order ended.

    Attributes:
        status, reason: of the whole.
        steps: one a step, also for those that were not begun.
        held: what the hand holds at the end.
        touched: whether anything was touched.
        fault: whose it is, '' for nobody: parse, ground, ask, grasp, place.
    """

    status: FollowStatus
    reason: str
    steps: tuple[StepResult, ...] = ()
    held: Held | None = None
    touched: bool = False
    fault: str = ''


@dataclass(frozen=True)
class Candidate:
    """One region that may be meant.

    Attributes:
        mask: (H, W) bool.
        description: words that tell it from the others, '' where it is the only one.
        number: what the question calls it, 1, 2, ...; 0 without a question.
        probability: 0..1, that the words fit it; NaN where nobody knows.
    """

    mask: np.ndarray
    description: str = ''
    number: int = 0
    probability: float = math.nan

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """The smallest upright box, pixels, the last ones left out."""
        box = box_xyxy(self.mask)
        if box is None:
            return 0, 0, 0, 0
        left, top, right, bottom = box
        return left, top, right + 1, bottom + 1


@dataclass
class Entity:
    """A thing that the conversation knows.

    Attributes:
        name: as it is spoken of ('the red mug').
        middle_m: (2,) where it was seen last, in the base.
        radius_m: of its footprint.
        mask: (H, W) bool, where it was seen last in a picture.
        held: whether it is in the hand.
        support_z: height of what it was put on by this robot; NaN where it was not.
    """

    name: str
    middle_m: np.ndarray = field(default_factory=lambda: np.full(2, math.nan))
    radius_m: float = 0.05
    mask: np.ndarray | None = None
    held: bool = False
    support_z: float = math.nan
