"""Recorded bags of either ROS, through `rosbags`: rosbag2 (sqlite3, mcap) and ROS 1.

A bag is a rosbag2 folder with its `metadata.yaml`, a single `.mcap` or `.db3` file, or a ROS 1
`.bag` file; whatever compression `rosbags` knows is read (rosbag2: zstd by message or by file,
which needs room in the temporary folder; mcap chunks: zstd, lz4; ROS 1: bz2, lz4).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
import logging
from pathlib import Path
import struct
from typing import Any

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.evaluation.bags.expanding import BagError
from refdiff_ros.evaluation.bags.readers import MessageTypes, open_reader

__all__ = (
    'CAMERA_INFO',
    'COMPRESSED_IMAGE',
    'IMAGE',
    'IMAGE_TYPES',
    'Bag',
    'BagError',
    'Recorded',
)

_LOG = logging.getLogger(__name__)

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)

_REPAIRS = {
    '.mcap': "'mcap recover IN.mcap -o OUT.mcap' keeps what can be read",
    '.bag': "'rosbag reindex BAG' (of ROS 1) repairs the index",
    '.db3': "'sqlite3 IN.db3 .recover | sqlite3 OUT.db3' keeps what can be read",
    '': "'ros2 bag reindex BAG' writes metadata.yaml anew; 'mcap recover' keeps what can be read "
        'of a cut-off mcap file',
}


@dataclass(frozen=True)
class Recorded:
    """One message as it lies in the bag.

    Attributes:
        number: counts the messages of one `Bag.messages` call; the same topics give the same
            numbers each time.
        topic, msgtype: as in `Bag.topics`.
        stamp_ns: of the message's header; the time of recording for a header of stamp 0, as
            drivers without a clock send.
        data: serialised.
        recorded_ns: the time of recording.
    """

    number: int
    topic: str
    msgtype: str
    stamp_ns: int
    data: bytes
    recorded_ns: int


class Bag:
    """A bag that is open for reading; use it in a `with` statement.

    Attributes:
        path: as it was given.
        topics: name to message type ('' for a topic of several types), sorted.
        custom: what its recorder has written into its metadata, by name.
        is_ros2: whether it is a rosbag2, and not a bag of ROS 1.

    Raises:
        BagError: the bag is missing, cut off or not indexed.
        MissingPackageError: `rosbags` is not installed.
    """

    def __init__(self, path: Path):
        self.path = path
        self._noted: set[str] = set()
        _check_path(path)
        self.is_ros2 = path.suffix != '.bag'
        with self._told('a whole bag'):
            self._reader = open_reader(path)
        self._types = MessageTypes(self._reader.connections, self.is_ros2)
        self.topics: Mapping[str, str] = {
            name: topic.msgtype or '' for name, topic in sorted(self._reader.topics.items())}
        storage = getattr(self._reader, 'storage', None)  # of rosbag2
        self.custom: Mapping[str, str] = dict(
            storage.metadata.custom or {} if storage is not None else {})

    def __enter__(self) -> 'Bag':
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def note(self, text: str) -> None:
        """Log a sentence on what the bag holds, once."""
        if text not in self._noted:
            self._noted.add(text)
            _LOG.warning('%s: %s', self.path, text)

    def require(self, topic: str, types: tuple[str, ...]) -> None:
        """Check that `topic` is recorded and of one of `types`.

        Raises:
            BadRequestError: it is not; the message lists the topics with their types. Or its
                messages cannot be read: it says why.
        """
        if self.topics.get(topic) in types:
            self._types.require(topic)
            return
        # What would do comes first: a bag may hold hundreds of topics.
        listed = sorted(self.topics, key=lambda name: self.topics[name] not in types)
        names = ', '.join(f'{name} ({_named(self.topics[name])})' for name in listed)
        came = f'{topic} of type {_named(self.topics[topic])}' if topic in self.topics else 'none'
        raise BadRequestError(
            f'expected a topic {topic} of type {" or ".join(types)} in {self.path}, got {came}; '
            f'the bag has {names or "no topics"}')

    def messages(self, topics: Iterable[str]) -> Iterator[Recorded]:
        """The messages of `topics` in the order of recording; only those that start with a header
        have a stamp of meaning.

        Raises:
            BagError: the bag is damaged within.
        """
        wanted = set(topics)
        connections = [one for one in self._reader.connections if one.topic in wanted]
        if not connections:
            return
        number = 0
        with self._told('a bag that is whole to its end'):
            for number, (connection, time_ns, data) in enumerate(
                    self._reader.messages(connections)):
                yield Recorded(number, connection.topic, connection.msgtype,
                               self._stamp_ns(data) or time_ns, data, time_ns)

    def decode(self, message: Recorded) -> Any:
        """The message as an object with the fields of its type.

        Raises:
            BadRequestError: the message was cut off or does not fit its type.
        """
        try:
            return self._types.decode(message.data, message.msgtype)
        except Exception as error:  # whatever bytes that do not fit make the decoder raise
            raise BadRequestError(
                f'expected a whole {message.msgtype} on {message.topic}, got {len(message.data)} '
                f'bytes that cannot be read ({_reason(error)})') from error

    def as_cdr(self, message: Recorded) -> bytes:
        """The message as ROS 2 sends it: the bytes of a rosbag2 as they are, but for a header of
        stamp 0, which gets the message's `stamp_ns`; those of ROS 1 laid out anew.

        Raises:
            BadRequestError: a message of ROS 1 was cut off or does not fit its type.
        """
        data = message.data
        if not self.is_ros2:
            try:
                data = bytes(self._types.ros1_to_cdr(data, message.msgtype))
            except Exception as error:  # whatever bytes that do not fit make the converter raise
                raise BadRequestError(
                    f'expected a whole {message.msgtype} on {message.topic}, got '
                    f'{len(message.data)} bytes that cannot be read ({_reason(error)})') from error
        if len(data) < 12 or any(data[4:12]):
            return data
        order = '<' if data[1] & 1 else '>'
        stamp = struct.pack(f'{order}iI', *divmod(message.stamp_ns, 1_000_000_000))
        return data[:4] + stamp + data[12:]

    def _stamp_ns(self, data: bytes) -> int:
        """The header's stamp from the message's first bytes, so that a scan decodes nothing; 0
        for a message that is too short to have one.
        """
        if len(data) < 12:
            return 0
        # CDR: two bytes of representation (its lowest bit: little endian), two of options, then
        # the stamp. ROS 1: a sequence number, then the stamp.
        order = '<' if not self.is_ros2 or data[1] & 1 else '>'
        seconds, nanoseconds = struct.unpack_from(
            f'{order}iI' if self.is_ros2 else '<II', data, 4)
        return seconds * 1_000_000_000 + nanoseconds

    @contextmanager
    def _told(self, expected: str) -> Iterator[None]:
        try:
            yield
        except RefDiffError:
            raise
        except Exception as error:  # damaged files make the readers raise all kinds of errors
            repair = _REPAIRS.get(self.path.suffix, _REPAIRS[''])
            raise BagError(f'expected {expected} at {self.path}, but it cannot be read '
                           f'({_reason(error)}): was the recorder stopped properly? {repair}'
                           ) from error


def _check_path(path: Path) -> None:
    if not path.exists():
        raise BagError(f'expected a bag at {path}, found nothing: give a rosbag2 folder, or an '
                       '.mcap, .db3 or .bag file')
    if path.is_dir():
        if (path / 'metadata.yaml').exists():
            return
        files = sorted(file.name for file in path.iterdir()
                       if file.suffix in ('.mcap', '.db3', '.bag'))
        hint = f"run 'ros2 bag reindex {path}', or give a file of it ({', '.join(files)})" \
            if files else 'is it another folder?'
        raise BagError(f'expected metadata.yaml in the bag folder {path}, found none: {hint}')
    if path.suffix not in ('.mcap', '.db3', '.bag'):
        hint = 'of a compressed bag give the folder' if path.suffix == '.zstd' else \
            'convert it, or give it its right ending'
        raise BagError('expected a rosbag2 folder, or an .mcap, .db3 or .bag file, got '
                       f'{path}: {hint}')


def _named(msgtype: str) -> str:
    return msgtype or 'several types'


def _reason(error: Exception) -> str:
    text = ' '.join(str(error).split())
    return f'{type(error).__name__}: {text}' if text else type(error).__name__
