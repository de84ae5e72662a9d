"""An action client that loses no answer.

rclpy's own sends a request first and notes afterwards that it waits for the answer (Jazzy), or
notes a second future over the one that the answer may have met already (Kilted). An answer that
another thread takes in between is thrown away, 'Ignoring unexpected goal response', and the caller
waits for ever; on Jazzy it may end the executor's spinning as well. Feedback that comes before its
callback is noted is lost in the same way.

And rclpy's own is shown to the executor before it has its lock: where another thread spins the
node, that thread may ask it for its parts at once, and dies.
"""

import threading
from typing import Any

from rclpy.action import ActionClient as _ActionClient
from rclpy.node import Node
from rclpy.task import Future


class ActionClient(_ActionClient):
    """rclpy's, with one gate: nothing is taken while a request is being sent and noted.

    Args:
        node: as rclpy's.
        action_type: as rclpy's.
        action_name: as rclpy's.
        rest: as rclpy's.
    """

    def __init__(self, node: Node, action_type: Any, action_name: str, **rest: Any):
        # First: the executor may ask for parts and data at once. rclpy makes a second lock in the
        # end, when no request can have been sent yet.
        self._gate, self._lock = threading.RLock(), threading.Lock()
        super().__init__(node, action_type, action_name, **rest)

    def take_data(self) -> Any:
        """What has come, for `execute`; called by the executor."""
        with self._gate:
            return super().take_data()

    def send_goal_async(self, *args: Any, **kwargs: Any) -> Future:
        """As rclpy's."""
        with self._gate:
            return super().send_goal_async(*args, **kwargs)

    # The two that a goal handle calls.

    def _cancel_goal_async(self, goal_handle: Any) -> Future:
        with self._gate:
            return super()._cancel_goal_async(goal_handle)

    def _get_result_async(self, goal_handle: Any) -> Future:
        with self._gate:
            return super()._get_result_async(goal_handle)
