"""Orders in the simulator without ROS, with the simulator's own masks."""

from contextlib import contextmanager

import numpy as np
import pytest

from refdiff_ros.follow.follower import Follower
from refdiff_ros.follow.results import FollowStatus, QuestionKind, State, StepStatus
from refdiff_ros.follow.sim_world import SimWorld, true_grounder
from refdiff_ros.follow.situation import FollowSettings
from refdiff_ros.language.instruction.reader import read_instruction
from refdiff_ros.pick.episodes import lay
from refdiff_ros.pick.sim_robot import SimRobot
from refdiff_ros.results import Status
from refdiff_ros.sim.render import open_renderer

# Two plates, a purple mug and an orange can.
SEED, SIZE_HW = 3, (192, 256)


class Table:
    """A settled table with a follower, and what was asked and told."""

    def __init__(self, sim, renderer, grounder, answers):
        self.sim, self.asked, self.told, self._answers = sim, [], [], list(answers)
        self._names = [thing.name for thing in sim.look(renderer).objects]
        robot = SimRobot(sim)
        robot.start(lambda: None)
        self.robot = robot
        self.follower = Follower(SimWorld(sim, renderer, grounder, SEED), robot, FollowSettings(),
                                 read_instruction, self._answer, self.told.append)

    def _answer(self, question):
        self.asked.append(question)
        return self._answers.pop(0)

    def at(self, name):
        """(3,) where a thing is."""
        return np.array(self.sim.positions()[self._names.index(name)])


@contextmanager
def table(*answers, grounder=true_grounder):
    sim = lay(SEED, SIZE_HW)
    with open_renderer(sim.mujoco, sim.model, SIZE_HW) as renderer:
        yield Table(sim, renderer, grounder, answers)


@pytest.mark.parametrize('answer, status', [
    (None, FollowStatus.TIMEOUT), ('no', FollowStatus.FAILED),
    ('xyzzy', FollowStatus.REFUSED)])
def test_what_is_not_taken_is_put_back_and_the_hand_comes_home(answer, status):
    with table(*[answer] * 3) as here:
        before = here.at('orange can')
        outcome = here.follower.follow('hand me the orange can')
        assert outcome.status is status, outcome.reason
        assert 'back' in outcome.reason and outcome.held is None
        assert here.asked[0].kind is QuestionKind.YES_NO
        assert np.hypot(*(here.at('orange can') - before)[:2]) < 0.02
        assert np.linalg.norm(np.subtract(
            here.robot.pose().position, here.robot.home.position)) < 0.02
        assert here.told[-1].state is State.IDLE and here.told[-1].held == ''


def test_the_same_words_in_one_order_are_asked_about_once():
    with table('the left one') as here:
        outcome = here.follower.follow(
            'put the orange can on the plate, then put the purple mug next to the plate')
        assert outcome.status is FollowStatus.DONE, outcome.reason
        assert len(here.asked) == 1
        assert [option.number for option in here.asked[0].options] == [1, 2]
        assert [step.status for step in outcome.steps] == [StepStatus.DONE] * 2


def test_what_was_put_somewhere_is_known_by_its_place():
    looks = []

    def forgetful(frame, text, seen):
        """Knows the can until it has been moved."""
        looks.append(text)
        if text == 'the orange can' and looks.count(text) > 2:
            return Status.NOT_FOUND, 'it looks different now', (), ''
        return true_grounder(frame, text, seen)
    with table(grounder=forgetful) as here:
        outcome = here.follower.follow(
            'put the orange can on the yellow plate, then put the purple mug next to it')
        assert outcome.status is FollowStatus.DONE, outcome.reason
        assert looks.count('the orange can') > 2
        gap = np.hypot(*(here.at('orange can') - here.at('yellow plate'))[:2])
        assert gap < 0.03
        assert np.hypot(*(here.at('purple mug') - here.at('orange can'))[:2]) < 0.25
