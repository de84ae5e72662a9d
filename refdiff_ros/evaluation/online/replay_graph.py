"""The player's side of the graph: sends what a bag holds to a refdiff node, hears its answers.

Messages go out as the bytes that the bag holds and are heard as the bytes that came, so nothing
is lost or changed on the way. Topics are those of a node without remappings.
"""

from collections.abc import Callable
from contextlib import suppress
import threading
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from refdiff_ros.msg import GraspRegion, ReferringMask
from refdiff_ros.ros.processes.startup import NodeState

# Answers that wait to be recorded.
_ANSWERS = 1000


class ReplayGraph:
    """A node of its own context, spun on a thread; use it in a `with` statement.

    Publishers are reliable: what is lost on the way says nothing of the node, and it follows them.

    Attributes:
        state: gives the refdiff node's lifecycle state.
        heard: called with topic and bytes of each answer and of each diagnosis, on the thread that
            spins; None hears nothing.

    Args:
        compressed: whether images are `sensor_msgs/CompressedImage`.
        depth, camera_info: whether there are such messages.
        name: the refdiff node's name.
    """

    def __init__(self, compressed: bool, depth: bool, camera_info: bool, name: str = 'refdiff'):
        self.heard: Callable[[str, bytes], None] | None = None
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node(f'{name}_replay', context=self._context)
        self.state = NodeState(self._node, name)
        self._publishers = {'expression': self._publisher(String, 'expression', 10)}
        image = (CompressedImage, 'image/compressed') if compressed else (Image, 'image')
        self._publishers['image'] = self._publisher(*image, 5)
        if depth:
            self._publishers['depth'] = self._publisher(Image, 'depth', 5)
        if camera_info:
            self._publishers['camera_info'] = self._publisher(CameraInfo, 'camera_info', 5)
        self._subscriptions = [
            self._node.create_subscription(kind, topic, self._hear(topic), QoSProfile(
                depth=_ANSWERS), raw=True)
            for kind, topic in ((ReferringMask, f'/{name}/mask'),
                                (GraspRegion, f'/{name}/grasp_region'),
                                (DiagnosticArray, '/diagnostics'))]
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> 'ReplayGraph':
        return self

    def __exit__(self, *_: object) -> None:
        rclpy.try_shutdown(context=self._context)
        self._thread.join(5.0)
        self._node.destroy_node()

    @property
    def missing(self) -> list[str]:
        """Topics whose other side is not there yet."""
        return [publisher.topic_name for publisher in self._publishers.values()
                if not publisher.get_subscription_count()
                ] + [subscription.topic_name for subscription in self._subscriptions
                     if not self._node.count_publishers(subscription.topic_name)]

    def send(self, role: str, data: bytes) -> None:
        """Publish a serialised message as 'image', 'depth' or 'camera_info'."""
        self._publishers[role].publish(data)

    def say(self, text: str) -> None:
        """Publish a standing expression; '' clears it."""
        self._publishers['expression'].publish(String(data=text))

    def _publisher(self, kind: type, topic: str, depth: int) -> Any:
        return self._node.create_publisher(kind, topic, QoSProfile(depth=depth))

    def _hear(self, topic: str) -> Callable[[bytes], None]:
        def came(data: bytes) -> None:
            if self.heard is not None:
                self.heard(topic, data)
        return came

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()
