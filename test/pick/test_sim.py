"""The gripper in physics, and the stages on it: real contacts, true masks, no ROS."""

import json
import math

import numpy as np
import pytest

from refdiff_ros import cli
from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.pick.episodes import _absent, lay, task
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.robot import Interrupt, OnCancel, StoppedError
from refdiff_ros.pick.sim_robot import SimRobot
from refdiff_ros.pick.stages import Grounding, pick, PickSettings, PickStatus, Stage
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
            self.view.masks[0], self.view.frame.depth_m, self.view.frame.camera),
            camera=camera_in_base(self.sim.scene.view))

    def pick(self, ground=None, reach=None, on_cancel=OnCancel.PUT_BACK, interrupt=None):
        """A pick; `interrupt` gets the stage and its age in seconds, and may raise."""
        self.sim.restore(self.start)
        self.stages, self.opened_at, self.halts = [], [], []
        robot = self.robot = SimRobot(self.sim)
        began_s = 0.0

        def tell(stage, _note, _grounding):
            nonlocal began_s
            self.stages.append(stage)
            began_s = robot.time_s

        def check():
            if interrupt is not None:
                interrupt(self.stages[-1], robot.time_s - began_s)
        halt, grip = robot.halt, robot.grip

        def watched_grip(opening):
            self.opened_at.append((opening, float(self.sim.raised_m()[0])))
            return grip(opening)

        def watched_halt():
            halt()
            self.halts.append(robot.pose().position)
        robot.grip, robot.halt = watched_grip, watched_halt
        robot.start(check)
        settings = PickSettings(reach or Reach(), on_cancel=on_cancel)
        return pick(ground or self.ground, robot, settings, tell)


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


def _once(stage, after_s, kind=Interrupt.CANCELLED):
    """Interrupts as a client that cancels: from then on, at every look."""
    def interrupt(now, age_s):
        interrupt.due = interrupt.due or (now is stage and age_s >= after_s)
        if interrupt.due:
            raise StoppedError(kind, 'the client cancelled')
    interrupt.due = False
    return interrupt


_MOMENTS = [(Stage.APPROACH, 0.5), (Stage.APPROACH, 1.9), (Stage.GRASP, 0.1), (Stage.LIFT, 0.1),
            (Stage.LIFT, 0.25), (Stage.VERIFY, 0.1)]


@pytest.mark.parametrize('moment', _MOMENTS)
def test_a_cancel_puts_the_object_back_and_goes_home(table, moment):
    outcome = table.pick(interrupt=_once(*moment))
    assert outcome.status is PickStatus.CANCELLED, outcome.reason
    assert table.stages[-1] is Stage.RETREAT and outcome.held is None
    np.testing.assert_allclose(table.sim.hand_pose().position, HOME.position, atol=0.01)
    assert abs(table.sim.raised_m()[0]) < 0.005
    # Wherever the fingers opened, the object stood.
    assert all(raised_m < 0.02 for opening, raised_m in table.opened_at if opening > 0)


@pytest.mark.parametrize('kind, mode', [(Interrupt.CANCELLED, OnCancel.HOLD),
                                        (Interrupt.STOPPED, OnCancel.PUT_BACK)])
def test_a_hand_that_is_to_hold_stays_and_keeps_what_it_holds(table, kind, mode):
    outcome = table.pick(on_cancel=mode, interrupt=_once(Stage.LIFT, 0.25, kind))
    assert outcome.status is PickStatus[kind.name]
    assert outcome.held is not None and 'keep' in outcome.reason
    at = np.array(table.robot.pose().position)
    table.sim.run(1.0)
    assert np.linalg.norm(table.robot.pose().position - at) < 0.002
    assert np.linalg.norm(np.subtract(table.halts[0], at)) < 0.005
    assert table.sim.raised_m()[0] > 0.01


def test_a_stop_halts_the_way_back_too(table):
    cancel = _once(Stage.LIFT, 0.25)

    def interrupt(stage, age_s):
        if stage is Stage.RETREAT and age_s > 0.1:
            raise StoppedError(Interrupt.STOPPED, 'stop was called')
        cancel(stage, age_s)
    outcome = table.pick(interrupt=interrupt)
    assert outcome.status is PickStatus.CANCELLED
    assert 'stop was called' in outcome.reason and outcome.held is not None
    assert table.robot.opening() > 0.05


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


def test_the_wider_world_is_picked_from_and_asked_about(tmp_path):
    path = tmp_path / 'figures.json'
    assert cli.main(['pick-eval', '--world', 'tabletop20', '--episodes', '2', '--seed', '12',
                     '--true-masks', '--size', '96', '128', '--json', str(path)]) == 0
    values = json.loads(path.read_text())
    assert values['world'] == 'tabletop20'
    assert [trial['text'] for trial in values['true']['trials']] == [
        'the blue pan', 'the green spoon']
    absent = {_absent(Episode(0, (96, 128), 'tabletop20').view, np.random.default_rng(seed),
                      'tabletop20').split()[-1] for seed in range(40)}
    assert absent & {'apple', 'lemon', 'spoon', 'teapot'} and 'plate' not in absent


def test_what_no_such_gripper_lifts_is_never_asked_for():
    view = Episode(1133, (96, 128), 'tabletop20').view
    assert {'book', 'plate'} <= {thing.shape for thing in view.objects}
    asked = [task(view, seed, 'tabletop20') for seed in range(60)]
    shapes = {view.objects[each.row].shape for each in asked if each.row is not None}
    assert len(shapes) > 3 and not shapes & {'book', 'plate'}
    # A book may still tell where the thing is that is asked for.
    assert any('book' in each.text for each in asked if each.row is not None)


def test_a_useless_number_of_episodes_is_refused(capsys):
    assert cli.main(['pick-eval', '--episodes', '0']) == 2
    assert '--episodes' in capsys.readouterr().err
