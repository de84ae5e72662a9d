"""Waiting for a node of one's own to come up."""

from collections.abc import Callable
import time

from lifecycle_msgs.srv import GetState
from rclpy.client import Client
from rclpy.node import Node

from refdiff_ros.errors import RefDiffError

_LOOK_S = 0.2
_TELL_EVERY_S = 10.0


class NodeState:
    """The lifecycle state of another node, as often as it is called.

    Args:
        node: asks; somebody else spins it.
        name: of the node that is asked.
    """

    def __init__(self, node: Node, name: str):
        self._client: Client = node.create_client(GetState, f'{name}/get_state')

    def __call__(self, patience_s: float = 5.0) -> str:
        """The state's label, '' while the node cannot be reached."""
        if not self._client.service_is_ready():
            return ''
        future = self._client.call_async(GetState.Request())
        end = time.monotonic() + patience_s
        while not future.done():
            if time.monotonic() > end:
                return ''
            time.sleep(0.02)
        answer = future.result()
        return '' if answer is None else answer.current_state.label


def wait_until_active(state: Callable[[], str], timeout_s: float,
                      watch: Callable[[], None]) -> None:
    """Until the node answers; says each state it goes through, and how long it has taken.

    Args:
        state: the node's state, as `NodeState`.
        timeout_s: how long to wait.
        watch: called again and again; raises when something has ended.

    Raises:
        RefDiffError: it is not active in time, or could not load its models.
    """
    began, told, told_s = time.monotonic(), None, 0.0
    while True:
        watch()
        label = state()
        elapsed = time.monotonic() - began
        if label == 'active':
            print(f'active after {elapsed:.1f} s', flush=True)
            return
        if elapsed > timeout_s:
            raise RefDiffError(
                f"expected the node to be active after {timeout_s:g} s, it is "
                f"'{label or 'not reachable'}': raise --timeout, or see the log")
        if label == 'unconfigured' and told == 'configuring':
            raise RefDiffError('the node could not load its models: see the log')
        if label != told or elapsed - told_s > _TELL_EVERY_S:
            told, told_s = label, elapsed
            print(f'  {elapsed:5.1f} s  node: {label or "starting"}', flush=True)
        time.sleep(_LOOK_S)
