"""The gripper in physics, and the stages on it: real contacts, true masks, no ROS."""

import json
import math

import numpy as np
import pytest

from refdiff_ros import cli
from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.pick.episodes import lay, task
from refdiff_ros.pick.plan import Reach
from refdiff_ros.pick.sim_robot import SimRobot
from refdiff_ros.pick.stages import (
    Grounding,
    pick,
    PickSettings,
    PickStatus,
    Stage,
    StoppedError,
)
from refdiff_ros.pick.trials import Episode, true_masks
from refdiff_ros.pick.verdict import Verdict
from refdiff_ros.results import Status
from refdiff_ros.sim.collision import solids
from refdiff_ros.sim.gripper_sim import camera_in_base, GripperSim, HOME
from refdiff_ros.sim.render import open_renderer
from refdiff_ros.sim.scene import random_scene
from refdiff_ros.sim.shapes import SHAPES
from refdiff_ros.sim.wide_shapes import WIDE_SHAPES

SIZE = (192, 256)


class Table:
    """One can, a picture of it, and picks on it from the start."""

    def __init__(self):
        self.sim = GripperSim(random_scene(1, 1, 1), SIZE)
        self.start = self.sim.snapshot()
        with open_renderer(self.sim.mujoco, self.sim.model, SIZE) as renderer:
            self.view = self.sim.look(renderer)
        self.stages = []

    def ground(self):
        return Grounding(Status.FOUND, '', grasp_region(
            self.view.masks[0], self.view.frame.depth_m, self.view.frame.camera))

    def pick(self, ground=None, stop_at=None, reach=None):
        self.sim.restore(self.start)
        self.stages = []

        def tell(stage, _note, _grounding):
            self.stages.append(stage)
            if stage is stop_at:
                raise StoppedError(PickStatus.CANCELLED, 'the client cancelled')
        settings = PickSettings(reach or Reach(), camera_in_base(self.sim.scene.view))
        return pick(ground or self.ground, SimRobot(self.sim), settings, tell)


@pytest.fixture(scope='module')
def table():
    return Table()


def test_an_object_is_held_up_by_friction(table):
    outcome = table.pick()
    assert outcome.status is PickStatus.LIFTED, outcome.reason
    assert table.stages == [Stage.GROUNDING, Stage.APPROACH, Stage.GRASP, Stage.LIFT,
                            Stage.VERIFY]
    assert table.sim.raised_m()[0] > 0.1
    assert outcome.opening_m == pytest.approx(table.sim.scene.things[0].form.extents[0],
                                              abs=0.004)
    np.testing.assert_allclose(outcome.pose.position[:2], table.sim.scene.things[0].xy,
                               atol=0.02)


def test_fingers_that_close_beside_it_say_so_and_go_home(table):
    outcome = table.pick(reach=Reach(tip_depth_m=0.001, table_z_m=0.3))
    assert outcome.status is PickStatus.MISSED
    assert table.stages[-1] is Stage.RETREAT
    np.testing.assert_allclose(table.sim.hand_pose().position, HOME.position, atol=0.01)
    assert abs(table.sim.raised_m()[0]) < 0.005


@pytest.mark.parametrize('status', [Status.NOT_FOUND, Status.AMBIGUOUS, Status.BUSY])
def test_an_answer_without_one_region_moves_nothing(table, status):
    outcome = table.pick(lambda: Grounding(status, 'the reason'))
    assert outcome.status is PickStatus.REFUSED
    assert status.name in outcome.reason and 'the reason' in outcome.reason
    assert table.stages == [Stage.GROUNDING]


def test_a_cancel_with_the_object_in_hand_puts_it_down_and_goes_home(table):
    outcome = table.pick(stop_at=Stage.VERIFY)
    assert outcome.status is PickStatus.CANCELLED
    assert table.stages[-1] is Stage.RETREAT
    np.testing.assert_allclose(table.sim.hand_pose().position, HOME.position, atol=0.01)
    assert table.sim.raised_m()[0] < 0.05


def test_a_moment_can_be_gone_back_to(table):
    table.pick()
    table.sim.restore(table.start)
    np.testing.assert_allclose(table.sim.positions(), table.sim.start_m, atol=1e-6)


@pytest.mark.parametrize('name, make', [
    *SHAPES.items(), *((f'{name} ', make) for name, make in WIDE_SHAPES.items())])
def test_solids_fill_the_shape_and_no_more(name, make):
    name, form = name.strip(), make(np.random.default_rng(0))
    found = solids(name, form)
    reach = max(math.hypot(*part.position[:2]) for part in found)
    assert reach <= form.radius
    assert max(part.position[2] for part in found) < form.extents[2]
    assert sum(part.share for part in found) > 0


def test_a_scene_whose_objects_fall_is_refused():
    scene = random_scene(1, 1, 1)
    thing = scene.things[0]
    tilted = type(scene)(**{**scene.__dict__, 'things': (
        type(thing)(**{**thing.__dict__, 'xy': (0.43, 0.0)}),)})
    with pytest.raises(RefDiffError, match='take another seed'):
        GripperSim(tilted, (64, 64))


def test_the_same_episode_asks_and_ends_alike():
    episode = Episode(1, (96, 128))
    assert task(episode.view, 1) == episode.task
    np.testing.assert_array_equal(lay(1, (96, 128)).start_m, episode.sim.start_m)
    first, second = episode.run(true_masks), episode.run(true_masks)
    assert first.verdict is second.verdict is Verdict.RIGHT
    assert first.reason == second.reason


def test_the_command_writes_every_episode(tmp_path, capsys):
    path = tmp_path / 'figures.json'
    assert cli.main(['pick-eval', '--episodes', '1', '--seed', '3', '--true-masks', '--size', '96',
                     '128', '--json', str(path)]) == 0
    assert 'true masks, object ' in capsys.readouterr().out
    values = json.loads(path.read_text())
    assert [trial['seed'] for trial in values['true']['trials']] == [3]
    assert 'ours' not in values


def test_a_useless_number_of_episodes_is_refused(capsys):
    assert cli.main(['pick-eval', '--episodes', '0']) == 2
    assert '--episodes' in capsys.readouterr().err
