"""The pick on a real graph: gripper, stand-in and action server as processes of their own."""

from contextlib import ExitStack

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
import numpy as np
import pytest
from ros_graph import GraphClient, NodeProcess, ROOT, wait_for

from refdiff_ros.action import PickReferred
from refdiff_ros.pick.film import write_gif
from refdiff_ros.pick.graph import GraphOptions, GRIPPER, show_scene, start
from refdiff_ros.pick.stages import PickStatus, Stage
from refdiff_ros.ros.pick_server import pose_of

SEED = 3
_TIMEOUT_S = 120.0


@pytest.fixture(scope='module')
def client(tmp_path_factory):
    log = tmp_path_factory.mktemp('pick')
    with ExitStack() as stack:
        client = start(GraphOptions(
            SEED, (96, 128), True, '', 'onboard', 'full', 'cpu', _TIMEOUT_S, log, speed=4.0),
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
    assert all(event.mask.shape == (96, 128) and event.mask.any() for event in lifted.events[1:])


def test_the_film_shows_the_frames(lifted, tmp_path):
    from PIL import Image
    write_gif(tmp_path / 'pick.gif', lifted.frames, lifted.events, 'the white ball')
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


def test_a_robot_that_is_silent_is_named():
    client = GraphClient()
    server = NodeProcess({'motion_timeout': 0.5}, script=ROOT / 'scripts' / 'pick_server',
                         arguments=('-r', '__ns:=/alone', '-r',
                                    '/alone/refdiff/segment:=/refdiff/segment'))
    try:
        heard = []
        client.listen(PoseStamped, '/alone/target_pose', heard)
        from rclpy.action import ActionClient
        action = ActionClient(client.node, PickReferred, '/alone/pick_referred')
        wait_for(action.server_is_ready)
        goal = client.result(action.send_goal_async(PickReferred.Goal(expression='the mug',
                                                                      timeout=1.0)))
        result = client.result(goal.get_result_async()).result
        # Neither a refdiff node nor a robot is there.
        assert result.status in (PickStatus.TIMEOUT, PickStatus.ROBOT_FAILED, PickStatus.REFUSED)
        assert result.reason and not heard
    finally:
        server.stop()
        client.close()


def test_a_pose_parameter_that_is_none_is_refused():
    from refdiff_ros.errors import BadRequestError
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
