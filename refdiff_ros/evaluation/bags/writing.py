"""A new bag of a camera's topics: rosbag2 with mcap storage, zstd-compressed chunks."""

from collections.abc import Sequence
import io
from pathlib import Path
import sys
from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.evaluation.bags.reading import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE
from refdiff_ros.optional import require_package
from refdiff_ros.results import Camera

_JPEG_QUALITY = 90


class CameraBagWriter:
    """Writes images, depth and camera_info with real `sensor_msgs` definitions inside.

    Use it in a `with` statement; after an error the bag is left without its index. Messages are
    stamped and recorded at the same time.

    Args:
        path: the bag's folder, which must not be there yet.
        frame_id: of every header.

    Raises:
        BadRequestError: `path` is there already, or cannot be made.
        MissingPackageError: `rosbags` is not installed.
    """

    def __init__(self, path: Path, frame_id: str):
        rosbag2 = require_package('rosbags.rosbag2', 'bags')
        typesys = require_package('rosbags.typesys', 'bags')
        self._store = typesys.get_typestore(typesys.Stores.LATEST)
        self._frame_id = frame_id
        self._connections: dict[tuple[str, str], Any] = {}
        if path.exists():
            raise BadRequestError(f'expected a new bag, but {path} is there already: take another '
                                  'name or delete it')
        self._path = path
        self._writer = rosbag2.Writer(
            path, version=9, storage_plugin=rosbag2.StoragePlugin.MCAP)
        self._writer.set_compression(
            rosbag2.CompressionMode.STORAGE, rosbag2.CompressionFormat.ZSTD)

    def __enter__(self) -> 'CameraBagWriter':
        try:
            self._writer.open()
        except OSError as error:
            raise BadRequestError(
                f'expected to write a bag at {self._path}, got: {error}') from error
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self._guarded(self._writer.close)
        else:
            self._writer.abort()

    def write_image(self, topic: str, stamp_ns: int, pixels: np.ndarray, encoding: str) -> None:
        """A raw image: (H, W) or (H, W, C) uint8 or uint16, as `encoding` says.

        Raises:
            RefDiffError: it cannot be written (a full disk).
        """
        pixels = np.ascontiguousarray(pixels)
        self._write(topic, IMAGE, stamp_ns, {
            'height': pixels.shape[0], 'width': pixels.shape[1], 'encoding': encoding,
            'is_bigendian': int(sys.byteorder == 'big'), 'step': pixels.strides[0],
            'data': pixels.view(np.uint8).reshape(-1)})

    def write_jpeg(self, topic: str, stamp_ns: int, image_rgb: np.ndarray) -> None:
        """A compressed image from (H, W, 3) uint8 RGB.

        Raises:
            RefDiffError: it cannot be written (a full disk).
        """
        buffer = io.BytesIO()
        require_package('PIL.Image', 'models').fromarray(image_rgb).save(
            buffer, 'jpeg', quality=_JPEG_QUALITY)
        self._write(topic, COMPRESSED_IMAGE, stamp_ns, {
            'format': 'rgb8; jpeg compressed bgr8',
            'data': np.frombuffer(buffer.getvalue(), np.uint8)})

    def write_camera_info(self, topic: str, stamp_ns: int, camera: Camera) -> None:
        """The intrinsics of an ideal pinhole camera, rectified already.

        Raises:
            RefDiffError: it cannot be written (a full disk).
        """
        fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
        region = self._message('sensor_msgs/msg/RegionOfInterest', {
            'x_offset': 0, 'y_offset': 0, 'height': 0, 'width': 0, 'do_rectify': False})
        self._write(topic, CAMERA_INFO, stamp_ns, {
            'height': camera.height, 'width': camera.width, 'distortion_model': 'plumb_bob',
            'd': np.zeros(5), 'k': _doubles([fx, 0, cx, 0, fy, cy, 0, 0, 1]),
            'r': np.eye(3).ravel(), 'p': _doubles([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0]),
            'binning_x': 0, 'binning_y': 0, 'roi': region})

    def _write(self, topic: str, msgtype: str, stamp_ns: int, values: dict[str, Any]) -> None:
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        stamp = self._message('builtin_interfaces/msg/Time',
                              {'sec': seconds, 'nanosec': nanoseconds})
        header = self._message('std_msgs/msg/Header',
                               {'stamp': stamp, 'frame_id': self._frame_id})
        message = self._message(msgtype, {'header': header, **values})
        if (topic, msgtype) not in self._connections:
            self._connections[topic, msgtype] = self._writer.add_connection(
                topic, msgtype, typestore=self._store)
        data = self._store.serialize_cdr(message, msgtype)
        self._guarded(self._writer.write, self._connections[topic, msgtype], stamp_ns, data)

    def _message(self, msgtype: str, values: dict[str, Any]) -> Any:
        return self._store.types[msgtype](**values)

    def _guarded(self, call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except OSError as error:
            raise RefDiffError(
                f'expected room for the bag {self._path}, got: {error}') from error


def _doubles(values: Sequence[float]) -> np.ndarray:
    return np.array(values, np.float64)
