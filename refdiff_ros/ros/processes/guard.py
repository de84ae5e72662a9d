"""Starts a process that ends this one where a step holds the interpreter (`guard_program`)."""

from collections.abc import Sequence
import contextlib
import faulthandler
import mmap
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import threading
import time

from refdiff_ros.ros.processes import guard_program

# How often the board is written, seconds.
_BEAT_S = 0.2
# Places on the board: see `guard_program.LAYOUT`.
_LIMIT, _LIMITED, _NAME = 8, 16, 24
_NAME_BYTES = 64


class Board:
    """Shared memory that says what this process does; writing takes about a microsecond."""

    def __init__(self):
        with tempfile.TemporaryFile() as file:
            file.truncate(guard_program.LAYOUT.size)
            self.descriptor = os.dup(file.fileno())
        self._memory = mmap.mmap(self.descriptor, guard_program.LAYOUT.size)
        self.alive()

    def alive(self) -> None:
        """Threads run now."""
        self._number(0, time.monotonic())

    def limit(self, seconds: float) -> None:
        """How long threads may stand still; 0 for no limit."""
        self._number(_LIMIT, seconds)

    def step(self, name: str, limited: bool) -> None:
        """A step begins, '' for none; `limited` is False for one that may take any time."""
        self._number(_LIMITED, float(limited))
        self._memory[_NAME:_NAME + _NAME_BYTES] = name.encode()[:_NAME_BYTES].ljust(
            _NAME_BYTES, b'\0')

    def _number(self, place: int, value: float) -> None:
        self._memory[place:place + 8] = guard_program.struct.pack('<d', value)


class Guard:
    """Starts the guard of this process; to be made on the main thread, before signals matter.

    Attributes:
        board: where the process notes what it does.

    Args:
        name: how messages call this process.
        reporter: command that tells others of a process that had to be ended; see
            `guard_program`.
    """

    def __init__(self, name: str, reporter: Sequence[str] = ()):
        self.board = Board()
        read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        # Python's handler in C writes a signal's number there, whoever holds the interpreter.
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        # Stacks of all threads, written without the interpreter.
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no standard error
            faulthandler.register(signal.SIGUSR1, all_threads=True)
        self._process = subprocess.Popen(
            [sys.executable, '-I', '-S', str(Path(guard_program.__file__).resolve()),
             str(os.getpid()), str(self.board.descriptor), str(read_end), name, *reporter],
            stdin=subprocess.DEVNULL, start_new_session=True,
            pass_fds=(self.board.descriptor, read_end))
        os.close(read_end)
        threading.Thread(target=self._beat, name='refdiff_beat', daemon=True).start()

    @property
    def pid(self) -> int:
        """The guard's process."""
        return self._process.pid

    def _beat(self) -> None:
        while True:
            self.board.alive()
            time.sleep(_BEAT_S)
