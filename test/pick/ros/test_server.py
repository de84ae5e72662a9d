"""The pick on a real graph: gripper, stand-in and action server as processes of their own."""

from contextlib import ExitStack
import os
from pathlib import Path

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
import numpy as np
from pick_servers import ask_another, camera_parameter
from PIL import Image
import pytest
from rclpy.qos import QoSProfile
from ros_graph import GraphClient, NodeProcess, ROOT, wait_for
from warm_start import warm_up

from refdiff_ros.action import PickReferred
from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.pick.film import write_gif
from refdiff_ros.pick.graph import GraphOptions, GRIPPER, show_scene, start
from refdiff_ros.pick.ros.parameters import pose_of
from refdiff_ros.pick.stages import Stage

SEED = 3
_TIMEOUT_S = 120.0


@pytest.fixture(scope='module')
def client():
    log = Path(os.environ['ROS_LOG_DIR'])  # where logs outlive the test
    warm_up()
    with ExitStack() as stack:
        client = start(GraphOptions(
            SEED, (192, 256), True, '', 'onboard', 'full', 'cpu', _TIMEOUT_S, log, speed=4.0),
            stack)
        show_scene(client, SEED, _TIMEOUT_S)
        yield client


@pytest.fixture(scope='module')
def lifted(client, feedback):
    return client.pick('the white ball', _TIMEOUT_S)


@pytest.fixture(scope='module')
def feedback(client):
    """What the server sends, as it is sent."""
    came = []
    client._node.create_subscription(
        PickReferred.Impl.FeedbackMessage, 'pick_referred/_action/feedback',
        lambda msg: came.append(msg.feedback), QoSProfile(depth=10))
    return came


def raised_m(client):
    """How far each object is above its place; of balls nothing: one that turns raises its foot."""
    balls = [row for row, thing in enumerate(client.scene['objects']) if 'ball' in thing['name']]
    return np.delete(client.raised_m, balls)


@pytest.fixture
def idle(client, lifted):
    """The client, with an empty hand."""
    assert client.trigger('resume', _TIMEOUT_S).success
    assert client.trigger('put_back', _TIMEOUT_S).success
    return client


def test_the_object_that_is_meant_is_lifted(client, lifted):
    result = lifted.result
    assert result.status == PickReferred.Result.LIFTED, result.reason
    row = [thing['name'] for thing in client.scene['objects']].index('white ball')
    assert lifted.raised_m[row] > 0.1
    assert np.abs(np.delete(lifted.raised_m, row)).max() < 0.05
    assert result.object_pose.header.frame_id == 'base'
    assert 0.05 < result.width_m < 0.1
    assert result.grounding_status == 1


def test_feedback_tells_each_stage_with_mask_and_grasp(lifted):
    assert [event.stage for event in lifted.events] == [
        Stage.GROUNDING, Stage.APPROACH, Stage.GRASP, Stage.LIFT, Stage.VERIFY]
    assert lifted.events[0].mask is None
    assert all(event.mask.shape == (192, 256) and event.mask.any() for event in lifted.events[1:])


def test_the_pixels_of_a_mask_are_sent_once(lifted, feedback):
    of_pick = feedback[:len(lifted.events)]
    assert [bool(each.mask.mask.data) for each in of_pick] == [False, True, False, False, False]
    assert [bool(each.grasp.contour.points) for each in of_pick] == [
        False, True, False, False, False]
    assert all(each.mask.box.width for each in of_pick[1:])


def test_the_film_shows_the_frames(lifted, tmp_path):
    write_gif(tmp_path / 'pick.gif', lifted.frames[::8], lifted.events, 'the white ball', 0.1)
    film = Image.open(tmp_path / 'pick.gif')
    assert film.n_frames >= 2 and film.size[0] == 480


def test_a_hand_that_holds_something_takes_up_nothing_and_puts_it_back(idle):
    assert idle.pick('the blue box', _TIMEOUT_S).result.holding
    second = idle.pick('the white ball', _TIMEOUT_S).result
    assert second.status == PickReferred.Result.REFUSED and second.holding
    assert 'put_back' in second.reason
    done = idle.trigger('put_back', _TIMEOUT_S)
    assert done.success, done.message
    # On the table again. On its side it counts as raised by half of its width. On a busy machine
    # reports come late, and those of a hand that held still may be in line before it.
    wait_for(lambda: np.abs(raised_m(idle)).max() < 0.04,
             message=lambda: f'raised by {raised_m(idle)} m')
    assert 'nothing is held' in idle.trigger('put_back', _TIMEOUT_S).message


def test_what_is_not_there_is_refused_with_the_nodes_sentence(idle):
    watched = idle.pick('the purple bottle', _TIMEOUT_S)
    assert watched.result.status == PickReferred.Result.REFUSED
    assert 'NOT_FOUND' in watched.result.reason and 'purple bottle' in watched.result.reason
    assert [event.stage for event in watched.events] == [Stage.GROUNDING]


def test_an_empty_expression_is_refused(idle):
    watched = idle.pick(' ', _TIMEOUT_S)
    assert watched.result.status == PickReferred.Result.REFUSED
    assert 'empty' in watched.result.reason


