"""Small bags of every kind, written with the writers of `rosbags`."""

from collections.abc import Iterable
import io
from pathlib import Path
import struct
from typing import Any

import numpy as np
from PIL import Image as Picture
from rosbags import rosbag1, rosbag2
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from rosbags.typesys import get_typestore, Stores

from refdiff_ros.cli import main

FIRST_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
IMAGE, JPEG = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
INFO, TEXT = 'sensor_msgs/msg/CameraInfo', 'std_msgs/msg/String'

# Name: storage and compression; 'ros1' has names of its own.
KINDS = {
    'sqlite3': (StoragePlugin.SQLITE3, CompressionMode.NONE),
    'sqlite3-file': (StoragePlugin.SQLITE3, CompressionMode.FILE),
    'sqlite3-message': (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    'mcap': (StoragePlugin.MCAP, CompressionMode.NONE),
    'mcap-file': (StoragePlugin.MCAP, CompressionMode.FILE),
    'mcap-message': (StoragePlugin.MCAP, CompressionMode.MESSAGE),
    'mcap-chunks': (StoragePlugin.MCAP, CompressionMode.STORAGE),
    'ros1': None, 'ros1-bz2': rosbag1.Writer.CompressionFormat.BZ2,
    'ros1-lz4': rosbag1.Writer.CompressionFormat.LZ4,
}

Message = tuple[str, str, int, dict[str, Any]]


def stamp(number: int) -> int:
    """Stamp of frame `number`, nanoseconds."""
    return FIRST_NS + number * STEP_NS


def image(topic: str, stamp_ns: int, pixels: np.ndarray, encoding: str) -> Message:
    """A raw image."""
    return (topic, IMAGE, stamp_ns, {
        'height': pixels.shape[0], 'width': pixels.shape[1], 'encoding': encoding,
        'is_bigendian': 0, 'step': pixels.strides[0],
        'data': np.ascontiguousarray(pixels).view(np.uint8).ravel()})


def compressed(topic: str, stamp_ns: int, data: bytes, form: str = 'jpeg') -> Message:
    """A compressed image."""
    return topic, JPEG, stamp_ns, {'format': form, 'data': np.frombuffer(data, np.uint8)}


def jpeg(image_rgb: np.ndarray) -> bytes:
    """The bytes of a JPEG."""
    return _encoded(image_rgb, 'jpeg')


def depth_png(values: np.ndarray, scale: float = 0.0, offset: float = 0.0) -> bytes:
    """uint16 values as compressed_depth_image_transport sends them."""
    return struct.pack('<iff', 0, scale, offset) + _encoded(values, 'png')


def _encoded(pixels: np.ndarray, form: str) -> bytes:
    buffer = io.BytesIO()
    Picture.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def info(topic: str, stamp_ns: int, focal: float, size_hw: tuple[int, int]) -> Message:
    """A camera_info."""
    k = np.array([focal, 0, 15.5, 0, focal, 11.5, 0, 0, 1], float)
    return (topic, INFO, stamp_ns, {
        'height': size_hw[0], 'width': size_hw[1], 'distortion_model': 'plumb_bob',
        'd': np.zeros(5), 'k': k, 'r': np.eye(3).ravel(), 'p': np.zeros(12), 'binning_x': 0,
        'binning_y': 0, 'roi': None})


def text(topic: str, recorded_ns: int, said: str) -> Message:
    """A message without a header."""
    return topic, TEXT, recorded_ns, {'data': said}


def write_bag(folder: Path, kind: str, messages: Iterable[Message], late_ns: int = 0) -> Path:
    """Write a bag of `KINDS`; messages are recorded `late_ns` after their stamp."""
    ros1 = kind.startswith('ros1')
    path = folder / (f'{kind}.bag' if ros1 else kind)
    store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_HUMBLE)
    if ros1:
        writer = rosbag1.Writer(path)
        if KINDS[kind] is not None:
            writer.set_compression(KINDS[kind])
    else:
        storage, mode = KINDS[kind]
        writer = rosbag2.Writer(path, version=9, storage_plugin=storage)
        writer.set_compression(mode, rosbag2.CompressionFormat.ZSTD)
    with writer:
        connections: dict[tuple[str, str], Any] = {}
        for topic, msgtype, stamp_ns, values in messages:
            if (topic, msgtype) not in connections:
                connections[topic, msgtype] = writer.add_connection(
                    topic, msgtype, typestore=store)
            message = _message(store, msgtype, stamp_ns, values, ros1)
            data = store.serialize_ros1(message, msgtype) if ros1 else \
                store.serialize_cdr(message, msgtype)
            writer.write(connections[topic, msgtype], stamp_ns + late_ns, bytes(data))
    return path


