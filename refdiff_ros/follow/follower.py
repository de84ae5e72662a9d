"""Following one order: read, ground every step, ask, move, verify.

It knows neither ROS nor a simulator: a `World` grounds and looks, a `Robot` moves, a person is
asked by a function. Every step is grounded before the first motion, and again just before its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from refdiff_ros.follow.checks import check_task
from refdiff_ros.follow.conversation import Conversation
from refdiff_ros.follow.dialogue import Asker, Dialogue, NewOrderError
from refdiff_ros.follow.grounded import World
from refdiff_ros.follow.referents import Referents
from refdiff_ros.follow.results import (
    Ask,
    Entity,
    FollowOutcome,
    FollowStatus,
    Progress,
    State,
    StepResult,
    StepStatus,
)
from refdiff_ros.follow.situation import EndError, FollowSettings, Situation
from refdiff_ros.follow.steps import Steps
from refdiff_ros.follow.tasks import CannotError, NotReadError, Task, tasks_of
from refdiff_ros.language.instruction.results import Instruction
from refdiff_ros.pick.robot import Interrupt, OnCancel, Robot, RobotError, StoppedError
from refdiff_ros.pick.skills import bring_away


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
        self._now = Situation(world, robot, settings, tell)
        self._read = read
        self._dialogue = Dialogue(self._now, read, ask)
        self._steps = Steps(self._now, self._dialogue)

    @property
    def talk(self) -> Conversation:
        """What the conversation remembers."""
        return self._now.talk

    @talk.setter
    def talk(self, talk: Conversation) -> None:
        self._now.talk = talk

    def follow(self, order: str | Instruction, dry_run: bool = False) -> FollowOutcome:
        """Follow one order to its end; never raises for what a person or a robot does."""
        self._now.begin()
        self._dialogue.begin()
        try:
            reason = self._follow(order, dry_run)
            outcome = self._end(FollowStatus.DONE, reason)
        except EndError as error:
            outcome = self._end(error.status, str(error), error.fault)
        except StoppedError as error:
            outcome = self._interrupted(error)
        except RobotError as error:
            outcome = self._withdraw(self._now.lost, str(error), OnCancel.PUT_BACK, 'place')
        except NewOrderError as error:
            return self.follow(error.order, dry_run)
        self._now.say(State.STOPPED if outcome.status is FollowStatus.STOPPED else State.IDLE,
                      outcome.reason)
        return outcome

    def _follow(self, order: str | Instruction, dry_run: bool) -> str:
        now = self._now
        now.say(State.READING, 'reading the order')
        instruction = self._read(order) if isinstance(order, str) else order
        try:
            tasks = tasks_of(instruction)
        except NotReadError as error:
            raise EndError(FollowStatus.NOT_READ, str(error), 'parse') from error
        except CannotError as error:
            raise EndError(FollowStatus.REFUSED, str(error)) from error
        now.progress = replace(now.progress, plan=tuple(task.sentence for task in tasks),
                               steps=(StepResult(),) * len(tasks))
        entities = self._ground_all(instruction, tasks)
        plan = ', then '.join(task.sentence for task in tasks)
        if dry_run:
            return f'it can be done: {plan}; nothing was moved'
        if now.settings.ask is Ask.BEFORE_MOVING:
            self._dialogue.confirm(plan)
        for row, task in enumerate(tasks):
            self._run(row, task, entities)
        if now.talk.held is None:
            self._steps.go_home()
        return f'done: {plan}'

    def _ground_all(self, instruction: Instruction,
                    tasks: Sequence[Task]) -> Mapping[int, Entity]:
        """Every object that a task needs, by row; and what can be checked before any motion."""
        now = self._now
        referents = Referents(now, self._dialogue, instruction)
        entities: Mapping[int, Entity] = {}
        held = now.talk.held
        for row, task in enumerate(tasks):
            now.at(row, StepStatus.RUNNING)
            now.say(State.GROUNDING, f'looking for what it takes to {task.sentence}')
            try:
                entities = referents.find(task, row)
                held = check_task(now, task, entities, held)
            except EndError as error:
                now.at(row, StepStatus.REFUSED, str(error))
                raise
            now.at(row, StepStatus.OPEN)
        return entities

    def _run(self, row: int, task: Task, entities: Mapping[int, Entity]) -> None:
        self._now.at(row, StepStatus.RUNNING)
        try:
            reason = self._steps.do(task, entities)
        except (EndError, RobotError, StoppedError) as error:
            self._now.at(row, StepStatus.FAILED, str(error))
            raise
        self._now.at(row, StepStatus.DONE, reason)

    # The end

    def _interrupted(self, error: StoppedError) -> FollowOutcome:
        status = FollowStatus[error.kind.name]
        if error.kind is Interrupt.STOPPED:
            return self._end(status, f'{error}; the hand stays where it is')
        return self._withdraw(status, str(error), self._now.settings.on_cancel)

    def _withdraw(self, status: FollowStatus, reason: str, mode: OnCancel,
                  fault: str = '') -> FollowOutcome:
        now = self._now
        entity, held = now.talk.held_entity, now.talk.held
        if not now.touched and held is None:
            return self._end(status, reason, fault)
        now.say(State.RETREATING, reason)
        space = None if now.view is None else now.view.space()
        try:
            left = bring_away(now.robot, held, mode, space, now.settings.reach,
                              now.robot.home.position[2] if held is None else held.clear_z_m)
            if entity is not None and held is not None and left is None:
                now.let_go(entity, np.array(held.grasp.position[:2]))
        except (RobotError, StoppedError) as error:
            now.robot.halt()
            reason = f'{reason}; the way back failed too: {error}'
        return self._end(status, reason, fault)

    def _end(self, status: FollowStatus, reason: str, fault: str = '') -> FollowOutcome:
        now = self._now
        steps = tuple(step if step.status not in (StepStatus.OPEN, StepStatus.RUNNING)
                      else StepResult(StepStatus.LEFT_OUT, 'not begun')
                      for step in now.progress.steps)
        now.progress = replace(now.progress, steps=steps, question=None)
        return FollowOutcome(status, reason, steps, now.talk.held, now.touched, fault)
