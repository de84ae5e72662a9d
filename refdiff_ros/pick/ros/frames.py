"""Where one frame stands in another, by tf2_ros where it is installed."""

from collections.abc import Callable
import importlib
import time
from typing import Any

from geometry_msgs.msg import Pose as PoseMsg
from rclpy.node import Node
from rclpy.time import Time

from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.results import Pose

_LOOK_S = 0.01


class NoTransformError(RefDiffError):
    """One frame's pose in the other is not known; the message names both and says why."""


class Frames:
    """tf, imported at the first question and listened to from then on.

    Args:
        node: whose subscriptions these are.
    """

    def __init__(self, node: Node):
        self._node = node
        self._tf: Any = None
        self._buffer: Any = None
        self._missing = ''

    def listen(self) -> bool:
        """Begin to listen to tf; False where tf2_ros is not installed."""
        if self._buffer is not None or self._missing:
            return self._buffer is not None
        try:
            self._tf = importlib.import_module('tf2_ros')
        except ImportError as error:
            self._missing = f'tf2_ros cannot be imported ({error})'
            return False
        self._buffer = self._tf.Buffer(node=self._node)
        self._listener = self._tf.TransformListener(self._buffer, self._node)
        return True

    def pose(self, target: str, source: str, stamp: Any, timeout_s: float,
             check: Callable[[], None] = lambda: None) -> Pose:
        """The pose of the frame `source` in the frame `target`.

        Args:
            target, source: names of frames.
            stamp: of the moment (builtin_interfaces/Time); None takes the newest that is known.
            timeout_s: how long to wait for the transform.
            check: called while waiting; may raise.

        Raises:
            NoTransformError: tf2_ros is not installed, or the transform is not there in time.
        """
        if not self.listen():
            raise NoTransformError(f"the pose of '{source}' in '{target}' is not known: "
                                   f'{self._missing}')
        when = Time() if stamp is None else Time.from_msg(stamp)
        end_s = time.monotonic() + timeout_s
        while True:
            check()
            try:
                return _pose_of(self._buffer.lookup_transform(target, source, when).transform)
            except self._tf.TransformException as error:
                if time.monotonic() > end_s:
                    raise NoTransformError(
                        f"the pose of '{source}' in '{target}' is not known: tf says {error}"
                    ) from error
            time.sleep(_LOOK_S)


def _pose_of(transform: Any) -> Pose:
    at, turn = transform.translation, transform.rotation
    return Pose((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))


def pose_from(msg: PoseMsg) -> Pose:
    """A pose from its message."""
    at, turn = msg.position, msg.orientation
    return Pose((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))
