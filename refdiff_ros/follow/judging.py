"""What following an order came to, by the simulator's state."""

from dataclasses import dataclass, field
import math
from typing import Any

import numpy as np

from refdiff_ros.follow.orders import Goal, OrderCase
from refdiff_ros.follow.results import FollowOutcome, FollowStatus
from refdiff_ros.pick.place import directions
from refdiff_ros.pick.verdict import LIFTED_M
from refdiff_ros.sim.gripper_sim import camera_in_base, GripperSim

# A forbidden object that has moved this far was touched; another one by this.
_FORBIDDEN_M, _OTHER_M = 0.01, 0.02
_TOPPLED = math.radians(20)
# In 20 ms, the time between two looks: 0.65 m/s.
_FALL_M = 0.013
# Something stands beside another thing when the gap between their footprints is smaller.
_BESIDE_M = 0.15
_SIDE_DEGREES = 50.0


@dataclass(frozen=True)
class OrderTrial:
    """One order with one source of masks.

    Attributes:
        seed, kind, text: of the order.
        status, reason, fault: what the follower said.
        right: whether all that was to be true is true, and nothing else was moved.
        steps_right, steps: goals that are true, and all of them.
        wrong_touched: whether an object was lifted that is not meant.
        forbidden_moved, others_moved: whether such an object was moved.
        dropped: whether something fell from more than 2 cm.
        needed_question, asked: whether a question is needed, and how many were put.
        understood: answers that were taken as what they meant; -1 where none was given.
        stop_mm, stop_ms: motion after a stop; NaN without one.
        seconds: that it took.
    """

    seed: int
    kind: str
    text: str
    status: str
    reason: str
    fault: str
    right: bool
    steps_right: int
    steps: int
    wrong_touched: bool
    forbidden_moved: bool
    others_moved: bool
    dropped: bool
    needed_question: bool
    asked: int
    understood: int
    stop_mm: float = math.nan
    stop_ms: float = math.nan
    seconds: float = 0.0

    def values(self) -> dict[str, Any]:
        """As JSON's types."""
        return {name: None if isinstance(value, float) and math.isnan(value) else value
                for name, value in self.__dict__.items()}


@dataclass
class Watch:
    """What happens to the objects while an order is followed.

    Attributes:
        raised: rows that were lifted at any time.
        moved_m: (N,) the farthest that each was from its place.
        dropped: rows that fell from more than 2 cm.
    """

    sim: GripperSim
    raised: set[int] = field(default_factory=set)
    moved_m: np.ndarray = field(default_factory=lambda: np.zeros(0))
    dropped: set[int] = field(default_factory=set)

    def __post_init__(self):
        self._start = self.sim.positions()
        self._up = self.sim.upright()
        self.moved_m = np.zeros(len(self._start))
        self._last = self._start

    def look(self) -> None:
        """Take the present into account; called every 20 ms of simulated time."""
        now = self.sim.positions()
        self.moved_m = np.maximum(self.moved_m, np.linalg.norm(now - self._start, axis=1))
        self.raised |= set(np.flatnonzero(now[:, 2] - self._start[:, 2] > LIFTED_M).tolist())
        # What falls from 2 cm gets as fast as the hand ever is; what is faster fell from higher.
        sinking = self._last[:, 2] - now[:, 2]
        self.dropped |= set(np.flatnonzero(sinking > _FALL_M).tolist())
        self._last = now

    def leaning(self) -> np.ndarray:
        """(N,) radians against the start."""
        return np.arccos(np.clip(np.einsum('nk,nk->n', self._up, self.sim.upright()), -1, 1))


def holds(goal: Goal, sim: GripperSim, start_m: np.ndarray) -> bool:
    """Whether a goal is true now."""
    now, things = sim.positions(), sim.scene.things
    if goal.relation == 'held':
        return bool(now[goal.row, 2] - start_m[goal.row, 2] > LIFTED_M)
    offset = now[goal.row, :2] - now[goal.anchor, :2]
    distance = float(np.hypot(*offset))
    one, other = things[goal.row].form, things[goal.anchor].form
    above = now[goal.row, 2] - now[goal.anchor, 2]
    if goal.relation in ('on', 'in'):
        return bool(distance < other.radius and -0.01 < above < 0.08
                    and now[goal.row, 2] > 0.001)
    gap = distance - one.radius - other.radius
    near = gap < _BESIDE_M and abs(now[goal.row, 2]) < 0.03
    if goal.relation == 'next to':
        return bool(near)
    right, away = directions(camera_in_base(sim.scene.view))
    angle = math.degrees(math.atan2(float(offset @ away), float(-(offset @ right))))
    return bool(near and abs(angle) < _SIDE_DEGREES)


def judge(case: OrderCase, outcome: FollowOutcome, watch: Watch, asked: int,
          answered: int) -> dict[str, Any]:
    """The figures of one order, but for its name and time.

    Args:
        case: the order.
        outcome: of what was followed last, which an answer may have ordered instead.
        watch: what happened to the objects.
        asked: how many questions were put, of the orders before as well.
        answered: how many answers were understood; -1 where none was given.
    """
    sim = watch.sim
    goals = [holds(goal, sim, watch._start) for goal in case.goals]
    things = sim.scene.things
    meant = set(case.meant) | {row for row, thing in enumerate(things) if thing.on in case.meant}
    balls = np.array([thing.shape == 'ball' for thing in things])
    toppled = (watch.leaning() > _TOPPLED) & ~balls
    forbidden = any(watch.moved_m[row] > _FORBIDDEN_M for row in case.forbidden)
    others = [row for row in range(len(things)) if row not in meant
              and (watch.moved_m[row] > _OTHER_M or toppled[row])]
    wrong = any(row not in meant for row in watch.raised)
    refused = outcome.status in (FollowStatus.REFUSED, FollowStatus.NOT_READ)
    done = all(goals) and outcome.status is FollowStatus.DONE if case.goals else (
        outcome.status is FollowStatus.STOPPED or outcome.status is FollowStatus.DONE
        if case.kind == 'stop' else refused)
    return {
        'right': bool(done and not others and not forbidden and not wrong),
        'steps_right': sum(goals), 'steps': len(goals), 'wrong_touched': wrong,
        'forbidden_moved': forbidden, 'others_moved': bool(others),
        'dropped': bool(watch.dropped), 'needed_question': case.ambiguous,
        'asked': asked, 'understood': answered}
