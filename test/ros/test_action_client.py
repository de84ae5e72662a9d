"""An action's answers all reach who waits for them, however fast they come."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import sys
import threading
import time

import pytest
import rclpy
from rclpy.action import ActionServer, CancelResponse
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from refdiff_ros.action import PointAt
from refdiff_ros.ros.action_client import ActionClient
from test.ros_graph import PATIENCE_S, wait_for

_LINE_S = 0.003


@pytest.fixture
def client() -> Iterator[ActionClient]:
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes = [rclpy.create_node(name, context=context) for name in ('quick_server', 'caller')]

    def run(goal):
        goal.publish_feedback(PointAt.Feedback())
        goal.succeed()
        return PointAt.Result()
    server = ActionServer(nodes[0], PointAt, 'quick', run,
                          cancel_callback=lambda _: CancelResponse.ACCEPT)
    client = ActionClient(nodes[1], PointAt, 'quick')
    threads = []
    for node in nodes:
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        threads.append(threading.Thread(target=_spin, args=(executor,)))
        threads[-1].start()
    wait_for(client.server_is_ready)
    yield client
    rclpy.shutdown(context=context)
    for thread in threads:
        thread.join()
    server.destroy()
    for node in nodes:
        node.destroy_node()


def _spin(executor: SingleThreadedExecutor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()


def test_one_may_be_made_for_a_node_that_is_being_spun():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('spun', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=_spin, args=(executor,))
    thread.start()
    try:
        with _slow_lines():
            client = ActionClient(node, PointAt, 'nobody_there')
        called = threading.Event()
        node.create_timer(0.0, called.set)
        assert called.wait(PATIENCE_S) and thread.is_alive()
        assert not client.server_is_ready()
    finally:
        rclpy.shutdown(context=context)
        thread.join()
        node.destroy_node()


@contextmanager
def _slow_lines() -> Iterator[None]:
    """Each line of rclpy's action client takes its time on this thread, as on a busy machine."""
    def trace(frame, event, _):
        if not frame.f_code.co_filename.endswith('rclpy/action/client.py'):
            return None
        if event == 'line':
            time.sleep(_LINE_S)
        return trace
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_an_answer_that_comes_while_the_request_is_still_being_noted_is_kept(client):
    feedback = []
    with _slow_lines():
        sent = client.send_goal_async(PointAt.Goal(), feedback.append)
    wait_for(sent.done)
    assert sent.result().accepted
    with _slow_lines():
        result = sent.result().get_result_async()
    wait_for(result.done)
    wait_for(lambda: len(feedback) == 1)
    with _slow_lines():
        cancelled = sent.result().cancel_goal_async()
    wait_for(cancelled.done)
    assert not cancelled.result().goals_canceling  # it is over
