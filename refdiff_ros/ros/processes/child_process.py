"""Programs that are started, watched, and ended with their parent whatever happens."""

from collections.abc import Callable, Mapping, Sequence
import ctypes
import os
from pathlib import Path
import signal
import subprocess
import sys

from refdiff_ros.errors import RefDiffError
from refdiff_ros.ros.processes.private_domain import claim_descriptors

# From <sys/prctl.h>.
_PR_SET_PDEATHSIG = 1


class ChildDiedError(RefDiffError):
    """A program ended by itself; the message carries its last lines."""


class ChildProcess:
    """A program in a session of its own, its output in a file.

    A session of its own, because Ctrl-C in a terminal reaches every process of the foreground
    group at once: the parent decides the order of ending. Should the parent be killed, the
    kernel ends the child (Linux). Until it has ended, it holds the parent's claim to a ROS domain
    as well.

    Args:
        name: how messages call it.
        command: program and arguments.
        log: file for its output; the folder is made.
        environment: added to this process's own.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path,
                 environment: Mapping[str, str] | None = None):
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('wb') as output:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=end_with_parent(),
                pass_fds=claim_descriptors(),
                env={**os.environ, 'PYTHONUNBUFFERED': '1', **(environment or {})})

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Do nothing while the process runs.

        Raises:
            ChildDiedError: it has ended.
        """
        status = self._process.poll()
        if status is not None:
            raise ChildDiedError(
                f'expected the {self.name} to keep running, it ended with status {status}; its '
                f'last lines (all in {self.log}):\n{self.tail()}')

    def tail(self, lines: int = 15) -> str:
        """Its last lines of output, indented."""
        text = self.log.read_text(errors='replace').splitlines()[-lines:]
        return '\n'.join(f'    {line}' for line in text) or '    (it printed nothing)'

    def stop(self, patience_s: float = 10.0) -> int:
        """End it: SIGINT, after `patience_s` SIGTERM, after 2 s more SIGKILL.

        Returns:
            Its exit status; negative when a signal ended it.
        """
        for number, seconds in ((signal.SIGINT, patience_s), (signal.SIGTERM, 2.0),
                                (signal.SIGKILL, 10.0)):
            if not self.alive:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        return self._process.wait()


def end_with_parent() -> Callable[[], object] | None:
    """What a child does before its program starts, so that the kernel ends it with its parent.

    Returns:
        For `preexec_fn`; None where the kernel cannot help.
    """
    if not sys.platform.startswith('linux'):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was killed before this was asked for
            os._exit(1)
    return prepare
