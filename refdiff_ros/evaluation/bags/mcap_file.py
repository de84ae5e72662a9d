"""An mcap file as a storage of `rosbags`, which reads whatever else lies beside the wanted topics.

Recorders put service events, action feedback, JSON and protobuf into the same file. Their schemas
are kept as they are and never parsed, so that only a topic that is asked for can be refused.
https://mcap.dev/spec
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
import heapq
import mmap
from pathlib import Path
import struct
from typing import Any, BinaryIO

from refdiff_ros.evaluation.bags.expanding import BagError, DamagedError, expand_chunk
from refdiff_ros.optional import require_package

_MAGIC = b'\x89MCAP0\r\n'
_HEADER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _CHUNK_INDEX, _STATISTICS, _DATA_END = (
    0x01, 0x03, 0x04, 0x05, 0x06, 0x08, 0x0B, 0x0F)
_FOOTER_BYTES = 9 + 20  # the record that ends the file, before the magic
_END = 2**63 - 1


@dataclass(frozen=True)
class _Chunk:
    """Where a chunk lies and what it holds: times in nanoseconds."""

    start_ns: int
    end_ns: int
    place: int


class McapFile:
    """One mcap file, open between `open` and `close`.

    Attributes:
        path: of the file.
        connections: of `rosbags`, one a channel.
        metadata: of `rosbags`.
    """

    def __init__(self, path: Path):
        self.path = path
        self.connections: list[Any] = []
        self.metadata = self._summary({})
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Read which channels there are, and where.

        Raises:
            BagError: the file is not of ROS 2, or a chunk becomes too large.
            DamagedError: it is no whole mcap file.
        """
        self._file = self.path.open('rb')
        try:
            if not self.path.stat().st_size:
                raise DamagedError('the file is empty')
            self._data = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            self._schemas: dict[int, tuple[str, str, str]] = {}
            self._channels: dict[int, tuple[int, str, str, bytes]] = {}
            self._chunks: list[_Chunk] = []
            self._counts: dict[int, int] = {}  # messages by channel
            self._counted = False  # whether the summary says how many there are
            self._loose: list[tuple[int, int]] = []  # messages outside chunks: time and place
            self._start_ns, self._end_ns = _END, 0
            self._index()
            self.connections = [self._connection(*item) for item in self._channels.items()]
            self.metadata = self._summary(self._counts)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self.connections.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def messages(
        self, connections: Collection[Any], start: int | None = None, stop: int | None = None,
    ) -> Iterator[tuple[Any, int, bytes]]:
        """Messages of some connections in the order of their times.

        Args:
            connections: of this file.
            start, stop: nanoseconds; from `start` on and before `stop`.

        Raises:
            BagError, DamagedError: a chunk becomes too large, or is damaged.
        """
        wanted = {connection.id: connection for connection in connections}
        first, last = start or 0, _END if stop is None else stop
        for time_ns, channel, data in self._in_order(wanted):
            if first <= time_ns < last:
                yield wanted[channel], time_ns, data

    # Messages

    def _in_order(self, wanted: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Time, channel and data: chunks may overlap, so what is later than the next one waits."""
        held: list[tuple[int, int, int, bytes]] = []
        number = 0
        for start_ns, read in self._sources():
            while held and held[0][0] < start_ns:
                time_ns, _, channel, data = heapq.heappop(held)
                yield time_ns, channel, data
            for time_ns, channel, data in read(wanted):
                heapq.heappush(held, (time_ns, number, channel, data))
                number += 1
        while held:
            time_ns, _, channel, data = heapq.heappop(held)
            yield time_ns, channel, data

    def _sources(self) -> list[tuple[int, Any]]:
        chunks = [(chunk.start_ns, lambda wanted, chunk=chunk: self._of_chunk(chunk, wanted))
                  for chunk in self._chunks]
        loose = [(time_ns, lambda wanted, place=place: self._at(place, wanted))
                 for time_ns, place in self._loose]
        return sorted([*chunks, *loose], key=lambda source: source[0])

    def _of_chunk(self, chunk: _Chunk, wanted: Collection[int],
                  ) -> Iterator[tuple[int, int, bytes]]:
        data = self._expanded(*next(_records(self._data, chunk.place, len(self._data)))[1:])
        for operation, start, end in _records(data, 0, len(data)):
            if operation == _MESSAGE:
                yield from _message(data, start, end, wanted)

    def _at(self, place: int, wanted: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        _, start, end = next(_records(self._data, place, len(self._data)))
        return _message(self._data, start, end, wanted)

    def _expanded(self, start: int, end: int) -> bytes:
        """What a chunk's record holds."""
        _, _, size, crc = struct.unpack_from('<QQQI', self._data, start)
        compression, place = _text(self._data, start + 28)
        (length,) = struct.unpack_from('<Q', self._data, place)
        if place + 8 + length > end:
            raise DamagedError('a chunk that goes beyond its record')
        return expand_chunk(self._data[place + 8:place + 8 + length], compression, size, crc)

    # The index

    def _index(self) -> None:
        data = self._data
        if data[:8] != _MAGIC:
            raise DamagedError('the file does not begin as an mcap file')
        operation, start, body = next(_records(data, 8, len(data)))
        profile, _ = _text(data, start) if operation == _HEADER else ('', 0)
        if profile not in ('', 'ros2'):
            raise BagError(
                f"expected an mcap file of the profile ros2, got '{profile}' in {self.path}: "
                "convert the bag that it was made from by 'rosbags-convert'")
        footer = len(data) - len(_MAGIC) - _FOOTER_BYTES
        if data[-8:] != _MAGIC or footer < body or data[footer] != 0x02:
            raise DamagedError('the file has no end')
        (summary,) = struct.unpack_from('<Q', data, footer + 9)
        if summary and not body <= summary <= footer:
            raise DamagedError('its summary lies outside the file')
        if summary:
            self._read(data, summary, footer)
        if not summary or not self._channels or not self._counted:
            self._chunks.clear()
            self._counts = {}
            self._read(data, body, summary or footer, scan=True)

    def _read(self, data: Any, start: int, end: int, scan: bool = False) -> None:
        """Take in the records between two places; with `scan` messages and chunks as well."""
        for operation, first, last in _records(data, start, end):
            if operation == _SCHEMA:
                self._take_schema(data, first)
            elif operation == _CHANNEL:
                self._take_channel(data, first, last)
            elif operation == _CHUNK_INDEX and not scan:
                start_ns, end_ns, place = struct.unpack_from('<QQQ', data, first)
                self._chunks.append(_Chunk(start_ns, end_ns, place))
            elif operation == _STATISTICS and not scan:
                self._take_statistics(data, first)
            elif operation == _CHUNK and scan:
                start_ns, end_ns = struct.unpack_from('<QQ', data, first)
                self._chunks.append(_Chunk(start_ns, end_ns, first - 9))
                inner = self._expanded(first, last)
                self._read(inner, 0, len(inner), scan=True)
            elif operation == _MESSAGE and scan:
                self._count(data, first, data is self._data)
            elif operation == _DATA_END and scan:
                return

    def _take_schema(self, data: Any, place: int) -> None:
        (number,) = struct.unpack_from('<H', data, place)
        name, place = _text(data, place + 2)
        encoding, place = _text(data, place)
        definition, _ = _text(data, place)
        self._schemas[number] = name, encoding, definition

    def _take_channel(self, data: Any, place: int, end: int) -> None:
        number, schema = struct.unpack_from('<HH', data, place)
        topic, place = _text(data, place + 4)
        encoding, place = _text(data, place)
        self._channels[number] = schema, topic, encoding, bytes(data[place + 4:end])

    def _take_statistics(self, data: Any, place: int) -> None:
        self._start_ns, self._end_ns, size = struct.unpack_from('<QQI', data, place + 26)
        self._counted = True
        self._counts = dict(struct.iter_unpack('<HQ', data[place + 46:place + 46 + size]))

    def _count(self, data: Any, place: int, loose: bool) -> None:
        channel, _, time_ns = struct.unpack_from('<HIQ', data, place)
        self._counts[channel] = self._counts.get(channel, 0) + 1
        self._start_ns, self._end_ns = min(self._start_ns, time_ns), max(self._end_ns, time_ns)
        if loose:
            self._loose.append((time_ns, place - 9))

    # What `rosbags` wants to know

    def _connection(self, number: int, channel: tuple[int, str, str, bytes]) -> Any:
        interfaces = require_package('rosbags.interfaces', 'bags')
        storage = require_package('rosbags.rosbag2.storage_mcap', 'bags')
        forms = interfaces.MessageDefinitionFormat
        schema, topic, encoding, metadata = channel
        name, kind, definition = self._schemas.get(schema, ('__schemaless__', '', ''))
        form = {'ros2msg': forms.MSG, 'ros2idl': forms.IDL, 'omgidl': forms.IDL}.get(
            kind, forms.NONE)
        try:
            qos = storage.get_qos(metadata)
        except Exception:  # of a recorder that writes it in a way of its own
            qos = []
        # An encoding that is not ROS 2's counts as the channel's, so that nobody decodes it.
        known = form is not forms.NONE or kind == ''
        return interfaces.Connection(
            number, topic, name, interfaces.MessageDefinition(form, definition), '',
            self._counts.get(number, 0),
            interfaces.ConnectionExtRosbag2(encoding if known else kind, qos), self)

    def _summary(self, counts: dict[int, int]) -> Any:
        metadata = require_package('rosbags.rosbag2.metadata', 'bags').ReaderMetadata
        count = sum(counts.values())
        if not count:
            return metadata(0, _END, 0, 0, None, None, None, None)
        return metadata(self._end_ns - self._start_ns + 1, self._start_ns, self._end_ns + 1,
                        count, None, None, None, None)


def _records(data: Any, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Of each record between two places: its kind, and where its content begins and ends."""
    while start < end:
        if start + 9 > end:
            raise DamagedError('a record that was cut off')
        (length,) = struct.unpack_from('<Q', data, start + 1)
        if start + 9 + length > end:
            raise DamagedError('a record that was cut off')
        yield data[start], start + 9, start + 9 + length
        start += 9 + length


def _message(data: Any, start: int, end: int, wanted: Collection[int],
             ) -> Iterator[tuple[int, int, bytes]]:
    if end - start < 22:
        raise DamagedError('a message that was cut off')
    channel, _, time_ns = struct.unpack_from('<HIQ', data, start)
    if channel in wanted:
        yield time_ns, channel, bytes(data[start + 22:end])


def _text(data: Any, place: int) -> tuple[str, int]:
    """A string and where it ends; what is no UTF-8, as in comments, is replaced."""
    (length,) = struct.unpack_from('<I', data, place)
    return bytes(data[place + 4:place + 4 + length]).decode(errors='replace'), place + 4 + length
