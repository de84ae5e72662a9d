"""Following one order: read, ground every step, ask, move, verify.

It knows neither ROS nor a simulator: a `World` grounds and looks, a `Robot` moves, a person is
asked by a function. Every step is grounded before the first motion, and again just before its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
import math
from typing import Protocol

import numpy as np

from refdiff_ros.errors import RefDiffError, require
from refdiff_ros.follow.answers import Answer, match, Meaning, options_of, Seen
from refdiff_ros.follow.conversation import Conversation
from refdiff_ros.follow.results import (
    Ask,
    Candidate,
    Entity,
    FollowOutcome,
    FollowQuestion,
    FollowStatus,
    Progress,
    QuestionKind,
    State,
    StepResult,
    StepStatus,
)
from refdiff_ros.follow.tasks import CannotError, Kind, NotReadError, Task, tasks_of, Where
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import Pose
from refdiff_ros.language.instruction.results import DialogueAct, Instruction
from refdiff_ros.pick.place import (
    Anchor,
    directions,
    find_spot,
    free_spot,
    NoPlaceError,
    Spot,
)
from refdiff_ros.pick.plan import NoGraspError, plan_grasp
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.robot import (
    go_home,
    Held,
    Interrupt,
    OnCancel,
    Robot,
    RobotError,
    StoppedError,
    travel,
)
from refdiff_ros.pick.skills import (
    bring_away,
    carry_home,
    middle_at,
    point_at,
    set_down,
    stands_there,
)
from refdiff_ros.pick.space import Space, View
from refdiff_ros.pick.stages import (
    Grounding,
    held_by,
    pick,
    PickOutcome,
    PickSettings,
    PickStatus,
    Stage,
)
from refdiff_ros.results import Status

# A thing is the one of before if it is seen this near to where it was.
_SAME_M = 0.06
# Round a thing that is known by its place alone, and over what it stands on.
_ROUND_M = 0.008
# Masks that overlap by more are of one thing.
_SAME_IOU = 0.5
# Nothing is smaller.
_LEAST_M = 1e-3
# How far 'to the left' is where no distance is said.
_WAY_M = 0.1
_STATES = {Stage.GROUNDING: State.GROUNDING, Stage.APPROACH: State.APPROACHING,
           Stage.GRASP: State.GRASPING, Stage.LIFT: State.LIFTING, Stage.VERIFY: State.VERIFYING,
           Stage.RETREAT: State.RETREATING}
# Ends of a pick after which another grip is tried once.
_AGAIN = (PickStatus.MISSED, PickStatus.DROPPED, PickStatus.ROBOT_FAILED)


@dataclass(frozen=True)
class Grounded:
    """What a text means in a picture.

    Attributes:
        status, reason: of the answer.
        candidates: the regions that fit, best first.
        view: the picture's depth and where it was taken from.
        question: that separates the candidates, ''.
    """

    status: Status
    reason: str
    candidates: tuple[Candidate, ...] = ()
    view: View | None = None
    question: str = ''


class World(Protocol):
    """What can be seen."""

    def ground(self, text: str) -> Grounded:
        """What a referring expression means in the newest picture."""

    def look(self) -> View:
        """The newest depth picture."""


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


Asker = Callable[[FollowQuestion], str | int | None]
"""Puts a question; gives a text, the number of an option, or None when nobody answered."""


class Follower:
    """Follows orders in one conversation.

    Args:
        world, robot: what is seen and what moves.
        settings: what an order goes by.
        read: an instruction from a text.
        ask: puts a question.
        tell: hears of each change.
    """

    def __init__(self, world: World, robot: Robot, settings: FollowSettings,
                 read: Callable[[str], Instruction], ask: Asker,
                 tell: Callable[[Progress], None] = lambda _progress: None):
        self._world, self._robot, self._settings = world, robot, settings
        self._read, self._put, self._tell = read, ask, tell
        self._progress = Progress()
        self._asked = 0
        self._touched = False
        self._view: View | None = None
        self.talk = Conversation()

    def follow(self, order: str | Instruction, dry_run: bool = False) -> FollowOutcome:
        """Follow one order to its end; never raises for what a person or a robot does."""
        self._asked, self._touched = 0, False
        self._progress = Progress(held=self._progress.held)
        try:
            reason = self._follow(order, dry_run)
            outcome = self._end(FollowStatus.DONE, reason)
        except EndError as error:
            outcome = self._end(error.status, str(error), error.fault)
        except StoppedError as error:
            outcome = self._interrupted(error)
        except RobotError as error:
            outcome = self._failed(str(error))
        except NewOrderError as error:
            return self.follow(error.order, dry_run)
        self._say(State.STOPPED if outcome.status is FollowStatus.STOPPED else State.IDLE,
                  outcome.reason)
        return outcome

    # Reading

    def _follow(self, order: str | Instruction, dry_run: bool) -> str:
        self._say(State.READING, 'reading the order')
        instruction = self._read(order) if isinstance(order, str) else order
        try:
            tasks = tasks_of(instruction)
        except NotReadError as error:
            raise EndError(FollowStatus.NOT_READ, str(error), 'parse') from error
        except CannotError as error:
            raise EndError(FollowStatus.REFUSED, str(error)) from error
        self._progress = replace(
            self._progress, plan=tuple(task.sentence for task in tasks),
            steps=(StepResult(),) * len(tasks))
        entities = self._ground_all(instruction, tasks)
        plan = ', then '.join(task.sentence for task in tasks)
        if dry_run:
            return f'it can be done: {plan}; nothing was moved'
        if self._settings.ask is Ask.BEFORE_MOVING:
            self._confirm(plan)
        for row, task in enumerate(tasks):
            self._run(row, task, entities)
        if self.talk.held is None:
            self._home()
        return f'done: {plan}'

    def _confirm(self, plan: str) -> None:
        answer = self._ask(FollowQuestion(
            0, 0, QuestionKind.YES_NO, f'I am going to {plan}. Shall I?'), State.CONFIRMING)
        if answer.meaning is not Meaning.YES:
            raise EndError(FollowStatus.CANCELLED, 'the plan was not agreed to')

    # Grounding

    def _ground_all(self, instruction: Instruction, tasks: Sequence[Task]) -> dict[int, Entity]:
        """Every object that a task needs, by row; and what can be checked before any motion."""
        entities: dict[int, Entity] = {}
        forbidden = self._forbidden(instruction)
        held = self.talk.held
        for row, task in enumerate(tasks):
            self._at(row, StepStatus.RUNNING)
            self._say(State.GROUNDING, f'looking for what it takes to {task.sentence}')
            rows = (*(() if task.theme < 0 else (task.theme,)), *task.anchors)
            try:
                for reference in rows:
                    entities[reference] = self._entity(
                        instruction, reference, entities, forbidden, row)
                held = self._rehearse(task, entities, held)
            except EndError as error:
                self._at(row, StepStatus.REFUSED, str(error))
                raise
            self._at(row, StepStatus.OPEN)
        return entities

    def _forbidden(self, instruction: Instruction) -> list[Candidate]:
        """Regions that must be left alone: what 'not the red one' and 'don't touch' name."""
        found: list[Candidate] = []
        for reference in instruction.forbidden:
            text = reference.expression
            if not text:
                continue
            grounded = self._ground(text)
            found += grounded.candidates
        return found

    def _entity(self, instruction: Instruction, row: int, known: dict[int, Entity],
                forbidden: Sequence[Candidate], step: int) -> Entity:
        reference = instruction.references[row]
        if row in known:
            return known[row]
        if reference.antecedent is not None and reference.antecedent in known:
            return known[reference.antecedent]
        if reference.pronoun and not reference.expression:
            return self._pronoun(reference.said)
        text = reference.expression
        same = next((row for row in known if _same_thing(
            text, instruction.references[row].expression)), None)
        if same is not None:
            return known[same]
        grounded = self._ground(text)
        candidates = [candidate for candidate in grounded.candidates
                      if not any(_iou(candidate.mask, other.mask) > _SAME_IOU
                                 for other in forbidden)]
        if grounded.candidates and not candidates:
            raise EndError(FollowStatus.REFUSED, f'{text} is what must be left alone', 'ground')
        if not grounded.status.has_mask:
            raise EndError(FollowStatus.REFUSED,
                           f'{grounded.status.name}: {grounded.reason}', 'ground')
        chosen = candidates[0]
        if grounded.status is Status.AMBIGUOUS and len(candidates) > 1:
            chosen = self._which(text, grounded, candidates, step)
        return self._met(text, chosen, require(grounded.view, 'the view of a grounded picture'))

    def _pronoun(self, said: str) -> Entity:
        if self.talk.held_entity is not None:
            return self.talk.held_entity
        if self.talk.last is None:
            raise EndError(FollowStatus.REFUSED, f'what {said!r} stands for is not known: name it',
                           'ground')
        return self.talk.last

    def _ground(self, text: str) -> Grounded:
        grounded = self._world.ground(text)
        self._view = grounded.view or self._view
        return grounded

    def _met(self, text: str, chosen: Candidate, view: View) -> Entity:
        points = view.space(chosen.mask).object
        if len(points) < 3:
            raise EndError(FollowStatus.REFUSED,
                           f'{text} is seen, but too little depth comes from it', 'ground')
        middle = np.median(points[:, :2], axis=0)
        radius = float(np.percentile(np.hypot(*(points[:, :2] - middle).T), 95))
        entity = Entity(text, middle, radius, chosen.mask)
        self.talk.meet(entity)
        return entity

    # Asking

    def _which(self, text: str, grounded: Grounded, candidates: Sequence[Candidate],
               step: int) -> Candidate:
        if self._settings.ask is Ask.NEVER:
            raise EndError(FollowStatus.REFUSED, f'AMBIGUOUS: {grounded.reason}', 'ask')
        options = options_of(candidates, [_seen(each, grounded.view) for each in candidates])
        question = FollowQuestion(0, step, QuestionKind.WHICH_ONE,
                                  grounded.question or f'Which {text} do you mean?', options)
        answer = self._ask(question, State.ASKING, candidates)
        if answer.meaning in (Meaning.CANCEL, Meaning.NO) or answer.option is None:
            raise EndError(FollowStatus.CANCELLED, 'none of the things that fit was meant')
        box = answer.option.box_xyxy
        return next(c for c in candidates if c.box_xyxy == box)

    def _ask(self, question: FollowQuestion, state: State,
             candidates: Sequence[Candidate] = ()) -> Answer:
        """Put a question until an answer fits, or the tries are over."""
        tries = self._settings.tries
        note = question.text
        while tries > 0:
            self._asked += 1
            question = replace(question, number=self._asked, tries_left=tries)
            self._progress = replace(self._progress, question=question)
            self._say(state, note)
            said = self._put(question)
            self._progress = replace(self._progress, question=None)
            answer = self._meant(said, question, candidates)
            if answer.meaning is Meaning.STOP:
                raise StoppedError(Interrupt.STOPPED, 'a person said stop')
            if answer.meaning is not Meaning.NOTHING:
                return answer
            tries -= 1
            note = f'{answer.reason}. {question.text}'
        raise EndError(FollowStatus.REFUSED, f'no answer fitted: {answer.reason}', 'ask')

    def _meant(self, said: str | int | None, question: FollowQuestion,
               candidates: Sequence[Candidate]) -> Answer:
        if said is None:
            raise EndError(FollowStatus.TIMEOUT, f'nobody answered {question.text!r}')
        if isinstance(said, int):
            chosen = [option for option in question.options if option.number == said]
            return Answer(Meaning.OPTION, chosen[0]) if chosen else Answer(
                Meaning.NOTHING, reason=f'there is no choice {said}')
        answer = match(said, question)
        if answer.meaning is not Meaning.NOTHING or not said.strip():
            return answer
        self._new_order(said)
        if not candidates:
            return answer
        option = self._among(said, question, candidates)
        return answer if option is None else Answer(Meaning.OPTION, option)

    def _new_order(self, said: str) -> None:
        """An answer that is an order of its own takes the place of this one."""
        try:
            instruction = self._read(said)
        except RefDiffError:
            return
        if instruction.act is DialogueAct.STOP:
            raise StoppedError(Interrupt.STOPPED, 'a person said stop')
        if instruction.act is not DialogueAct.ORDER:
            return
        try:
            tasks = tasks_of(instruction)
        except RefDiffError:
            return
        if any(task.kind is not Kind.POINT for task in tasks):
            raise NewOrderError(said)

    def _among(self, said: str, question: FollowQuestion, candidates: Sequence[Candidate]):
        """The candidate that a text grounds on, None where it is none of them."""
        try:
            grounded = self._world.ground(said)
        except RefDiffError:
            return None
        if grounded.status is not Status.FOUND:
            return None
        for candidate in candidates:
            if _iou(candidate.mask, grounded.candidates[0].mask) > _SAME_IOU:
                return next(option for option in question.options
                            if option.box_xyxy == candidate.box_xyxy)
        return None

    # Checking before any motion

    def _rehearse(self, task: Task, entities: dict[int, Entity], held: Held | None,
                  ) -> Held | None:
        """Refuse what cannot be gripped or has no place; what the hand would hold then.

        Raises:
            EndError: REFUSED.
        """
        entity = self._theme(task, entities)
        if task.kind is Kind.POINT:
            return held
        in_hand = held is not None and (entity.held or held.name == entity.name)
        if held is not None and not in_hand:
            raise EndError(FollowStatus.REFUSED, f'the hand holds {held.name}: say where it goes '
                           f'before {entity.name} is taken', 'parse')
        if not in_hand and task.where is Where.BACK:
            raise EndError(FollowStatus.REFUSED,
                           f'{entity.name} is not in the hand, so it cannot be put back', 'parse')
        if held is None:
            held = self._would_hold(entity)
        if task.kind is Kind.PICK:
            return held
        if task.kind is Kind.PLACE:
            self._would_fit(task, entities, entity, held)
        return None

    def _would_hold(self, entity: Entity) -> Held:
        mask, view = entity.mask, self._view
        if mask is None or view is None:  # it was put down in an order before this one
            candidate, view = self._again(entity)
            mask = candidate.mask
        region = grasp_region(mask, view.depth_m.astype(np.float64), view.camera)
        try:
            plan = plan_grasp(region, view.pose, self._settings.reach, view.space(mask))
        except NoGraspError as error:
            raise EndError(FollowStatus.REFUSED, f'{entity.name}: {error}', 'grasp') from error
        return replace(held_by(plan), name=entity.name)

    def _would_fit(self, task: Task, entities: dict[int, Entity], entity: Entity,
                   held: Held) -> None:
        if task.where is Where.BACK:
            return
        try:
            self._spot(task, [entities[row] for row in task.anchors], entity, held,
                       self._view or self._world.look(),
                       entity.mask if not entity.held else None)
        except NoPlaceError as error:
            raise EndError(FollowStatus.REFUSED, str(error), 'place') from error

    def _spot(self, task: Task, anchors: Sequence[Entity], entity: Entity, held: Held,
              view: View, without: np.ndarray | None) -> Spot:
        reach = self._settings.reach
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

    # Moving

    def _run(self, row: int, task: Task, entities: dict[int, Entity]) -> None:
        self._at(row, StepStatus.RUNNING)
        try:
            reason = self._do(task, entities)
        except EndError as error:
            self._at(row, StepStatus.FAILED, str(error))
            raise
        except (RobotError, StoppedError) as error:
            self._at(row, StepStatus.FAILED, str(error))
            raise
        self._at(row, StepStatus.DONE, reason)

    def _do(self, task: Task, entities: dict[int, Entity]) -> str:
        entity = self._theme(task, entities)
        if task.kind is Kind.POINT:
            return self._point(entity)
        if not entity.held:
            self._pick(entity)
        if task.kind is Kind.HAND:
            return self._hand_over(entity)
        if task.kind is Kind.PLACE:
            return self._place(task, entity, [entities[row] for row in task.anchors])
        return f'{entity.name} is in the hand'

    def _theme(self, task: Task, entities: dict[int, Entity]) -> Entity:
        return self._pronoun('it') if task.theme < 0 else entities[task.theme]

    def _again(self, entity: Entity) -> tuple[Candidate, View]:
        """The thing in the newest picture: the candidate that is nearest to where it was.

        Raises:
            EndError: it is no longer there.
        """
        grounded = self._ground(entity.name)
        view = grounded.view or self._world.look()
        near = [(float(np.hypot(*(middle[:2] - entity.middle_m))), row)
                for row, candidate in enumerate(grounded.candidates)
                if (middle := _middle(candidate, view)) is not None]
        if near and min(near)[0] < _SAME_M:
            return grounded.candidates[min(near)[1]], view
        # The words may mean another thing now; what was seen in its place still counts.
        if entity.mask is not None:
            middle = _middle(Candidate(entity.mask), view)
            if middle is not None and np.hypot(*(middle[:2] - entity.middle_m)) < _SAME_M / 2:
                return Candidate(entity.mask), view
        # What this robot has put there is known by where it stands, whatever it looks like now.
        if math.isfinite(entity.support_z):
            mask = view.standing(entity.middle_m, entity.radius_m + _ROUND_M,
                                 entity.support_z + _ROUND_M)
            if _middle(Candidate(mask), view) is not None:
                return Candidate(mask), view
        raise EndError(
            FollowStatus.FAILED if self._touched else FollowStatus.REFUSED,
            f'{entity.name} is no longer where it was', 'ground')

    def _pick(self, entity: Entity) -> None:
        outcome = self._pick_once(entity)
        if outcome.status in _AGAIN and outcome.held is None and outcome.pose is not None:
            first = outcome
            outcome = self._pick_once(entity, (outcome.pose,))
            if outcome.status is PickStatus.REFUSED:
                outcome = first
        if outcome.status is PickStatus.LIFTED and outcome.held is not None:
            self.talk.take(entity, replace(outcome.held, name=entity.name))
            self._progress = replace(self._progress, held=entity.name)
            return
        if outcome.held is not None:
            self.talk.take(entity, replace(outcome.held, name=entity.name))
            self._progress = replace(self._progress, held=entity.name)
        if outcome.status.name in Interrupt.__members__:
            raise EndError(FollowStatus[outcome.status.name],
                           f'{entity.name}: {outcome.reason}')
        raise EndError(FollowStatus.FAILED if self._touched else FollowStatus.REFUSED,
                       f'{entity.name}: {outcome.reason}', 'grasp')

    def _pick_once(self, entity: Entity, tried: tuple[Pose, ...] = ()) -> PickOutcome:
        candidate, view = self._again(entity)
        entity.mask = candidate.mask
        settings = self._settings

        def ground() -> Grounding:
            region = grasp_region(candidate.mask, view.depth_m.astype(np.float64), view.camera)
            return Grounding(Status.FOUND, '', region, camera=view.pose,
                             space=view.space(candidate.mask))

        def tell(stage: Stage, note: str, _grounding: Grounding | None) -> None:
            if stage is not Stage.GROUNDING:
                self._touched = True
                self._say(_STATES[stage], note)
        return pick(ground, self._robot, PickSettings(
            settings.reach, settings.min_opening_m, settings.hold_s,
            on_cancel=settings.on_cancel, tried=tried), tell)

    def _place(self, task: Task, entity: Entity, anchors: Sequence[Entity]) -> str:
        held = self.talk.origin(entity)
        if task.where is Where.BACK:
            self._say(State.PLACING, f'putting {entity.name} back')
            bring_away(self._robot, held, OnCancel.PUT_BACK, None, self._settings.reach,
                       held.clear_z_m)
            self._let_go(entity, np.array(held.grasp.position[:2]))
            return f'{entity.name} is back where it was'
        self._say(State.CARRYING, f'carrying {entity.name}')
        carry_home(self._robot, held)
        try:
            spot = self._spot_now(task, entity, anchors, held)
        except (EndError, NoPlaceError) as error:
            self._give_back(entity, held)
            raise EndError(FollowStatus.FAILED, f'{error}; {entity.name} is back where it was',
                           'place') from error
        self._say(State.PLACING, task.sentence)
        set_down(self._robot, held, spot)
        self._let_go(entity, middle_at(spot, held), spot.support_z)
        entity.radius_m = held.radius_m
        go_home(self._robot, spot.clear_z_m)
        self._say(State.VERIFYING, f'looking whether {entity.name} is there')
        if not stands_there(self._world.look(), spot, held):
            raise EndError(FollowStatus.FAILED,
                           f'{entity.name} does not stand where it was put', 'place')
        return task.sentence

    def _spot_now(self, task: Task, entity: Entity, anchors: Sequence[Entity], held: Held,
                  ) -> Spot:
        view = None
        for anchor in anchors:
            candidate, view = self._again(anchor)
            anchor.mask = candidate.mask
        view = view or self._world.look()
        return self._spot(task, anchors, entity, held, view, None)

    def _hand_over(self, entity: Entity) -> str:
        held = self.talk.origin(entity)
        x, y, z = self._settings.offer_xyz
        self._say(State.OFFERING, f'offering {entity.name}')
        travel(self._robot, replace(self._robot.home, position=(x, y, z)),
               held.clear_z_m + held.rise_m)
        if self._settings.ask is Ask.NEVER:
            return f'{entity.name} is held out'
        try:
            answer = self._ask(FollowQuestion(
                0, self._progress.step, QuestionKind.YES_NO, f'Do you have {entity.name}?'),
                State.OFFERING)
        except EndError as error:  # the hand must not stay out
            self._give_back(entity, held)
            raise EndError(error.status,
                           f'{error}; {entity.name} is back where it was') from error
        if answer.meaning is not Meaning.YES:
            self._give_back(entity, held)
            raise EndError(FollowStatus.FAILED, f'{entity.name} was not taken, it is back')
        self._robot.grip(held.opening_m)
        self._let_go(entity, np.full(2, math.nan))
        go_home(self._robot, held.clear_z_m)
        return f'{entity.name} was handed over'

    def _point(self, entity: Entity) -> str:
        if self.talk.held is not None:
            raise EndError(FollowStatus.FAILED, 'a hand that holds something does not point')
        candidate, view = self._again(entity)
        space = view.space(candidate.mask)
        self._say(State.POINTING, f'pointing at {entity.name}')
        self._touched = True
        point_at(self._robot, space, space.highest_m + 0.05)
        return f'that is {entity.name}'

    def _let_go(self, entity: Entity, middle_m: np.ndarray, support_z: float = math.nan) -> None:
        self.talk.put(entity, middle_m, support_z)
        self._progress = replace(self._progress, held='')

    def _give_back(self, entity: Entity, held: Held) -> None:
        self._say(State.RETREATING, f'putting {entity.name} back')
        bring_away(self._robot, held, OnCancel.PUT_BACK, None, self._settings.reach,
                   held.clear_z_m)
        self._let_go(entity, np.array(held.grasp.position[:2]))

    def _home(self) -> None:
        home, here = self._robot.home, self._robot.pose()
        if self._touched and math.dist(home.position, here.position) > 0.01:
            go_home(self._robot, home.position[2])

    # The end

    def _interrupted(self, error: StoppedError) -> FollowOutcome:
        status = FollowStatus[error.kind.name]
        if error.kind is Interrupt.STOPPED:
            return self._end(status, f'{error}; the hand stays where it is')
        return self._withdraw(status, str(error), self._settings.on_cancel)

    def _failed(self, reason: str) -> FollowOutcome:
        status = FollowStatus.FAILED if self._touched else FollowStatus.REFUSED
        return self._withdraw(status, reason, OnCancel.PUT_BACK, 'place')

    def _withdraw(self, status: FollowStatus, reason: str, mode: OnCancel,
                  fault: str = '') -> FollowOutcome:
        if not self._touched and self.talk.held is None:
            return self._end(status, reason, fault)
        entity, held = self.talk.held_entity, self.talk.held
        self._say(State.RETREATING, reason)
        space = None if self._view is None else self._view.space()
        try:
            left = bring_away(self._robot, held, mode, space, self._settings.reach,
                              self._robot.home.position[2] if held is None else held.clear_z_m)
            if entity is not None and held is not None and left is None:
                self._let_go(entity, np.array(held.grasp.position[:2]))
        except (RobotError, StoppedError) as error:
            self._robot.halt()
            reason = f'{reason}; the way back failed too: {error}'
        return self._end(status, reason, fault)

    def _end(self, status: FollowStatus, reason: str, fault: str = '') -> FollowOutcome:
        steps = tuple(step if step.status not in (StepStatus.OPEN, StepStatus.RUNNING)
                      else StepResult(StepStatus.LEFT_OUT, 'not begun')
                      for step in self._progress.steps)
        self._progress = replace(self._progress, steps=steps, question=None)
        return FollowOutcome(status, reason, steps, self.talk.held, self._touched, fault)

    def _at(self, row: int, status: StepStatus, reason: str = '') -> None:
        steps = list(self._progress.steps)
        steps[row] = StepResult(status, reason)
        self._progress = replace(self._progress, step=row, steps=tuple(steps))

    def _say(self, state: State, note: str) -> None:
        self._progress = replace(self._progress, state=state, note=note)
        self._tell(self._progress)


