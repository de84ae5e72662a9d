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
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile

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
        period_s: seconds between heartbeats.
        healthy: whether the node works; a bond is broken for good when it does not.
    """

    def __init__(self, node: Node, period_s: float, healthy: Callable[[], bool]):
        self._node, self._healthy = node, healthy
        self._status: type = status_type()
        self._period_s = period_s
        self._instance = str(uuid.uuid4())
        self._broken = False
        # Without events of their own, which an executor may still wait for as they are destroyed.
        group = MutuallyExclusiveCallbackGroup()
        self._publisher = node.create_publisher(
            self._status, TOPIC, QoSProfile(depth=5), callback_group=group,
            event_callbacks=PublisherEventCallbacks(use_default_callbacks=False))
        self._subscription = node.create_subscription(
            self._status, TOPIC, self._heard, QoSProfile(depth=100), callback_group=group,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False))
        self._timer = node.create_timer(
            period_s, self._beat, group, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Break the bond, telling the manager."""
        self._break()
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def _beat(self) -> None:
        if self._broken:
            return
        if self._healthy():
            self._publish(active=True)
        else:
            self._break()

    def _heard(self, status: Any) -> None:
        if status.id == self._node.get_name() and status.instance_id != self._instance and \
                not status.active:
            self._break()

    def _break(self) -> None:
        if not self._broken:
            self._broken = True
            self._publish(active=False)

    def _publish(self, active: bool) -> None:
        status = self._status(
            id=self._node.get_name(), instance_id=self._instance, active=active,
            heartbeat_timeout=_TIMEOUT_S, heartbeat_period=self._period_s)
        status.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(status)
