"""What the parts of a follower share while an order is followed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import math

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.follow.conversation import Conversation
from refdiff_ros.follow.grounded import Grounded, middle_of, World
from refdiff_ros.follow.results import (
    Ask,
    Candidate,
    Entity,
    FollowStatus,
    Progress,
    State,
    StepResult,
    StepStatus,
)
from refdiff_ros.follow.tasks import Task, Where
from refdiff_ros.pick.place import Anchor, directions, find_spot, free_spot, Spot
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.robot import Held, OnCancel, Robot
from refdiff_ros.pick.space import View

# A thing is the one of before if it is seen this near to where it was.
_SAME_M = 0.06
# Round a thing that is known by its place alone, and over what it stands on.
_ROUND_M = 0.008
# How far 'to the left' is where no distance is said.
_WAY_M = 0.1


@dataclass(frozen=True)
class FollowSettings:
    """What an order is followed by.

    Attributes:
        reach: of the gripper.
        min_opening_m: fingers nearer than this hold nothing.
        hold_s: how long an object is held up before it counts as held.
        on_cancel: what becomes of it after a cancel or a timeout.
        ask: when a person is asked.
        tries: how many answers that fit nothing are taken.
        offer_xyz: where something is offered to a person, in the base.
    """

    reach: Reach = field(default_factory=Reach)
    min_opening_m: float = 0.0025
    hold_s: float = 0.3
    on_cancel: OnCancel = OnCancel.PUT_BACK
    ask: Ask = Ask.IF_OPEN
    tries: int = 3
    offer_xyz: tuple[float, float, float] = (0.0, 0.55, 0.35)


class EndError(RefDiffError):
    """The order ends here.

    Args:
        status: of the order.
        reason: a sentence.
        fault: whose it is.
    """

    def __init__(self, status: FollowStatus, reason: str, fault: str = ''):
        super().__init__(reason)
        self.status, self.fault = status, fault


class Situation:
    """What is seen, what moves, what was said, and how far the order has come.

    Attributes:
        world, robot, settings: as given.
        talk: what the conversation remembers.
        progress: where the order stands.
        touched: whether the hand has gone to a thing since the order began.
        view: the picture in which something was grounded last, None before.

    Args:
        world, robot: what is seen and what moves.
        settings: what an order goes by.
        tell: hears of each change.
    """

    def __init__(self, world: World, robot: Robot, settings: FollowSettings,
                 tell: Callable[[Progress], None]):
        self.world, self.robot, self.settings, self._tell = world, robot, settings, tell
        self.talk = Conversation()
        self.progress = Progress()
        self.touched = False
        self.view: View | None = None

    def begin(self) -> None:
        """Another order; the hand holds what it held."""
        self.progress, self.touched = Progress(held=self.progress.held), False

    # How far it has come

    def say(self, state: State, note: str) -> None:
        """What is done now."""
        self.progress = replace(self.progress, state=state, note=note)
        self._tell(self.progress)

    def at(self, row: int, status: StepStatus, reason: str = '') -> None:
        """What becomes of a step."""
        steps = list(self.progress.steps)
        steps[row] = StepResult(status, reason)
        self.progress = replace(self.progress, step=row, steps=tuple(steps))

    @property
    def lost(self) -> FollowStatus:
        """How an order ends that cannot go on: FAILED once something was touched, else REFUSED."""
        return FollowStatus.FAILED if self.touched else FollowStatus.REFUSED

    # What is in the hand

    def take(self, entity: Entity, held: Held) -> None:
        """Something is in the hand now."""
        self.talk.take(entity, replace(held, name=entity.name))
        self.progress = replace(self.progress, held=entity.name)

    def let_go(self, entity: Entity, middle_m: np.ndarray, support_z: float = math.nan) -> None:
        """It stands somewhere now; `middle_m`: (2,) in the base, NaN where nobody knows."""
        self.talk.put(entity, middle_m, support_z)
        self.progress = replace(self.progress, held='')

    # What is seen

    def ground(self, text: str) -> Grounded:
        """What a text means in the newest picture."""
        grounded = self.world.ground(text)
        self.view = grounded.view or self.view
        return grounded

    def spoken_of(self, said: str) -> Entity:
        """What a pronoun stands for: what is in the hand, else what was spoken of last.

        Raises:
            EndError: REFUSED, nothing was spoken of.
        """
        if self.talk.held_entity is not None:
            return self.talk.held_entity
        if self.talk.last is None:
            raise EndError(FollowStatus.REFUSED, f'what {said!r} stands for is not known: name it',
                           'ground')
        return self.talk.last

    def theme(self, task: Task, entities: Mapping[int, Entity]) -> Entity:
        """What a task is about."""
        return self.spoken_of('it') if task.theme < 0 else entities[task.theme]

    def find_again(self, entity: Entity) -> tuple[Candidate, View]:
        """The thing in the newest picture: the candidate that is nearest to where it was.

        Raises:
            EndError: it is no longer there.
        """
        grounded = self.ground(entity.name)
        view = grounded.view or self.world.look()
        near = [(float(np.hypot(*(middle[:2] - entity.middle_m))), row)
                for row, candidate in enumerate(grounded.candidates)
                if (middle := middle_of(candidate, view)) is not None]
        if near and min(near)[0] < _SAME_M:
            return grounded.candidates[min(near)[1]], view
        # The words may mean another thing now; what was seen in its place still counts.
        if entity.mask is not None:
            middle = middle_of(Candidate(entity.mask), view)
            if middle is not None and np.hypot(*(middle[:2] - entity.middle_m)) < _SAME_M / 2:
                return Candidate(entity.mask), view
        # What this robot has put there is known by where it stands, whatever it looks like now.
        if math.isfinite(entity.support_z):
            mask = view.standing(entity.middle_m, entity.radius_m + _ROUND_M,
                                 entity.support_z + _ROUND_M)
            if middle_of(Candidate(mask), view) is not None:
                return Candidate(mask), view
        raise EndError(self.lost, f'{entity.name} is no longer where it was', 'ground')

    def spot(self, task: Task, anchors: Sequence[Entity], entity: Entity, held: Held,
             view: View, without: np.ndarray | None = None) -> Spot:
        """Where a task puts what is held.

        Args:
            task: that places.
            anchors: what the place is told by.
            entity, held: what is put there.
            view: the picture in which free space is looked for.
            without: (H, W) bool, pixels that will be empty then.

        Raises:
            NoPlaceError: there is none.
        """
        reach = self.settings.reach
        if task.where is Where.ANCHOR:
            known = [Anchor(anchor.name, view.space(anchor.mask, without)) for anchor in anchors]
            return find_spot(task.relation, known, held, view.pose, reach, task.distance_m)
        space = view.space(without=without)
        near = entity.middle_m
        if task.where is Where.WAY:
            right, away = directions(view.pose)
            far = _WAY_M if math.isnan(task.distance_m) else task.distance_m
            near = near + far * (task.way[0] * right + task.way[1] * away)
        return free_spot(space, near, held, reach)