class NewOrderError(RefDiffError):
    """An answer was an order of its own.

    Args:
        order: what was said.
    """

    def __init__(self, order: str):
        super().__init__(f'the order is now {order!r}')
        self.order = order


def _same_thing(text: str, other: str) -> bool:
    """Whether two texts of one order mean one thing: 'the plate' twice, not 'a cube' twice."""
    return text.lower() == other.lower() and text.lower().startswith('the ')


def _middle(candidate: Candidate, view: View | None) -> np.ndarray | None:
    """(3,) the middle of a candidate's points in the base, None where too few are seen."""
    if view is None or candidate.mask.shape != view.depth_m.shape:
        return None
    points: np.ndarray = Space.seen(view.depth_m, view.camera, view.pose, candidate.mask).object
    return np.median(points, axis=0) if len(points) >= 3 else None


def _seen(candidate: Candidate, view: View | None) -> Seen | None:
    """A candidate in space, None where too few of its points are seen."""
    middle = _middle(candidate, view)
    if middle is None or view is None:
        return None
    points = view.space(candidate.mask).object
    x, y, z = map(float, middle)
    extent = np.subtract(*np.percentile(points, (98, 2), axis=0))
    return Seen((x, y, z), max(float(np.linalg.norm(extent)), _LEAST_M),
                float(middle[:2] @ directions(view.pose)[1]))


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))
