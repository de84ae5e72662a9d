"""The guard: a process beside the node that ends it where the node itself no longer can.

A step inside a library may hold Python's interpreter lock: then no other thread of the node runs,
no signal is handled, and neither Ctrl-C nor launch's SIGTERM ends it. This program needs nothing
but the standard library, starts in some 20 ms, and reads three things of the node:

- the board, shared memory in which the node notes every 0.2 s that its threads run, and every step
  as it begins (`guard.Board` has the layout);
- a pipe into which Python's own handler, which needs no lock, writes each signal's number;
- the end of that pipe, by which it sees that the node is gone.

    python -I -S guard_program.py NODE_PID BOARD_FD SIGNALS_FD NAME [REPORTER ...]

REPORTER is a command that is started a moment before the node has to be ended, and reads from its
input what it has to report; nothing comes when the node goes on after all.
"""

import contextlib
import mmap
import os
from pathlib import Path
import select
import signal
import struct
import subprocess
import sys
import time

# Of the board: seconds on the monotonic clock at which the node's threads ran last; most seconds
# for a step (0: no limit); whether this step is limited (0: no); its name.
LAYOUT = struct.Struct('<ddd64s')
# How often the node is looked at, seconds.
_LOOK_S = 0.2
# What a node may take to end after a signal, seconds: one whose threads stand still, and one that
# is at it (it ends itself after 4.5 s, on a machine with little else to do). Launch waits 5 s.
_END_S, _END_SLOWLY_S = 4.0, 15.0
# Two signals within this are one Ctrl-C, from the terminal and from launch.
_SAME_S = 1.0
# How long before a node is ended its reporter is started, seconds.
_REPORTER_S = 4.0
# How long the stacks that the node prints may take, seconds.
_STACKS_S = 0.3


def main() -> int:
    """Guard one node until it is gone."""
    parent, board_fd, signals_fd = (int(word) for word in sys.argv[1:4])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a group's Ctrl-C is for the node
    guard = Guard(parent, mmap.mmap(board_fd, LAYOUT.size, prot=mmap.PROT_READ), sys.argv[4],
                  sys.argv[5:])
    os.set_blocking(signals_fd, False)
    while os.getppid() == parent:
        ready, _, _ = select.select([signals_fd], [], [], _LOOK_S)
        if ready:
            numbers = os.read(signals_fd, 64)
            if not numbers:
                break
            guard.signalled(numbers)
        guard.look()
    guard.gone()
    return 0


class Guard:
    """What is known of the node.

    Args:
        pid: the node's process.
        board: its shared memory.
        name: how messages call it.
        reporter: command that tells others of a node that was ended; empty for none.
    """

    def __init__(self, pid: int, board: mmap.mmap, name: str, reporter: list[str]):
        self._pid, self._board, self._name = pid, board, name
        self._command = reporter
        self._reporter: subprocess.Popen | None = None
        self._stopped_s = 0.0  # when it was last seen stopped by a debugger or a shell
        self._ending_s = 0.0

    def signalled(self, numbers: bytes) -> None:
        """The node was sent signals."""
        if not {signal.SIGINT, signal.SIGTERM} & set(numbers):
            return
        now_s = time.monotonic()
        if not self._ending_s:
            self._ending_s = now_s
        elif now_s - self._ending_s > _SAME_S and self._silent_s(now_s) > _SAME_S:
            self._end('a second signal came while {step} held the interpreter')

    def look(self) -> None:
        """End the node where it does not run, or has not ended."""
        now_s = time.monotonic()
        if _stopped(self._pid):
            self._stopped_s = now_s
        _, limit_s, limited, _ = self._read()
        limit_s *= limited
        silent_s = self._silent_s(now_s)
        if self._ending_s and now_s - self._ending_s > (
                _END_S if silent_s > 1.0 else _END_SLOWLY_S):
            ending_s = now_s - self._ending_s
            self._end(f'it has not ended {ending_s:.1f} s after a signal, in {{step}}')
        elif limit_s > 0 and silent_s > max(limit_s, 1.0):
            self._end('{step} has held the interpreter for '
                      f'{silent_s:.1f} s (step_timeout {limit_s:g} s)')
        elif limit_s > 0 and silent_s > max(limit_s - _REPORTER_S, limit_s / 2, 1.0):
            self._start_reporter()
        else:
            self.gone()

    def gone(self) -> None:
        """Nothing is to be reported: the node goes on, or has ended by itself."""
        if self._reporter is not None:
            self._reporter.stdin.close()
            self._reporter.wait()
            self._reporter = None

    def _read(self) -> tuple:
        return LAYOUT.unpack(self._board[:])

    def _silent_s(self, now_s: float) -> float:
        return now_s - max(self._read()[0], self._stopped_s)

    def _step(self) -> str:
        name = self._read()[3].rstrip(b'\0').decode(errors='replace')
        return f"the step '{name}'" if name else 'what it does'

    def _start_reporter(self) -> None:
        if self._reporter is None and self._command:
            self._reporter = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, start_new_session=True)

    def _end(self, reason: str) -> None:
        """Have the node print where its threads are, end it, and say so."""
        reason = reason.format(step=self._step())
        print(f'[ERROR] [{self._name}]: {reason}: the process {self._pid} is ended, for it no '
              'longer can itself; the stacks of its threads follow', file=sys.stderr, flush=True)
        if self._reporter is not None:
            self._reporter.stdin.write(f'{reason}; the process was ended\n'.encode())
            self._reporter.stdin.close()
            self._reporter = None
        _signal(self._pid, signal.SIGUSR1)
        time.sleep(_STACKS_S)
        _signal(self._pid, signal.SIGKILL)
        sys.exit(0)


def _signal(pid: int, number: int) -> None:
    # The parent is not waited for by this process: its number cannot be another's while
    # `getppid` gives it.
    if os.getppid() == pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _stopped(pid: int) -> bool:
    """Whether a process is stopped, as by Ctrl-Z or a debugger (Linux)."""
    try:
        stat = Path(f'/proc/{pid}/stat').read_bytes()
    except OSError:
        return False
    return stat.rpartition(b')')[2].split()[0] in (b'T', b't')


if __name__ == '__main__':
    sys.exit(main())