def test_a_second_goal_is_refused_and_a_cancel_brings_the_hand_home(idle):
    first = idle.send('the blue box', _TIMEOUT_S)
    wait_for(lambda: any(e.stage is Stage.APPROACH for e in idle.events))
    second = idle.finish(idle.send('the white ball', _TIMEOUT_S), _TIMEOUT_S)
    assert second.result.status == PickReferred.Result.REFUSED
    assert 'another goal is running' in second.result.reason
    cancelled = first.cancel_goal_async()
    wait_for(cancelled.done)
    # One that comes while the hand is on its way back waits for it, another one does not.
    third = idle.send('the purple bottle', _TIMEOUT_S)
    first.cancel_goal_async()
    done = idle.finish(first, _TIMEOUT_S)
    assert done.status == GoalStatus.STATUS_CANCELED
    assert done.result.status == PickReferred.Result.CANCELLED
    assert 'the client cancelled' in done.result.reason and not done.result.holding
    later = idle.finish(third, _TIMEOUT_S).result
    assert later.status == PickReferred.Result.REFUSED and 'purple bottle' in later.reason


@pytest.mark.parametrize('by', ['service', 'topic'])
def test_a_stop_holds_the_hand_until_it_is_resumed(idle, by):
    goal = idle.send('the blue box', _TIMEOUT_S)
    row = [thing['name'] for thing in idle.scene['objects']].index('blue box')
    wait_for(lambda: idle.raised_m[row] > 0.1)  # in the air
    if by == 'service':
        assert idle.trigger('stop', 10.0).success
    else:
        idle.shout_stop()
    done = idle.finish(goal, _TIMEOUT_S).result
    assert done.status == PickReferred.Result.STOPPED and 'stop was called' in done.reason
    idle.wait_until_still(_TIMEOUT_S)
    # The fingers keep it; the hand went back to where a report saw it last, some centimetres here.
    assert idle.raised_m[row] > 0.01 and idle.upright[row] > 0.9
    before = raised_m(idle)
    refused = idle.finish(idle.send('the blue box', _TIMEOUT_S), _TIMEOUT_S).result
    assert refused.status == PickReferred.Result.REFUSED and '/resume' in refused.reason
    assert np.abs(raised_m(idle) - before).max() < 0.01
    assert idle.trigger('resume', 10.0).success
    assert idle.trigger('put_back', _TIMEOUT_S).success
    # On the table again. On its side it counts as raised by half of its width. On a busy machine
    # reports come late, and those of a hand that held still may be in line before it.
    wait_for(lambda: np.abs(raised_m(idle)).max() < 0.04,
             message=lambda: f'raised by {raised_m(idle)} m')


def test_a_pick_that_takes_too_long_ends_and_says_so(idle):
    done = idle.finish(idle.send('the blue box', 0.3), _TIMEOUT_S)
    assert done.result.status == PickReferred.Result.TIMEOUT
    assert '0.3 s' in done.result.reason


def test_a_silent_robot_and_a_missing_refdiff_node_are_named(idle):
    script = ROOT / 'scripts' / 'pick_server'
    values = {'motion_timeout': 0.5, 'camera_in_base': camera_parameter(SEED), 'node_timeout': 1.0}
    remaps = ('-r', '__ns:=/mute', '-r', 'refdiff/segment:=/refdiff/segment', *(
        text for name in ('depth/image_raw', 'color/camera_info')
        for text in ('-r', f'{"depth" if "depth" in name else "camera_info"}:={GRIPPER}/{name}')))
    mute = NodeProcess({**values, 'node_timeout': 120.0}, script, remaps)
    alone = NodeProcess(values, script, ('-r', '__ns:=/alone'))
    try:
        # Nothing has touched it, and nothing can have rolled it away.
        result = ask_another(mute, '/mute', 'the orange bowl')
        assert result.status == PickReferred.Result.ROBOT_FAILED, result.reason
        assert "'joint_states'" in result.reason
        result = ask_another(alone, '/alone', 'the white ball')
        assert result.status == PickReferred.Result.TIMEOUT
        assert 'not ready in 1 s' in result.reason and '/alone/refdiff/segment' in result.reason
    finally:
        mute.stop()
        alone.stop()


def test_a_pose_parameter_that_is_none_is_refused():
    with pytest.raises(BadRequestError, match='camera_in_base'):
        pose_of('camera_in_base', [0.0] * 7)
    assert pose_of('home', [0, 0, 1, 0, 0, 0, 2]).orientation == (0, 0, 0, 1)


@pytest.mark.parametrize('name, value, told', [
    ('base_frame', 'map', 'read-only'), ('finger_joints', ['a', 'b'], 'read-only'),
    ('home', [0.0] * 7, 'home'), ('home', [9.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0], 'workspace'),
    ('workspace', [1.0, 0.0, 0.0, 1.0, 0.0, 1.0], 'minimum'), ('on_cancel', 'drop', 'put_back')])
def test_a_parameter_that_cannot_be_is_refused_with_a_reason(idle, name, value, told):
    with pytest.raises(RefDiffError, match=told):
        idle.set_parameter('server', name, value)


def test_a_target_in_another_frame_is_not_driven_to(idle):
    graph = GraphClient()
    try:
        poses = []
        graph.listen(PoseStamped, f'{GRIPPER}/current_pose', poses)
        wait_for(lambda: poses)
        strange = PoseStamped()
        strange.header.frame_id, strange.pose.position.z = 'map', 0.9
        graph.publish(f'{GRIPPER}/target_pose', strange)
        before = len(poses)
        wait_for(lambda: len(poses) > before + 20)
        assert abs(poses[-1].pose.position.z - poses[before].pose.position.z) < 0.01
    finally:
        graph.close()