def record_tables(bag: Path, *more: str) -> tuple[Path, Path]:
    """A bag of small simulated tables, by `refdiff sim record`, and the labels beside it."""
    labels = bag.parent / 'labels.jsonl'
    assert main(['sim', 'record', '--out', str(bag), '--labels', str(labels),
                 '--size', '96x72', '--seed', '4', *more]) == 0
    return bag, labels


def _message(store: Any, msgtype: str, stamp_ns: int, values: dict[str, Any], ros1: bool) -> Any:
    types = store.types
    if msgtype == TEXT:
        return types[TEXT](**values)
    time = types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 1_000_000_000))
    header = types['std_msgs/msg/Header'](**({'seq': 0} if ros1 else {}), stamp=time,
                                          frame_id='optical')
    if msgtype == INFO:
        roi = types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
        values = {**values, 'roi': roi}
        if ros1:
            values = {name.upper() if name in 'dkrp' else name: value
                      for name, value in values.items()}
    return types[msgtype](header=header, **values)


# Records of an mcap file by hand, as recorders of other things write them.


def record(operation: int, content: bytes) -> bytes:
    """One record of an mcap file."""
    return struct.pack('<BQ', operation, len(content)) + content


def string(value: str | bytes) -> bytes:
    """A string of an mcap file."""
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack('<I', len(data)) + data


def schema(number: int, name: str, encoding: str, data: str | bytes) -> bytes:
    """A schema's record."""
    return record(3, struct.pack('<H', number) + string(name) + string(encoding) + string(data))


def channel(number: int, schema_number: int, topic: str, encoding: str = 'cdr') -> bytes:
    """A channel's record."""
    return record(4, struct.pack('<HH', number, schema_number) + string(topic) + string(encoding)
                  + struct.pack('<I', 0))


def message(channel_number: int, time_ns: int, data: bytes) -> bytes:
    """A message's record."""
    return record(5, struct.pack('<HIQQ', channel_number, 0, time_ns, time_ns) + data)


def chunk(records: bytes, compression: str = '', data: bytes | None = None,
          size: int | None = None) -> bytes:
    """A chunk's record; `data` and `size` where they are not those of `records`."""
    stored = records if data is None else data
    return record(6, struct.pack('<QQQI', 0, 2**62, len(records) if size is None else size, 0)
                  + string(compression) + struct.pack('<Q', len(stored)) + stored)


def mcap(*records: bytes, profile: str = 'ros2') -> bytes:
    """A whole mcap file without a summary, as some recorders leave it."""
    magic = b'\x89MCAP0\r\n'
    return b''.join([magic, record(1, string(profile) + string('by hand')), *records,
                     record(15, bytes(4)), record(2, bytes(20)), magic])


def serialised_image(pixels: np.ndarray, stamp_ns: int) -> bytes:
    """An rgb8 image as ROS 2 sends it."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    _, msgtype, _, values = image('', stamp_ns, pixels, 'rgb8')
    return bytes(store.serialize_cdr(_message(store, msgtype, stamp_ns, values, False), msgtype))
