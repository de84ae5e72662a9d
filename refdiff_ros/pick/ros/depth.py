"""The depth pictures that a robot's way is checked against."""

from collections.abc import Callable
import threading
import time
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.space import View
from refdiff_ros.pictures.camera_info import camera_from_info
from refdiff_ros.ros.conversions import depth_from_image

_KEPT = 8
_LOOK_S = 0.02
_PATIENCE_S = 3.0


class NoDepthError(RefDiffError):
    """The way cannot be checked; the message says why."""


class DepthPictures:
    """The newest depth pictures and the camera's intrinsics.

    Args:
        node: whose topics `depth` and `camera_info` are.
        rectified: whether the pictures are rectified, as in the refdiff node.
    """

    def __init__(self, node: Node, rectified: Callable[[], bool] = lambda: False):
        self._node, self._rectified = node, rectified
        self._lock = threading.Lock()
        self._pictures: list[Image] = []
        self._camera: CameraInfo | None = None
        group = MutuallyExclusiveCallbackGroup()
        node.create_subscription(Image, 'depth', self._depth_came, qos_profile_sensor_data,
                                 callback_group=group)
        node.create_subscription(CameraInfo, 'camera_info', self._camera_came,
                                 qos_profile_sensor_data, callback_group=group)

    def view(self, locate: Callable[[str, Any], Pose], stamp: Any = None,
             check: Callable[[], None] = lambda: None) -> View:
        """The depth picture of a moment.

        Args:
            locate: gives a frame's pose in the base at a stamp.
            stamp: of the moment; the nearest picture that is still there is taken, which on a
                table that nobody touches shows the same. None takes the newest.
            check: called while waiting; may raise.

        Raises:
            NoDepthError: no depth picture, or no intrinsics, or such as cannot be read.
        """
        end_s = time.monotonic() + _PATIENCE_S
        while not self._pictures or self._camera is None:
            check()
            if time.monotonic() > end_s:
                missing = 'camera_info' if self._pictures else 'depth'
                name = self._node.resolve_topic_name(missing)
                raise NoDepthError(
                    f"expected the camera's depth and camera_info, nothing came on '{name}': "
                    'remap it, or set check_space to false')
            time.sleep(_LOOK_S)
        with self._lock:
            picture = self._nearest(stamp)
        header = picture.header
        try:
            depth_m = depth_from_image(picture)
            camera = camera_from_info(self._camera, self._rectified(), depth_m.shape)
            return View(depth_m, camera, locate(header.frame_id, header.stamp))
        except BadRequestError as error:
            raise NoDepthError(f'the depth picture cannot be used: {error}') from error

    def newest_stamp(self) -> Any:
        """Of the newest picture; None before the first."""
        pictures = self._pictures
        return pictures[-1].header.stamp if pictures else None

    def forget(self) -> None:
        """Leave out what came before now: something has moved."""
        with self._lock:
            self._pictures = []

    def _nearest(self, stamp: Any) -> Image:
        if stamp is None:
            return self._pictures[-1]
        wanted = stamp.sec + stamp.nanosec * 1e-9
        # Of equal stamps the one that came last.
        return min(reversed(self._pictures), key=lambda msg: abs(
            msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9 - wanted))

    def _depth_came(self, msg: Image) -> None:
        with self._lock:
            self._pictures = [*self._pictures[1 - _KEPT:], msg]

    def _camera_came(self, msg: CameraInfo) -> None:
        self._camera = msg
