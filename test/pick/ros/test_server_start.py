"""A pick server without a robot: what it waits for and refuses at its start, and how it ends."""

import importlib.util
import signal

from pick_servers import asker, camera_parameter, send
import pytest
from ros_graph import NodeProcess, ROOT

from refdiff_ros.action import PickReferred
from refdiff_ros.results import Status
from refdiff_ros.srv import ReferSegmentation


def test_a_goal_waits_for_a_refdiff_node_that_is_still_starting():
    server = NodeProcess({'node_timeout': 180.0, 'camera_in_base': camera_parameter(3)},
                         ROOT / 'scripts' / 'pick_server', ('-r', '__ns:=/early'))
    answers = iter([(Status.INACTIVE, 'models loading'), (Status.NO_IMAGE, 'none has come'),
                    (Status.NOT_FOUND, 'nothing fits')])

    def answer(_request, response):
        response.status, response.reason = next(answers)
        response.status = int(response.status)
        return response
    try:
        with asker(server, '/early') as (node, until, action):
            done = send(until, action, 'the white ball')
            server.wait_for_output('asking where the object is')
            assert not done.done()
            node.create_service(ReferSegmentation, '/early/refdiff/segment', answer)
            until(done.done)
            result = done.result().result
        assert result.status == PickReferred.Result.REFUSED
        assert result.reason == 'NOT_FOUND: nothing fits'
    finally:
        server.stop()


def test_a_goal_hears_that_its_server_ends():
    server = NodeProcess({'node_timeout': 180.0, 'camera_in_base': camera_parameter(3)},
                         ROOT / 'scripts' / 'pick_server', ('-r', '__ns:=/ending'))
    try:
        with asker(server, '/ending') as (_node, until, action):
            done = send(until, action, 'the white ball')
            server.wait_for_output('asking where the object is')
            server.signal(signal.SIGINT)
            until(done.done)
            result = done.result().result
        assert result.status == PickReferred.Result.STOPPED
        assert 'the node is ending' in result.reason
        assert server.wait(20.0) == 0
    finally:
        server.kill()


@pytest.mark.parametrize('values, told', [
    ({'goal_timout': 3.0}, 'goal_timout'), ({'finger_factors': '[1.0]'}, 'finger_factors'),
    ({'pose_source': 'tf'}, 'tool_frame'), *(pytest.param(
        values, package, marks=pytest.mark.skipif(
            bool(importlib.util.find_spec(package)), reason=f'{package} is installed'))
        for values, package in (
            ({'arm': 'move_group', 'move_group': 'arm', 'tool_frame': 'tool'}, 'moveit_msgs'),
            ({'gripper': 'gripper_command'}, 'control_msgs')))])
def test_a_wrong_parameter_file_starts_nothing(values, told):
    server = NodeProcess(values, ROOT / 'scripts' / 'pick_server')
    assert server.wait() == 2
    assert told in server.output
