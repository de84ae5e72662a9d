"""The pick on a real graph: gripper, stand-in and action server as processes of their own."""

from contextlib import ExitStack
import os
from pathlib import Path

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
import numpy as np
from PIL import Image
import pytest
from rclpy.action import ActionClient
from ros_graph import GraphClient, NodeProcess, ROOT, wait_for

from refdiff_ros.action import PickReferred
from refdiff_ros.errors import BadRequestError
from refdiff_ros.pick.film import write_gif
from refdiff_ros.pick.graph import GraphOptions, GRIPPER, show_scene, start
from refdiff_ros.pick.ros.server import pose_of
from refdiff_ros.pick.stages import Stage
from refdiff_ros.results import Status
from refdiff_ros.sim.gripper_sim import camera_in_base
from refdiff_ros.sim.scene import random_scene
from refdiff_ros.srv import ReferSegmentation

SEED = 3
_TIMEOUT_S = 120.0


@pytest.fixture(scope='module')
def client():
    log = Path(os.environ['ROS_LOG_DIR'])  # where logs outlive the test
    with ExitStack() as stack:
        client = start(GraphOptions(
            SEED, (192, 256), True, '', 'onboard', 'full', 'cpu', _TIMEOUT_S, log, speed=4.0),
            stack)
        show_scene(client, SEED, _TIMEOUT_S)
        yield client


@pytest.fixture(scope='module')
def lifted(client):
    return client.pick('the white ball', _TIMEOUT_S)


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


def test_the_film_shows_the_frames(lifted, tmp_path):
    write_gif(tmp_path / 'pick.gif', lifted.frames[::8], lifted.events, 'the white ball', 0.1)
    film = Image.open(tmp_path / 'pick.gif')
    assert film.n_frames >= 2 and film.size[0] == 480


def test_what_is_not_there_is_refused_with_the_nodes_sentence(client, lifted):
    watched = client.pick('the purple bottle', _TIMEOUT_S)
    assert watched.result.status == PickReferred.Result.REFUSED
    assert 'NOT_FOUND' in watched.result.reason and 'purple bottle' in watched.result.reason
    assert [event.stage for event in watched.events] == [Stage.GROUNDING]


def test_an_empty_expression_is_refused(client, lifted):
    watched = client.pick(' ', _TIMEOUT_S)
    assert watched.result.status == PickReferred.Result.REFUSED
    assert 'empty' in watched.result.reason


def test_a_second_goal_is_refused_and_a_cancel_brings_the_hand_home(client, lifted):
    first = client.send('the blue box', _TIMEOUT_S)
    wait_for(lambda: any(e.stage is Stage.APPROACH for e in client.events))
    second = client.finish(client.send('the white ball', _TIMEOUT_S), _TIMEOUT_S)
    assert second.result.status == PickReferred.Result.REFUSED
    assert 'another pick is running' in second.result.reason
    first.cancel_goal_async()
    done = client.finish(first, _TIMEOUT_S)
    assert done.status == GoalStatus.STATUS_CANCELED
    assert done.result.status == PickReferred.Result.CANCELLED
    assert 'the client cancelled' in done.result.reason
    assert client.events[-1].stage is Stage.RETREAT


def test_a_pick_that_takes_too_long_ends_and_says_so(client, lifted):
    done = client.finish(client.send('the blue box', 0.3), _TIMEOUT_S)
    assert done.result.status == PickReferred.Result.TIMEOUT
    assert '0.3 s' in done.result.reason


def _camera():
    """The parameter `camera_in_base` for the scene."""
    camera = camera_in_base(random_scene(SEED).view)
    numbers = (*camera.position, *camera.orientation)
    return f'[{", ".join(f"{value:.6f}" for value in numbers)}]'


def _send_to_another(server, graph, namespace, text):
    """A goal to a further server; the future of its result."""
    action = ActionClient(graph.node, PickReferred, f'{namespace}/pick_referred')
    wait_for(action.server_is_ready, message=lambda: server.output)
    goal = graph.result(action.send_goal_async(PickReferred.Goal(expression=text, timeout=60.0)))
    return goal.get_result_async()


def _ask_another(server, graph, namespace, text):
    """A goal to a further server; its result."""
    return graph.result(_send_to_another(server, graph, namespace, text)).result


def test_a_goal_waits_for_a_refdiff_node_that_is_still_starting(lifted):
    server = NodeProcess({'node_timeout': 180.0, 'camera_in_base': _camera()},
                         ROOT / 'scripts' / 'pick_server', ('-r', '__ns:=/early'))
    graph = GraphClient()
    answers = iter([(Status.INACTIVE, 'models loading'), (Status.NO_IMAGE, 'none has come'),
                    (Status.NOT_FOUND, 'nothing fits')])

    def answer(_request, response):
        response.status, response.reason = next(answers)
        response.status = int(response.status)
        return response
    try:
        done = _send_to_another(server, graph, '/early', 'the white ball')
        server.wait_for_output('asking where the object is')
        assert not done.done()
        graph.node.create_service(ReferSegmentation, '/early/refdiff/segment', answer)
        result = graph.result(done).result
        assert result.status == PickReferred.Result.REFUSED
        assert result.reason == 'NOT_FOUND: nothing fits'
    finally:
        server.stop()
        graph.close()


def test_a_silent_robot_and_a_missing_refdiff_node_are_named(client, lifted):
    script = ROOT / 'scripts' / 'pick_server'
    values = {'motion_timeout': 0.5, 'camera_in_base': _camera(), 'node_timeout': 1.0}
    mute = NodeProcess(
        {**values, 'node_timeout': 120.0}, script,
        ('-r', '__ns:=/mute', '-r', 'refdiff/segment:=/refdiff/segment'))
    alone = NodeProcess(values, script, ('-r', '__ns:=/alone'))
    graph = GraphClient()
    try:
        result = _ask_another(mute, graph, '/mute', 'the white ball')
        assert result.status == PickReferred.Result.ROBOT_FAILED, result.reason
        assert "'joint_states'" in result.reason
        result = _ask_another(alone, graph, '/alone', 'the white ball')
        assert result.status == PickReferred.Result.TIMEOUT
        assert 'not ready in 1 s' in result.reason and '/alone/refdiff/segment' in result.reason
    finally:
        mute.stop()
        alone.stop()
        graph.close()


def test_a_pose_parameter_that_is_none_is_refused():
    with pytest.raises(BadRequestError, match='camera_in_base'):
        pose_of('camera_in_base', [0.0] * 7)
    assert pose_of('home', [0, 0, 1, 0, 0, 0, 2]).orientation == (0, 0, 0, 1)


def test_a_target_in_another_frame_is_not_driven_to(client, lifted):
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
