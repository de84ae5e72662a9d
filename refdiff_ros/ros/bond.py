"""Heartbeats for a lifecycle manager, as nav2's expects them: the protocol of the package `bond`.

Manager and node each publish `bond/msg/Status` on /bond, four times a second, with an id that both
know (the node's name) and one of their own. One that falls silent, or says that it is no longer
active, breaks the bond: the manager then takes its nodes down, and up again once they are back.
"""

from collections.abc import Callable
import importlib
from typing import Any
import uuid

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.timer import Timer

TOPIC = '/bond'
# Nav2's managers and nodes agree on this, seconds.
_TIMEOUT_S = 4.0


def status_type() -> Any:
    """The class `bond.msg.Status`, or None where the package is not installed."""
    try:
        return importlib.import_module('bond.msg').Status
    except ImportError:
        return None


class Bond:
    """This node's half of a bond, from activation to deactivation.

    Args:
        node: the node; its name is the bond's id, as nav2 has it.
        healthy: whether the node works; a bond is broken when it does not.
    """

    def __init__(self, node: Node, healthy: Callable[[], bool]):
        self._node, self._healthy = node, healthy
        self._status: type = status_type()
        self._period_s = 0.0
        self._instance = ''
        self._timer: Timer | None = None
        self._group = MutuallyExclusiveCallbackGroup()
        # Both stay: a message that was just sent is lost with its publisher.
        self._publisher = node.create_publisher(
            self._status, TOPIC, QoSProfile(depth=5), callback_group=self._group)
        node.create_subscription(
            self._status, TOPIC, self._heard, QoSProfile(depth=100), callback_group=self._group)

    def start(self, period_s: float) -> None:
        """Send heartbeats, `period_s` seconds apart, as a new half."""
        self.stop()
        self._period_s, self._instance = period_s, str(uuid.uuid4())
        self._timer = self._node.create_timer(
            period_s, self._beat, self._group, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def stop(self) -> None:
        """Break the bond, where there is one, telling the manager."""
        timer, self._timer = self._timer, None
        if timer is not None:
            self._node.destroy_timer(timer)
            self._publish(active=False)

    def _beat(self) -> None:
        if self._healthy():
            self._publish(active=True)
        else:
            self.stop()

    def _heard(self, status: Any) -> None:
        if status.id == self._node.get_name() and status.instance_id != self._instance and \
                not status.active:
            self.stop()

    def _publish(self, active: bool) -> None:
        status = self._status(
            id=self._node.get_name(), instance_id=self._instance, active=active,
            heartbeat_timeout=_TIMEOUT_S, heartbeat_period=self._period_s)
        status.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(status)
