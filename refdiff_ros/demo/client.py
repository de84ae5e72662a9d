"""What the demo asks with: a small client of the node, as an example of how to write one."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import threading
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import String

from refdiff_ros.errors import RefDiffError, require
from refdiff_ros.masks import mask_pixels
from refdiff_ros.msg import GraspRegion, ReferringMask
from refdiff_ros.results import Status
from refdiff_ros.ros.conversions import rgb_from_image
from refdiff_ros.ros.processes.startup import NodeState
from refdiff_ros.srv import ReferSegmentation

# How often conditions are looked at, seconds.
_LOOK_S = 0.02
_NOT_YET = (Status.NO_IMAGE, Status.INACTIVE)


@dataclass(frozen=True)
class DemoAnswer:
    """One answer as the client got it.

    Attributes:
        mask: the node's `ReferringMask`.
        grasp: its `GraspRegion`.
        total_ms: from the call to its answer; through the topic, from the image's stamp to the
            arrival of its answer.
    """

    mask: ReferringMask
    grasp: GraspRegion
    total_ms: float

    @property
    def status(self) -> Status:
        """How it ended."""
        return Status(self.mask.status)

    @property
    def answered(self) -> bool:
        """Whether the models gave an answer, be it that nothing fits."""
        return self.status in (Status.FOUND, Status.NOT_FOUND, Status.AMBIGUOUS)

    def pixels(self) -> np.ndarray:
        """(H, W) bool mask; (0, 0) when the answer carries none."""
        return mask_pixels(self.mask.mask)


class DemoClient:
    """A node of its own context, spun on a thread.

    Attributes:
        state: gives the refdiff node's lifecycle state.

    Args:
        name: the refdiff node's name.
    """

    def __init__(self, name: str = 'refdiff'):
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node(f'{name}_demo', context=self._context)
        self.state = NodeState(self._node, name)
        self._segment: Client = self._node.create_client(ReferSegmentation, f'{name}/segment')
        self._expression = self._node.create_publisher(String, 'expression', QoSProfile(depth=1))
        # By the image's stamp.
        self._masks: dict[tuple[int, int], tuple[ReferringMask, float]] = {}
        self._grasps: dict[tuple[int, int], GraspRegion] = {}
        self._overlays: dict[tuple[int, int], Image] = {}
        for kind, topic, handle in (
                (ReferringMask, 'mask', self._mask_came),
                (GraspRegion, 'grasp_region', self._grasp_came),
                (Image, 'overlay', self._overlay_came)):
            self._node.create_subscription(kind, f'{name}/{topic}', handle, QoSProfile(depth=5))
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> 'DemoClient':
        return self

    def __exit__(self, *_: object) -> None:
        rclpy.try_shutdown(context=self._context)
        self._thread.join(5.0)

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def ask_service(self, text: str, timeout_s: float,
                    watch: Callable[[], None] = lambda: None) -> DemoAnswer:
        """Call `segment` on the newest frame; before the first frame, call again.

        Raises:
            RefDiffError: no answer in `timeout_s`.
        """
        end = time.monotonic() + timeout_s
        while True:
            began = time.monotonic()
            try:
                reply, arrived_s = self._call(text, end - began, watch)
            except TimeoutError:
                raise RefDiffError(f'expected an answer to {text!r} in {timeout_s:g} s, none '
                                   'came: raise --timeout, or see the logs') from None
            if Status(reply.status) not in _NOT_YET or time.monotonic() > end - 0.2:
                return DemoAnswer(reply.mask, reply.grasp, (arrived_s - began) * 1e3)
            time.sleep(0.2)

    def _call(self, text: str, timeout_s: float, watch: Callable[[], None],
              ) -> tuple[ReferSegmentation.Response, float]:
        """The reply and the moment of its arrival, which is not that of the next look."""
        arrived: list[float] = []
        future = self._segment.call_async(ReferSegmentation.Request(expression=text))
        future.add_done_callback(lambda _: arrived.append(time.monotonic()))
        _wait(lambda: arrived, timeout_s, watch)
        return require(future.result(), 'a reply'), arrived[0]

    def ask_topic(self, text: str, timeout_s: float, watch: Callable[[], None] = lambda: None,
                  ) -> tuple[DemoAnswer, np.ndarray | None]:
        """Make `text` the standing expression, and take an answer to it.

        Returns:
            The answer, and the node's overlay picture (H, W, 3) uint8 RGB of the same frame;
            None in place of a picture when the models gave no answer.

        Raises:
            RefDiffError: no answer or no picture in `timeout_s`.
        """
        for heard in (self._masks, self._grasps, self._overlays):
            heard.clear()
        self._expression.publish(String(data=text))
        try:
            return _wait(lambda: self._complete(text), timeout_s, watch)
        except TimeoutError:
            raise RefDiffError(f'expected an answer to the standing expression {text!r} in '
                               f'{timeout_s:g} s, none came: raise --timeout, or see the logs'
                               ) from None
        finally:
            self._expression.publish(String(data=''))

    def _complete(self, text: str) -> tuple[DemoAnswer, np.ndarray | None] | None:
        """The first frame of which everything has come."""
        for stamp, (mask, total_ms) in list(self._masks.items()):
            grasp = self._grasps.get(stamp)
            if mask.expression != text or grasp is None or grasp.expression != text:
                continue
            answer = DemoAnswer(mask, grasp, total_ms)
            if not answer.answered:
                return answer, None
            if stamp in self._overlays:
                return answer, rgb_from_image(self._overlays[stamp])
        return None

    def instances(self, topic: str, timeout_s: float,
                  watch: Callable[[], None] = lambda: None) -> np.ndarray:
        """The camera's true instance image (H, W) uint16: 0 or the object's number from 1.

        Raises:
            RefDiffError: none came in `timeout_s`.
        """
        heard: list[Image] = []
        subscription = self._node.create_subscription(
            Image, topic, heard.append, qos_profile_sensor_data)
        try:
            _wait(lambda: heard, timeout_s, watch)
        except TimeoutError:
            raise RefDiffError(f'expected images on {topic}, none came in {timeout_s:g} s: see '
                               'the log of the camera') from None
        finally:
            self._node.destroy_subscription(subscription)
        image = heard[0]
        return np.frombuffer(image.data, '<u2').reshape(image.height, image.width)

    def _mask_came(self, msg: ReferringMask) -> None:
        if msg.origin != ReferringMask.GROUNDED:
            return
        sent_ns = msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec
        self._masks[_stamp(msg)] = msg, (time.time_ns() - sent_ns) / 1e6

    def _grasp_came(self, msg: GraspRegion) -> None:
        self._grasps[_stamp(msg)] = msg

    def _overlay_came(self, msg: Image) -> None:
        self._overlays[_stamp(msg)] = msg


def _stamp(msg: Any) -> tuple[int, int]:
    return msg.header.stamp.sec, msg.header.stamp.nanosec


def _wait(ready: Callable[[], Any], timeout_s: float,
          watch: Callable[[], None] = lambda: None) -> Any:
    """Until `ready()` is true; its value. Raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while True:
        watch()
        value = ready()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(_LOOK_S)
