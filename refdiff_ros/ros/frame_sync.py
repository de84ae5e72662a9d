"""The newest frame: image, depth and camera_info that belong together by stamp.

Stamps that stand still, as of drivers without a clock, say nothing: what came at nearly the same
time then belongs together, and the frame says so.
"""

from collections import deque
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
import math
import threading
from typing import Any, TypeVar

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

T = TypeVar('T')

# Images that wait for their depth; drivers send depth one or two frames late.
_KEPT = 4
# How much older than the newest image one may be that has its depth, seconds of receipt; and how
# long the newest one waits for its depth where there is none such.
_WAIT_S = 0.2
# The same for an image whose depth has not come in that time: it may have been lost.
_LOST_S = 0.5
# How far apart image and depth of one frame may come, seconds: where stamps tell frames apart,
# and where they do not.
_APART_S = 2.0
_APART_UNSTAMPED_S = 0.2


def stamp_ns(msg: Any) -> int:
    """The header's stamp in nanoseconds."""
    return msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec


class Shared:
    """What is computed of one image: each thing once, for all threads that ask for it."""

    def __init__(self):
        self._lock = threading.RLock()
        self._kept: dict[Hashable, Any] = {}

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The result kept under `key`, computed now if there is none; who comes second waits."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = compute()
            return self._kept[key]


@dataclass(frozen=True)
class FrameSet:
    """One image as it came, with what belongs to it.

    Attributes:
        image: the image message.
        depth: the depth message whose stamp is within the tolerance, or None.
        camera_info: the camera_info nearest in stamp, or None.
        received_ns: when the image came, on the node's clock.
        received_s: when the image came, on the monotonic clock.
        number: counts images, so that two sets of the same image can be told.
        depth_problem: why there is no depth although depth is published, or ''.
        notes: other things that do not fit, a sentence each.
        shared: what was computed of the image; all sets of the same image have the same.
    """

    image: Image | CompressedImage
    depth: Image | None = None
    camera_info: CameraInfo | None = None
    received_ns: int = 0
    received_s: float = 0.0
    number: int = 0
    depth_problem: str = ''
    notes: tuple[str, ...] = ()
    shared: Shared = field(default_factory=Shared, compare=False, repr=False)


@dataclass(frozen=True)
class _Arrived:
    msg: Any
    stamp_ns: int
    received_ns: int
    received_s: float
    number: int
    # Whether the stamp is one that the message before had too, or 0.
    still: bool = False
    shared: Shared = field(default_factory=Shared)


