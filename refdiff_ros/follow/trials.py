"""Seeded orders in one process: a settled table, the follower, an oracle that answers."""

from collections.abc import Callable
import math
import time

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.follow.answers import match, Meaning
from refdiff_ros.follow.follower import Follower
from refdiff_ros.follow.judging import judge, OrderTrial, Watch
from refdiff_ros.follow.orders import order_case, OrderCase
from refdiff_ros.follow.results import FollowOutcome, FollowQuestion, FollowStatus, Option
from refdiff_ros.follow.sim_world import Grounder, SimWorld
from refdiff_ros.follow.situation import FollowSettings
from refdiff_ros.language.instruction.results import Instruction
from refdiff_ros.pick.episodes import lay
from refdiff_ros.pick.robot import Interrupt, StoppedError
from refdiff_ros.pick.sim_robot import SimRobot
from refdiff_ros.sim.gripper_sim import GripperSim
from refdiff_ros.sim.render import open_renderer, SceneView

_AFTER_S, _LOOK_S = 1.0, 0.02
# A hand slower than this stands still, m in a look.
_STILL_M = 0.0002


class Oracle:
    """Answers as a person would who knows which object is meant.

    Args:
        case: the order.
        seen: the truth.
        seed: which of the words are taken.
        speaks: whether it answers at all.

    Attributes:
        asked: how many questions were put to it.
        given, understood: how many were answered by words for an option, and of these how many
            were read as that option.
    """

    def __init__(self, case: OrderCase, seen: SceneView, seed: int, speaks: bool = True):
        self._case, self._seen, self._speaks = case, seen, speaks
        self._rng = np.random.default_rng([seed, 17])
        self._said_first = False
        self.asked = self.given = self.understood = 0

    def __call__(self, question: FollowQuestion) -> str | None:
        """An answer; None where the meant object is not among the choices."""
        self.asked += 1
        if not self._speaks:
            return None
        if self._case.answer and not self._said_first:
            self._said_first = True
            return self._case.answer
        if not question.options:
            return 'yes'
        option = self._meant(question)
        if option is None:
            return None
        # The words of the question and, as often, the whole label.
        words = [word for word in option.words if not word.isdigit()]
        said = words[int(self._rng.integers(len(words)))] if words else str(option.number)
        self.given += 1
        answer = match(said, question)
        self.understood += answer.meaning is Meaning.OPTION and answer.option is option
        return said

    def _meant(self, question: FollowQuestion) -> Option | None:
        best, share = None, 0.3
        for row in self._case.meant:
            rows, columns = self._seen.masks[row].nonzero()
            if not len(rows):
                continue
            truth = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            for option in question.options:
                if option.box_xyxy is None:
                    continue
                overlap = _iou(option.box_xyxy, truth)
                if overlap > share:
                    best, share = option, overlap
        return best


def _iou(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    inside = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return inside / max(areas - inside, 1)


class OrderEpisode:
    """The table of one seed with its order; each run starts anew.

    Args:
        seed: of the episode.
        size_hw: of the pictures.
        read: an instruction from a text.

    Raises:
        RefDiffError: the scene does not settle, or allows no order.
    """

    def __init__(self, seed: int, size_hw: tuple[int, int], read: Callable[[str], Instruction]):
        self.seed, self._size, self._read = seed, size_hw, read
        self._sim = lay(seed, size_hw)
        self._start = self._sim.snapshot()
        with open_renderer(self._sim.mujoco, self._sim.model, size_hw) as renderer:
            self.view = self._sim.look(renderer)
        case = order_case(self.view, seed)
        if case is None:
            raise RefDiffError(f'expected a table that allows an order, that of {seed} does not')
        self.case = case

    def run(self, grounder: Grounder, oracle: bool = True) -> OrderTrial:
        """Follow the order once.

        Args:
            grounder: whose masks.
            oracle: whether questions are answered.
        """
        began_s = time.perf_counter()
        self._sim.restore(self._start)
        watch, robot = Watch(self._sim), SimRobot(self._sim)
        stop = _Stop(self.case.stop_at_s, robot, self._sim)

        def check() -> None:
            watch.look()
            stop.check()
        answers = Oracle(self.case, self.view, self.seed, oracle)
        with open_renderer(self._sim.mujoco, self._sim.model, self._size) as renderer:
            robot.start(check)
            outcome = Follower(
                SimWorld(self._sim, renderer, grounder, self.seed), robot, FollowSettings(),
                self._read, answers).follow(self.case.text)
        moved_mm, moved_ms = self._after(watch, outcome)
        figures = judge(self.case, outcome, watch, answers.asked,
                        answers.understood if answers.given else -1)
        return OrderTrial(
            self.seed, self.case.kind, self.case.text, outcome.status.name, outcome.reason,
            _fault(self.case, outcome, figures), stop_mm=moved_mm, stop_ms=moved_ms,
            seconds=time.perf_counter() - began_s, **figures)

    def _after(self, watch: Watch, outcome: FollowOutcome) -> tuple[float, float]:
        """Let a second pass; how far and how long the hand moves after a stop, mm and ms."""
        begin = np.array(self._sim.hand_pose().position)
        last, farthest, still_s = begin, 0.0, 0.0
        for look in range(round(_AFTER_S / _LOOK_S)):
            self._sim.run(_LOOK_S)
            watch.look()
            here = np.array(self._sim.hand_pose().position)
            farthest = max(farthest, float(np.linalg.norm(here - begin)))
            if np.linalg.norm(here - last) > _STILL_M:
                still_s = (look + 1) * _LOOK_S
            last = here
        if outcome.status is not FollowStatus.STOPPED:
            return math.nan, math.nan
        return farthest * 1000, still_s * 1000


class _Stop:
    """A stop that a person calls at a moment."""

    def __init__(self, at_s: float, robot: SimRobot, sim: GripperSim):
        self._at_s, self._robot, self._sim = at_s, robot, sim

    def check(self) -> None:
        """Break off from the moment on.

        Raises:
            StoppedError: it has come.
        """
        if 0 <= self._at_s <= self._robot.time_s:
            raise StoppedError(Interrupt.STOPPED, 'a stop was called')


def _fault(case: OrderCase, outcome: FollowOutcome, figures: dict) -> str:
    """Whose fault it is, '' where all is right."""
    if figures['right']:
        return ''
    if outcome.fault:
        return outcome.fault
    if figures['wrong_touched'] or not case.goals:
        return 'ground'
    return 'grasp' if case.kind in ('pick', 'ambiguous', 'forbidden') else 'place'
