"""The bag of answers: rosbag2 with mcap storage that any mcap tool can read without this package.

What is recorded is kept whatever ends the recording. Room for the end of the file is put aside
at the beginning, so that a disk that fills up leaves a whole bag of what came before.
"""

from collections.abc import Mapping
import contextlib
import json
import os
from pathlib import Path
import threading
import time
from typing import Any

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.evaluation.online.topics import TYPES
from refdiff_ros.optional import require_package

NODE_LOG = 'node.log'
SETTINGS = 'refdiff_evaluation'  # the key in the bag's metadata
_RESERVE = '.reserve'
_RESERVE_BYTES = 4 << 20


class AnswerBagError(RefDiffError):
    """An answer cannot be recorded, as on a full disk; those before it are kept."""


class RecordingClock:
    """Wall-clock time that nobody sets while it is used."""

    def __init__(self):
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def at_ns(self, monotonic_s: float | None = None) -> int:
        """Nanoseconds since the epoch of a moment on the monotonic clock, or of now."""
        moment_ns = time.monotonic_ns() if monotonic_s is None else round(monotonic_s * 1e9)
        return moment_ns + self._offset_ns


class AnswerBagWriter:
    """Writes a new answer bag, from any thread.

    Args:
        path: the bag's folder. It may be there if nothing but the log of a node is in it.
        store: as from `message_store`.
        settings: what was played to whom, for the bag's metadata.

    Raises:
        BadRequestError: `path` is there already, or cannot be made.
        MissingPackageError: `rosbags` is not installed.
    """

    def __init__(self, path: Path, store: Any, settings: Mapping[str, Any]):
        rosbag2 = require_package('rosbags.rosbag2', 'bags')
        require_new(path)
        self.path = path
        self._lock = threading.Lock()
        self._store, self._count, self._closed = store, 0, False
        try:
            _forget_log(path)
            self._writer = rosbag2.Writer(
                path, version=9, storage_plugin=rosbag2.StoragePlugin.MCAP)
            self._writer.set_compression(
                rosbag2.CompressionMode.STORAGE, rosbag2.CompressionFormat.ZSTD)
            self._writer.set_custom_data(SETTINGS, json.dumps(settings))
            self._writer.open()
            (path / _RESERVE).write_bytes(os.urandom(_RESERVE_BYTES))
        except OSError as error:
            raise BadRequestError(
                f'expected to write a bag at {path}, got: {error}') from error
        self._connections = {topic: self._writer.add_connection(topic, kind, typestore=store)
                             for topic, kind in TYPES.items()}

    @property
    def count(self) -> int:
        """Messages so far."""
        return self._count

    def write(self, topic: str, time_ns: int, data: bytes) -> None:
        """Record a serialised message; after `close` nothing.

        Raises:
            AnswerBagError: it cannot be written; the bag then is closed, and whole if possible.
        """
        with self._lock:
            if self._closed:
                return
            whole = self._writer.storage.bio.tell()
            try:
                self._writer.write(self._connections[topic], time_ns, data)
            except OSError as error:
                self._closed = True
                # What is in memory goes out with the end of the file.
                self._writer.counts[self._connections[topic].id] += 1
                raise AnswerBagError(
                    f'expected room for answers in {self.path}, got: {error.strerror}; '
                    f'{self._finish(whole)}') from error
            self._count += 1

    def write_text(self, topic: str, time_ns: int, text: str) -> None:
        """Record a `std_msgs/String`.

        Raises:
            AnswerBagError: as `write`.
        """
        kind = TYPES[topic]
        message = self._store.types[kind](data=text)
        self.write(topic, time_ns, bytes(self._store.serialize_cdr(message, kind)))

    def close(self) -> None:
        """Finish the bag; one without messages is taken away but for the node's log.

        Raises:
            AnswerBagError: it cannot be finished.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if not self._count:
                self._writer.abort()
                for name in (_RESERVE, f'{self.path.name}.mcap'):
                    (self.path / name).unlink(missing_ok=True)
                return
            try:
                self._writer.close()
            except OSError as error:
                raise AnswerBagError(
                    f'expected room for the bag {self.path}, got: {error}; it is left without '
                    "its index: 'mcap recover' keeps what can be read") from error
            finally:
                (self.path / _RESERVE).unlink(missing_ok=True)

    def _finish(self, whole: int) -> str:
        """End a file that is good up to byte `whole`, in the room put aside; what came of it."""
        try:
            (self.path / _RESERVE).unlink(missing_ok=True)
            self._writer.storage.bio.seek(whole)
            self._writer.storage.bio.truncate()
            self._writer.close()
        except OSError:
            with contextlib.suppress(OSError):
                self._writer.abort()
            return ("the bag is left without its index: 'mcap recover' keeps what can be read")
        return 'the bag is whole up to there'


def require_new(path: Path) -> None:
    """Check that nothing would be overwritten.

    Raises:
        BadRequestError: `path` is there, and more than the log of a node that never answered.
    """
    if path.is_dir() and {item.name for item in path.iterdir()} <= {NODE_LOG}:
        return
    if path.exists() or path.is_symlink():
        raise BadRequestError(f'expected a new folder for the answers, but {path} is there '
                              'already: take another name or delete it')


def _forget_log(path: Path) -> None:
    if path.is_dir():
        (path / NODE_LOG).unlink(missing_ok=True)
        path.rmdir()