class FrameSync:
    """A one-place slot for the newest frame, filled by callbacks, read by the worker.

    Older images are kept only as long as their depth may still come; nothing queues up.

    Args:
        published: which of 'depth' and 'camera_info' somebody publishes.
    """

    def __init__(self, published: Callable[[], Collection[str]] = tuple):
        self._published = published
        self._lock = threading.Lock()
        self._count = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything that came."""
        with self._lock:
            self._images: deque[_Arrived] = deque(maxlen=_KEPT)
            self._depths: deque[_Arrived] = deque(maxlen=_KEPT)
            self._cameras: deque[_Arrived] = deque(maxlen=_KEPT)
            self._first_image_s: float | None = None

    @property
    def images_received(self) -> int:
        """Images since the start."""
        return self._count

    def add_image(self, msg: Any, now_ns: int, now_s: float) -> None:
        """A new image came; a stamp that went back drops what was stamped later."""
        stamp = stamp_ns(msg)
        with self._lock:
            self._count += 1
            if self._first_image_s is None:
                self._first_image_s = now_s
            still = stamp == 0 or bool(self._images) and stamp == self._images[-1].stamp_ns
            if self._images and stamp < self._images[-1].stamp_ns:
                self._drop_later_than(stamp)
            self._images.append(_Arrived(msg, stamp, now_ns, now_s, self._count, still))

    def add_depth(self, msg: Image, now_ns: int, now_s: float) -> None:
        """A new depth image came."""
        with self._lock:
            self._depths.append(_Arrived(msg, stamp_ns(msg), now_ns, now_s, 0))

    def add_camera_info(self, msg: CameraInfo, now_ns: int, now_s: float) -> None:
        """A new camera_info came."""
        with self._lock:
            self._cameras.append(_Arrived(msg, stamp_ns(msg), now_ns, now_s, 0))

    def newest(self, tolerance_s: float, now_s: float = -math.inf) -> FrameSet | None:
        """The newest image with its depth and camera_info; None before any image.

        The newest image that has its depth is preferred, if it came at most 0.2 s before the
        newest of all; at most 0.5 s, where that has waited for its own for 0.2 s.

        Args:
            tolerance_s: largest difference of stamps at which depth belongs to an image.
            now_s: on the monotonic clock; without it nothing has waited.
        """
        with self._lock:
            if not self._images:
                return None
            newest = self._images[-1]
            if not self._depths:
                return self._set(newest, None, '')
            image = self._newest_with_depth(tolerance_s)
            most_s = _LOST_S if now_s - newest.received_s >= _WAIT_S else _WAIT_S
            if image is not None and newest.received_s - image.received_s <= most_s:
                return self._set(image, _nearest(self._depths, image), '')
            return self._set(newest, None, _why_apart(
                newest, _nearest(self._depths, newest), tolerance_s))

    def depth_due_s(self, tolerance_s: float, now_s: float) -> float:
        """Seconds for which the newest image's depth is worth waiting for; 0 for not at all.

        Some drivers send depth after its image. Where an earlier image had its depth, that of
        the newest will come too, unless it was lost.

        Args:
            tolerance_s: as in `newest`.
            now_s: on the monotonic clock.
        """
        with self._lock:
            if not self._images or not self._depths:
                return 0.0
            newest, image = self._images[-1], self._newest_with_depth(tolerance_s)
            if image is None or newest.received_s - image.received_s <= _WAIT_S:
                return 0.0
            return max(0.0, newest.received_s + _WAIT_S - now_s)

    def first_due_s(self, patience_s: float, now_s: float) -> float:
        """Seconds for which the first depth or camera_info is worth waiting for; 0 for not at all.

        A camera sends them a moment after its image, and the first one to be answered must not
        go without them. What is published and does not come is waited for only once.

        Args:
            patience_s: how long after the first image they may come.
            now_s: on the monotonic clock.
        """
        with self._lock:
            if self._first_image_s is None:
                return 0.0
            left_s = self._first_image_s + patience_s - now_s
            missing = {role for role, came in (
                ('depth', self._depths), ('camera_info', self._cameras)) if not came}
        # The graph is asked only in the first moments.
        return left_s if left_s > 0 and missing and missing & set(self._published()) else 0.0

    def _newest_with_depth(self, tolerance_s: float) -> _Arrived | None:
        for image in reversed(self._images):
            depth = _nearest(self._depths, image)
            if abs(depth.stamp_ns - image.stamp_ns) <= tolerance_s * 1e9 and \
                    _apart_s(image, depth) <= _most_apart_s(image):
                return image
        return None

    def _set(self, image: _Arrived, depth: _Arrived | None, problem: str) -> FrameSet:
        camera: _Arrived | None = None
        notes: list[str] = []
        if depth is not None and image.still:
            notes.append(
                f'images are stamped {image.stamp_ns * 1e-9:g} s again and again, so depth '
                f'was taken that came within {_apart_s(image, depth) * 1e3:.0f} ms: have the '
                'camera driver stamp its images')
        if self._cameras:
            camera = _nearest(self._cameras, image)
            if camera.stamp_ns and abs(camera.stamp_ns - image.stamp_ns) > 1_000_000_000:
                away = (camera.stamp_ns - image.stamp_ns) * 1e-9
                notes.append(
                    f'camera_info is stamped {away:+.1f} s away from the image and used '
                    'nevertheless, since intrinsics rarely change')
        return FrameSet(
            image=image.msg, depth=depth.msg if depth else None,
            camera_info=camera.msg if camera else None, received_ns=image.received_ns,
            received_s=image.received_s, number=image.number, depth_problem=problem,
            notes=tuple(notes), shared=image.shared)

    def _drop_later_than(self, stamp: int) -> None:
        # Intrinsics stay: a driver may send them only once.
        self._images.clear()
        earlier = [item for item in self._depths if item.stamp_ns <= stamp + 100_000_000]
        self._depths.clear()
        self._depths.extend(earlier)


def _nearest(items: deque[_Arrived], image: _Arrived) -> _Arrived:
    """Of what is nearest to the image in stamp, what came nearest to it."""
    return min(items, key=lambda item: (
        abs(item.stamp_ns - image.stamp_ns), _apart_s(image, item)))


def _apart_s(image: _Arrived, other: _Arrived) -> float:
    return abs(image.received_s - other.received_s)


def _most_apart_s(image: _Arrived) -> float:
    return _APART_UNSTAMPED_S if image.still else _APART_S


def _why_apart(image: _Arrived, depth: _Arrived, tolerance_s: float) -> str:
    away = depth.stamp_ns - image.stamp_ns
    if abs(away) > tolerance_s * 1e9:
        return (f'expected depth within {tolerance_s * 1e3:g} ms of the image, the nearest is '
                f'{away * 1e-6:+.1f} ms away: synchronise the camera or raise sync_tolerance')
    return (f'expected depth that came within {_most_apart_s(image):g} s of the image, the '
            f'nearest came {_apart_s(image, depth):.1f} s away, although its stamp fits: check '
            "that depth still comes and that the camera driver's stamps go on")
