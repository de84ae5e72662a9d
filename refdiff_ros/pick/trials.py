"""Episodes in one process: the stages of the server, without ROS and faster than the clock."""

from collections.abc import Callable
import math
import time
from typing import TYPE_CHECKING

import numpy as np

from refdiff_ros.errors import attempt, error_text, require
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.episodes import lay, Task, task
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.sim_robot import SimRobot
from refdiff_ros.pick.space import Space
from refdiff_ros.pick.stages import Grounding, pick, PickSettings, PickStatus
from refdiff_ros.pick.tally import Trial
from refdiff_ros.pick.verdict import verdict
from refdiff_ros.results import Frame, Status
from refdiff_ros.sim.depth_noise import as_millimetres, sensor_depth
from refdiff_ros.sim.gripper_sim import camera_in_base, GripperSim
from refdiff_ros.sim.render import open_renderer, SceneView
from refdiff_ros.sim.worlds import WORLD

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine

Grounder = Callable[[Frame, Task, SceneView], tuple[Status, str, np.ndarray]]
"""Answers a task on a frame: status, reason and mask (H, W) bool. The view is the truth."""


def true_masks(_frame: Frame, asked: Task, view: SceneView) -> tuple[Status, str, np.ndarray]:
    """The grounder that knows."""
    if asked.row is None:
        return (Status.NOT_FOUND, f'there is no {asked.text.removeprefix("the ")}',
                np.zeros(view.masks.shape[1:], bool))
    return Status.FOUND, 'the true mask', view.masks[asked.row]


def our_masks(engine: 'Engine') -> Grounder:
    """The grounder that asks the models."""
    def ground(frame: Frame, asked: Task, _view: SceneView) -> tuple[Status, str, np.ndarray]:
        answer, error = attempt(lambda: engine.segment(frame, asked.text))
        if answer is None:
            reason = '' if error is None else error_text(error)
            return Status.of_error(error), reason, np.zeros(frame.size_hw, bool)
        return answer.status, answer.reason, answer.mask
    return ground


class Episode:
    """The settled table of one seed with what is asked about it; picks start anew on it.

    Args:
        seed: of the episode.
        size_hw: of the picture.
        world: a name of `worlds.MAKERS`.

    Raises:
        RefDiffError: the scene does not settle, or nothing on it can be spoken of.
    """

    def __init__(self, seed: int, size_hw: tuple[int, int], world: str = WORLD):
        self.seed = seed
        self._sim = lay(seed, size_hw, world)
        self._start = self._sim.snapshot()
        with open_renderer(self._sim.mujoco, self._sim.model, size_hw) as renderer:
            self.view = self._sim.look(renderer)
        self.task = task(self.view, seed, world)
        # As the simulated camera sends it: with a sensor's noise, in whole millimetres.
        seen = self.view.frame
        noisy = sensor_depth(require(seen.depth_m, 'depth of a rendered view'),
                             np.random.default_rng(seed))
        self._depth_m = (as_millimetres(noisy) / 1000).astype(np.float32)
        self._intrinsics = require(seen.camera, 'intrinsics of a rendered view')
        self.frame = Frame(
            seen.image_rgb, self._depth_m, self._intrinsics, frame_id=seen.frame_id)

    @property
    def _camera(self) -> Pose:
        return camera_in_base(self._sim.scene.view)

    def space(self, mask: np.ndarray) -> Space:
        """What the depth picture shows around a mask (H, W) bool."""
        return Space.seen(self._depth_m, self._intrinsics, self._camera, mask)

    @property
    def sim(self) -> GripperSim:
        """The simulation as the last pick left it."""
        return self._sim

    def run(self, grounder: Grounder, reach: Reach | None = None) -> Trial:
        """One pick from the start."""
        began_s = time.perf_counter()
        self._sim.restore(self._start)
        robot, overlap = SimRobot(self._sim), math.nan

        def ground() -> Grounding:
            nonlocal overlap
            status, reason, mask = grounder(self.frame, self.task, self.view)
            overlap = self._overlap(mask)
            return Grounding(
                status, reason, grasp_region(mask, self.frame.depth_m, self.frame.camera),
                camera=self._camera, space=self.space(mask))

        scene = self._sim.scene
        settings = PickSettings(reach or Reach())
        outcome = pick(ground, robot, settings, lambda *_: None)
        row = self.task.row
        return Trial(
            self.seed, self.task.text, self.task.kind,
            '' if row is None else scene.things[row].shape,
            verdict(row, outcome.status is PickStatus.REFUSED, self._sim.raised_m(),
                    robot.peak_m, tuple(thing.on for thing in scene.things),
                    np.flatnonzero(robot.disturbed).tolist()),
            outcome.status.name, outcome.reason, overlap, time.perf_counter() - began_s)

    def _overlap(self, mask: np.ndarray) -> float:
        if self.task.row is None:
            return math.nan
        truth = self.view.masks[self.task.row]
        return float((mask & truth).sum() / max((mask | truth).sum(), 1))
