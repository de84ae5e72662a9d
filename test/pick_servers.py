"""Pick servers that a test starts itself, and one who asks them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from ros_graph import NodeProcess, wait_for

from refdiff_ros.action import PickReferred
from refdiff_ros.ros.action_client import ActionClient
from refdiff_ros.sim.gripper_sim import camera_in_base
from refdiff_ros.sim.scene import random_scene


def camera_parameter(seed: int) -> str:
    """The parameter `camera_in_base` for the scene of that seed."""
    camera = camera_in_base(random_scene(seed).view)
    numbers = (*camera.position, *camera.orientation)
    return f'[{", ".join(f"{value:.6f}" for value in numbers)}]'


@contextmanager
def asker(server: NodeProcess, namespace: str) -> Iterator[tuple[Any, Any, ActionClient]]:
    """A client of a pick server: a node, what spins it until something is ready, an action."""
    # Nothing spins while the client is made: rclpy makes it in several steps.
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('asker', context=context)
    action = ActionClient(node, PickReferred, f'{namespace}/pick_referred')
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def until(ready):
        def spun():
            executor.spin_once(0.1)
            return ready()
        wait_for(spun, message=lambda: server.output)
    try:
        until(action.server_is_ready)
        yield node, until, action
    finally:
        action.destroy()
        node.destroy_node()
        rclpy.shutdown(context=context)


def send(until: Any, action: ActionClient, text: str) -> Any:
    """A goal; the future of its result."""
    sent = action.send_goal_async(PickReferred.Goal(expression=text, timeout=60.0))
    until(sent.done)
    return sent.result().get_result_async()


def ask_another(server: NodeProcess, namespace: str, text: str) -> Any:
    """A goal to a pick server; its result."""
    with asker(server, namespace) as (_node, until, action):
        done = send(until, action, text)
        until(done.done)
        return done.result().result
