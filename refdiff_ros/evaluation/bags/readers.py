"""Readers of `rosbags` with what it lacks: foreign topics, and limits on what is expanded.

Its own reader registers the definitions of all topics before it hands out one, so that a single
one which it does not know (JSON, protobuf, an action's feedback) makes the whole bag unreadable.
Here a definition is parsed when messages of its type are decoded.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.expanding import check_file, expand, limited
from refdiff_ros.evaluation.bags.mcap_file import McapFile
from refdiff_ros.optional import require_package

# Between the IDL files of one definition.
_IDL_RULE = '=' * 80 + '\n'


def open_reader(path: Path) -> Any:
    """A reader of `rosbags`, open, for a bag of either ROS.

    Raises:
        BagError: a part of it becomes too large.
        Exception: whatever `rosbags` raises for a bag that is damaged.
    """
    reader = _ros1_reader(path) if path.suffix == '.bag' else _ros2_classes()(path)
    reader.open()
    if path.suffix == '.bag':
        _limit_chunks(reader)
    return reader


@cache
def _ros2_classes() -> type:
    """The reader of rosbag2 with our own storage for mcap."""
    rosbag2: Any = require_package('rosbags.rosbag2.reader', 'bags')
    sqlite3 = require_package('rosbags.rosbag2.storage_sqlite3', 'bags').Sqlite3Reader

    class Folder(rosbag2.DirectoryReader):
        """A folder with its metadata.yaml."""

        metadata: Any
        STORAGE_PLUGINS = {'mcap': McapFile, 'sqlite3': sqlite3}  # noqa: RUF012

        def open(self) -> None:
            """As rosbags, but a file of zstd that becomes too large is refused."""
            for file in _compressed_files(self.path):
                check_file(file)
            super().open()
            self._by_message = self.metadata.compression_mode == 'message'
            if self._by_message:  # expanded here, with a limit
                self.metadata = self.metadata._replace(compression_mode=None)

        def messages(self, *args: Any, **kwargs: Any) -> Iterator[tuple[Any, int, bytes]]:
            """As rosbags, but a message that becomes too large is refused."""
            for connection, time_ns, data in super().messages(*args, **kwargs):
                yield connection, time_ns, expand(data, 'zstd') if self._by_message else data

    class Reader(rosbag2.Reader):
        """A folder or a single file."""

        STORAGE_PLUGINS = {'dir': Folder, '.mcap': McapFile, '.db3': sqlite3}  # noqa: RUF012

    return Reader


def _compressed_files(folder: Path) -> list[Path]:
    """The files of a bag that was compressed by file; none where metadata.yaml says otherwise."""
    try:
        values = yaml.safe_load((folder / 'metadata.yaml').read_text())
        about = values['rosbag2_bagfile_information']
        if str(about.get('compression_mode', '')).lower() != 'file':
            return []
        files = [folder / Path(name).name for name in about['relative_file_paths']]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return []  # rosbags says what is wrong with it
    return [file for file in files if file.is_file()]


def _ros1_reader(path: Path) -> Any:
    return require_package('rosbags.rosbag1', 'bags').Reader(path)


def _limit_chunks(reader: Any) -> None:
    rosbag1 = require_package('rosbags.rosbag1.reader', 'bags')
    names = {decompress: name for name, decompress in rosbag1.decompressors.items()}
    reader.chunks = {
        place: chunk._replace(decompressor=limited(names[chunk.decompressor]))
        for place, chunk in reader.chunks.items()}


class MessageTypes:
    """Decodes messages by the definitions that came with them, or by ROS's own.

    Args:
        connections: of the reader.
        is_ros2: whether messages are laid out as ROS 2 does.
    """

    def __init__(self, connections: Sequence[Any], is_ros2: bool):
        self._typesys = require_package('rosbags.typesys', 'bags')
        # rosbag2 recorders before Iron wrote no message definitions into sqlite3 files.
        self._ros2 = self._typesys.get_typestore(self._typesys.Stores.LATEST)
        self._connections = list(connections)
        self._is_ros2 = is_ros2
        self._stores: dict[str, Any] = {}

    def require(self, topic: str) -> None:
        """Check that the messages of a topic can be decoded.

        Raises:
            BadRequestError: they are of another encoding, or their definition cannot be parsed.
        """
        for connection in self._connections:
            if connection.topic != topic:
                continue
            encoding = getattr(connection.ext, 'serialization_format', 'cdr')
            if encoding != 'cdr':
                raise BadRequestError(
                    f'expected messages of ROS 2 (cdr) on {topic}, got the encoding '
                    f"'{encoding}': record the topic by 'ros2 bag record'")
            self._store(connection.msgtype)

    def decode(self, data: bytes, msgtype: str) -> Any:
        """A message as an object with the fields of its type.

        Raises:
            Exception: whatever `rosbags` raises for bytes that do not fit.
        """
        store = self._store(msgtype)
        if self._is_ros2:
            return store.deserialize_cdr(data, msgtype)
        return store.deserialize_ros1(data, msgtype)

    def ros1_to_cdr(self, data: bytes, msgtype: str) -> bytes:
        """A message of ROS 1 laid out as ROS 2 does; raises as `decode`."""
        return bytes(self._ros2.ros1_to_cdr(data, msgtype))

    def _store(self, msgtype: str) -> Any:
        if msgtype not in self._stores:
            self._stores[msgtype] = self._make_store(msgtype)
        return self._stores[msgtype]

    def _make_store(self, msgtype: str) -> Any:
        reason = 'no definition came with it'
        for connection in self._connections:
            if connection.msgtype != msgtype or connection.msgdef.format.name == 'NONE':
                continue
            store = self._typesys.get_typestore(self._typesys.Stores.EMPTY)
            try:
                store.register(self._parsed(connection))
            except Exception as error:  # whatever a definition makes the parser raise
                reason = f'its definition cannot be parsed ({type(error).__name__})'
                continue
            return store
        if self._is_ros2 and msgtype in self._ros2.fielddefs:
            return self._ros2
        raise BadRequestError(f'expected a definition of {msgtype} in the bag, but {reason}')

    def _parsed(self, connection: Any) -> Any:
        text = connection.msgdef.data
        if connection.msgdef.format.name == 'MSG':
            return self._typesys.get_types_from_msg(text, connection.msgtype)
        if not text.startswith(f'{_IDL_RULE}IDL: '):
            return self._typesys.get_types_from_idl(text)
        types: dict[str, Any] = {}
        for part in text.split(_IDL_RULE)[1:]:
            types.update(self._typesys.get_types_from_idl(part.partition('\n')[2]))
        return types
