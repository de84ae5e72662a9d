"""One step of an order, with the robot moving: pick, place, hand over, point."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
import math

import numpy as np

from refdiff_ros.follow.answers import Meaning
from refdiff_ros.follow.dialogue import Dialogue
from refdiff_ros.follow.results import (
    Ask,
    Entity,
    FollowQuestion,
    FollowStatus,
    QuestionKind,
    State,
)
from refdiff_ros.follow.situation import EndError, Situation
from refdiff_ros.follow.tasks import Kind, Task, Where
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.place import NoPlaceError, Spot
from refdiff_ros.pick.robot import go_home, Held, Interrupt, OnCancel, travel
from refdiff_ros.pick.skills import (
    bring_away,
    carry_home,
    middle_at,
    point_at,
    set_down,
    stands_there,
)
from refdiff_ros.pick.stages import (
    Grounding,
    pick,
    PickOutcome,
    PickSettings,
    PickStatus,
    Stage,
)
from refdiff_ros.results import Status

_STATES = {Stage.GROUNDING: State.GROUNDING, Stage.APPROACH: State.APPROACHING,
           Stage.GRASP: State.GRASPING, Stage.LIFT: State.LIFTING, Stage.VERIFY: State.VERIFYING,
           Stage.RETREAT: State.RETREATING}
# Ends of a pick after which another grip is tried once.
_AGAIN = (PickStatus.MISSED, PickStatus.DROPPED, PickStatus.ROBOT_FAILED)


class Steps:
    """Does what the tasks of an order say, each thing found anew just before.

    Args:
        situation: of the order.
        dialogue: asks a person.
    """

    def __init__(self, situation: Situation, dialogue: Dialogue):
        self._now, self._dialogue = situation, dialogue

    def do(self, task: Task, entities: Mapping[int, Entity]) -> str:
        """Do one task; a sentence about what was done.

        Raises:
            EndError: it came to nothing; what was taken is back, or in the hand still.
            RobotError, StoppedError: as the robot's.
            NewOrderError: an answer was an order of its own.
        """
        entity = self._now.theme(task, entities)
        if task.kind is Kind.POINT:
            return self._point(entity)
        if not entity.held:
            self._pick(entity)
        if task.kind is Kind.HAND:
            return self._hand_over(entity)
        if task.kind is Kind.PLACE:
            return self._place(task, entity, [entities[row] for row in task.anchors])
        return f'{entity.name} is in the hand'

    def go_home(self) -> None:
        """Bring the hand home if it was moved."""
        robot = self._now.robot
        home, here = robot.home, robot.pose()
        if self._now.touched and math.dist(home.position, here.position) > 0.01:
            go_home(robot, home.position[2])

    def _pick(self, entity: Entity) -> None:
        outcome = self._pick_once(entity)
        if outcome.status in _AGAIN and outcome.held is None and outcome.pose is not None:
            first = outcome
            outcome = self._pick_once(entity, (outcome.pose,))
            if outcome.status is PickStatus.REFUSED:
                outcome = first
        if outcome.held is not None:
            self._now.take(entity, outcome.held)
            if outcome.status is PickStatus.LIFTED:
                return
        if outcome.status.name in Interrupt.__members__:
            raise EndError(FollowStatus[outcome.status.name],
                           f'{entity.name}: {outcome.reason}')
        raise EndError(self._now.lost, f'{entity.name}: {outcome.reason}', 'grasp')

    def _pick_once(self, entity: Entity, tried: tuple[Pose, ...] = ()) -> PickOutcome:
        candidate, view = self._now.find_again(entity)
        entity.mask = candidate.mask
        settings = self._now.settings

        def ground() -> Grounding:
            region = grasp_region(candidate.mask, view.depth_m.astype(np.float64), view.camera)
            return Grounding(Status.FOUND, '', region, camera=view.pose,
                             space=view.space(candidate.mask))

        def tell(stage: Stage, note: str, _grounding: Grounding | None) -> None:
            if stage is not Stage.GROUNDING:
                self._now.touched = True
                self._now.say(_STATES[stage], note)
        return pick(ground, self._now.robot, PickSettings(
            settings.reach, settings.min_opening_m, settings.hold_s,
            on_cancel=settings.on_cancel, tried=tried), tell)

    def _place(self, task: Task, entity: Entity, anchors: Sequence[Entity]) -> str:
        now = self._now
        held = now.talk.origin(entity)
        if task.where is Where.BACK:
            self._give_back(entity, held, State.PLACING)
            return f'{entity.name} is back where it was'
        now.say(State.CARRYING, f'carrying {entity.name}')
        carry_home(now.robot, held)
        try:
            spot = self._spot(task, entity, anchors, held)
        except (EndError, NoPlaceError) as error:
            self._give_back(entity, held)
            raise EndError(FollowStatus.FAILED, f'{error}; {entity.name} is back where it was',
                           'place') from error
        now.say(State.PLACING, task.sentence)
        set_down(now.robot, held, spot)
        now.let_go(entity, middle_at(spot, held), spot.support_z)
        entity.radius_m = held.radius_m
        go_home(now.robot, spot.clear_z_m)
        now.say(State.VERIFYING, f'looking whether {entity.name} is there')
        if not stands_there(now.world.look(), spot, held):
            raise EndError(FollowStatus.FAILED,
                           f'{entity.name} does not stand where it was put', 'place')
        return task.sentence

    def _spot(self, task: Task, entity: Entity, anchors: Sequence[Entity], held: Held) -> Spot:
        view = None
        for anchor in anchors:
            candidate, view = self._now.find_again(anchor)
            anchor.mask = candidate.mask
        return self._now.spot(task, anchors, entity, held, view or self._now.world.look())

    def _hand_over(self, entity: Entity) -> str:
        now = self._now
        held = now.talk.origin(entity)
        now.say(State.OFFERING, f'offering {entity.name}')
        travel(now.robot, replace(now.robot.home, position=now.settings.offer_xyz),
               held.clear_z_m + held.rise_m)
        if now.settings.ask is Ask.NEVER:
            return f'{entity.name} is held out'
        try:
            answer = self._dialogue.ask(FollowQuestion(
                0, now.progress.step, QuestionKind.YES_NO, f'Do you have {entity.name}?'),
                State.OFFERING)
        except EndError as error:  # the hand must not stay out
            self._give_back(entity, held)
            raise EndError(error.status,
                           f'{error}; {entity.name} is back where it was') from error
        if answer.meaning is not Meaning.YES:
            self._give_back(entity, held)
            raise EndError(FollowStatus.FAILED, f'{entity.name} was not taken, it is back')
        now.robot.grip(held.opening_m)
        now.let_go(entity, np.full(2, math.nan))
        go_home(now.robot, held.clear_z_m)
        return f'{entity.name} was handed over'

    def _point(self, entity: Entity) -> str:
        now = self._now
        if now.talk.held is not None:
            raise EndError(FollowStatus.FAILED, 'a hand that holds something does not point')
        candidate, view = now.find_again(entity)
        space = view.space(candidate.mask)
        now.say(State.POINTING, f'pointing at {entity.name}')
        now.touched = True
        point_at(now.robot, space, space.highest_m + 0.05)
        return f'that is {entity.name}'

    def _give_back(self, entity: Entity, held: Held, state: State = State.RETREATING) -> None:
        self._now.say(state, f'putting {entity.name} back')
        bring_away(self._now.robot, held, OnCancel.PUT_BACK, None, self._now.settings.reach,
                   held.clear_z_m)
        self._now.let_go(entity, np.array(held.grasp.position[:2]))
