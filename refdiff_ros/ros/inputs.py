"""The subscriptions: made on activate, gone on deactivate, with the publisher's QoS."""

from collections.abc import Callable
from dataclasses import dataclass, field
import threading
import time
from typing import Any

from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from refdiff_ros.ros import qos as qos_rules
from refdiff_ros.ros.conversions import COLOUR_ENCODINGS
from refdiff_ros.ros.frame_sync import FrameSync


@dataclass
class Input:
    """One subscribed topic and what is known of it.

    Attributes:
        role: 'image', 'depth', 'camera_info' or 'expression'.
        topic: as subscribed, before remapping.
        msg_type: message class.
        handle: called with each message.
        until_known: reliability while no publisher is there.
        qos: as subscribed.
        received: messages since activation.
        last_s: when the last one came, on the monotonic clock.
        problem: why messages that come cannot be used, or ''.
    """

    role: str
    topic: str
    msg_type: type
    handle: Callable[[Any], None]
    until_known: str = 'best_effort'
    subscription: Any = None
    qos: QoSProfile = field(default_factory=lambda: QoSProfile(depth=1))
    received: int = 0
    last_s: float = 0.0
    problem: str = ''


class Inputs:
    """All inputs of the node.

    Args:
        node: the node.
        sync: takes images, depth and camera_info.
        on_frame: called after each image.
        on_depth: called after each depth image.
        on_camera_info: called after each camera_info.
        on_expression: called with each text of the expression topic.
    """

    def __init__(
        self,
        node: Node,
        sync: FrameSync,
        on_frame: Callable[[], None],
        on_depth: Callable[[], None],
        on_camera_info: Callable[[], None],
        on_expression: Callable[[str], None],
    ):
        self._node = node
        self._sync = sync
        self._on_frame = on_frame
        self._on_depth = on_depth
        self._on_camera_info = on_camera_info
        self._on_expression = on_expression
        self._group: CallbackGroup = MutuallyExclusiveCallbackGroup()
        self._reliability = 'auto'
        # The timer that follows publishers must not subscribe behind a deactivation's back.
        self._lock = threading.Lock()
        self._inputs: dict[str, Input] = {}

    @property
    def inputs(self) -> dict[str, Input]:
        """By role: 'image', 'depth', 'camera_info', 'expression'; empty while not subscribed."""
        return self._inputs

    def subscribe(self, image_transport: str, reliability: str) -> None:
        """Subscribe to everything."""
        compressed = image_transport == 'compressed'
        self._reliability = reliability
        inputs = (
            Input('image', self._compressed_topic() if compressed else 'image',
                  CompressedImage if compressed else Image, self._image),
            Input('depth', 'depth', Image, self._depth),
            Input('camera_info', 'camera_info', CameraInfo, self._camera_info),
            Input('expression', 'expression', String, self._expression, 'reliable'),
        )
        with self._lock:
            self._inputs = {item.role: item for item in inputs}
            for item in self._inputs.values():
                self._subscribe(item)

    def unsubscribe(self) -> None:
        """Drop all subscriptions and what came through them."""
        with self._lock:
            for item in self._inputs.values():
                if item.subscription is not None:
                    self._node.destroy_subscription(item.subscription)
            self._inputs = {}
        self._sync.clear()

    def follow_publishers(self) -> None:
        """Subscribe anew where the publishers now offer another QoS."""
        with self._lock:
            for item in self._inputs.values():
                self._follow(item)

    def _follow(self, item: Input) -> None:
        wanted, current = self._wanted_qos(item), item.qos
        if (wanted.reliability, wanted.durability) == (current.reliability, current.durability):
            return
        self._node.get_logger().info(
            f'{self.topic(item)}: following the publisher to '
            f'{wanted.reliability.name.lower()}, {wanted.durability.name.lower()}')
        self._node.destroy_subscription(item.subscription)
        self._subscribe(item)

    def topic(self, item: Input) -> str:
        """The topic's full name, remapped."""
        return self._node.resolve_topic_name(item.topic)

    @property
    def published(self) -> tuple[str, ...]:
        """The roles that somebody publishes, whether a message has come or not."""
        return tuple(role for role, item in dict(self._inputs).items() if self._publishers(item))

    def silence(self, item: Input) -> str:
        """Why nothing is heard on an input, or '' when nothing stands in the way."""
        publishers = self._publishers(item)
        topic = self.topic(item)
        if not publishers:
            start = 'publish a std_msgs/String there' if item.role == 'expression' else \
                'start the camera'
            return f'no publisher on {topic}: {start} or remap {item.role}'
        expected = f'{item.msg_type.__module__.split(".")[0]}/msg/{item.msg_type.__name__}'
        wrong = qos_rules.wrong_type(publishers, expected) or qos_rules.incompatibility(
            publishers, item.qos)
        if wrong:
            return f'{topic}: {wrong}'
        if item.problem:
            return f'{topic}: {item.problem}'
        if item.received == 0:
            return f'{topic}: there is a publisher, but no message has come'
        return ''

    def _compressed_topic(self) -> str:
        """'image/compressed', below the topic that `image` is remapped to, as image_transport."""
        direct = self._node.resolve_topic_name('image/compressed')
        if direct != self._node.resolve_topic_name('image/compressed', only_expand=True):
            return direct
        return self._node.resolve_topic_name('image') + '/compressed'

    def _publishers(self, item: Input) -> list:
        return qos_rules.publishers_of(self._node, self.topic(item))

    def _wanted_qos(self, item: Input) -> QoSProfile:
        depth = 10 if item.msg_type is String else 1
        return qos_rules.subscription_qos(
            self._publishers(item), self._reliability, depth, item.until_known)

    def _subscribe(self, item: Input) -> None:
        item.qos = self._wanted_qos(item)

        def received(msg: Any) -> None:
            item.received += 1
            item.last_s = time.monotonic()
            item.handle(msg)
        item.subscription = self._node.create_subscription(
            item.msg_type, item.topic, received, item.qos, callback_group=self._group,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False))

    def _now(self) -> tuple[int, float]:
        return self._node.get_clock().now().nanoseconds, time.monotonic()

    def _image(self, msg: Image | CompressedImage) -> None:
        if isinstance(msg, Image):
            known = msg.encoding in COLOUR_ENCODINGS
            problem = '' if known else (
                f'wrong encoding: expected a colour encoding such as rgb8 or bgr8, got '
                f'{msg.encoding!r}; check the remapping of image')
            if 'image' in self._inputs:  # not unsubscribed in between
                self._inputs['image'].problem = problem
        self._sync.add_image(msg, *self._now())
        self._on_frame()

    def _depth(self, msg: Image) -> None:
        self._sync.add_depth(msg, *self._now())
        self._on_depth()

    def _camera_info(self, msg: CameraInfo) -> None:
        self._sync.add_camera_info(msg, *self._now())
        self._on_camera_info()

    def _expression(self, msg: String) -> None:
        self._on_expression(msg.data)
