"""Starts Python programs as forks of a process that has imported the models' libraries.

Importing them takes five seconds of a core, and the tests start dozens of nodes. Such a fork is a
process like any other: it has a command line, an environment and standard streams of its own, and
nothing of ROS, of torch or of a thread has begun before it was forked.

Run as a program this is that process: `python warm_start.py SOCKET_DESCRIPTOR`.
"""

import atexit
from collections.abc import Mapping, Sequence
import gc
import json
import os
from pathlib import Path
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Any

from refdiff_ros.ros.processes.child_process import end_with_parent

_MESSAGE_BYTES, _MOST_DESCRIPTORS = 1_000_000, 64
# What may differ between the environment of a fork and that in which the libraries were imported.
# Neither ROS nor the simulation nor Ray is among these. The last two are what a first download and
# Ray say in the tests' own process.
_LATE = ('REFDIFF_', 'ROS_', 'RMW_', 'MUJOCO_', 'MESA_', 'PYOPENGL_', 'RAY_', 'PYTEST_',
         'TORCHINDUCTOR_', 'PYTHONUNBUFFERED', 'HF_HUB_DISABLE_TELEMETRY', 'PYTHONBREAKPOINT')


class WarmProcess:
    """A forked program, with those methods of `subprocess.Popen` that the tests use.

    Attributes:
        pid: its process id.
        stdout: what it prints, standard error included, as text.
    """

    def __init__(self, pid: int, pidfd: int, output: int, server: '_Server'):
        self.pid = pid
        self.stdout = os.fdopen(output, encoding='utf-8', errors='replace')
        self._pidfd, self._server = pidfd, server
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, negative for a signal. Raises `subprocess.TimeoutExpired`."""
        if self._status is None:
            poller = select.poll()
            poller.register(self._pidfd, select.POLLIN)
            if not poller.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._status = self._server.status(self.pid)
        return self._status

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing where it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def warm_start(
    command: Sequence[str],
    environment: Mapping[str, str],
    descriptors: Sequence[int] = (),
    error: int | None = None,
) -> WarmProcess | None:
    """Start `command`, a Python script, or '-m' and a module, with its arguments.

    Args:
        command: without the interpreter.
        environment: all of it.
        descriptors: that the process is to hold.
        error: descriptor for standard error; by default it goes to standard output.

    Returns:
        The process; None where the environment says something that libraries read when they are
        imported, so that the program has to be started as a whole. The same where torch may have
        several threads, which no fork inherits.
    """
    global _SERVER
    if environment.get('OMP_NUM_THREADS') != '1':
        return None
    if _SERVER is None:
        _SERVER = _Server()
    changed = {name for name in {*environment, *_SERVER.environment}
               if environment.get(name) != _SERVER.environment.get(name)}
    if any(not name.startswith(_LATE) for name in changed):
        return None
    return _SERVER.start(command, environment, descriptors, error)


def warm_up() -> None:
    """Have the libraries imported now, before something begins that uses a core meanwhile."""
    warm_run(['-m', 'this'], timeout_s=120)


def warm_run(command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess:
    """As `subprocess.run` with `capture_output` and `text`, of a Python program.

    Raises:
        subprocess.TimeoutExpired: it was ended then.
    """
    with tempfile.TemporaryFile('w+', encoding='utf-8', errors='replace') as errors:
        process = warm_start(command, os.environ, error=errors.fileno())
        if process is None:
            return subprocess.run([sys.executable, *command], capture_output=True, text=True,
                                  timeout=timeout_s, check=False)
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        output = process.stdout.read()
        timer.cancel()
        status = process.wait()
        if status == -signal.SIGKILL:
            raise subprocess.TimeoutExpired(command, timeout_s, output)
        errors.seek(0)
        return subprocess.CompletedProcess(command, status, output, errors.read())


class _Server:
    """The process that forks, seen from the tests; one call at a time."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), preexec_fn=end_with_parent())
        self._lock = threading.Lock()
        atexit.register(self._process.kill)

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        descriptors: Sequence[int],
        error: int | None,
    ) -> WarmProcess:
        read_end, write_end = os.pipe()
        request = {'command': list(command), 'environment': dict(environment),
                   'folder': str(Path.cwd())}
        streams = (write_end, write_end if error is None else error)
        try:
            reply, (pidfd,) = self._asked(request, [*streams, *descriptors])
        finally:
            os.close(write_end)
        return WarmProcess(reply['pid'], pidfd, read_end, self)

    def status(self, pid: int) -> int:
        """The exit status of one that has ended."""
        return self._asked({'ended': pid}, [])[0]['status']

    def _asked(self, request: dict[str, Any], descriptors: list[int]) -> tuple[dict, list[int]]:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            reply, received, _, _ = socket.recv_fds(self._socket, _MESSAGE_BYTES, 1)
        if not reply:
            raise RuntimeError(f'the process that forks has ended: {self._process.wait()}')
        return json.loads(reply), received


_SERVER: _Server | None = None


# The process that forks

def _serve(control: socket.socket) -> None:
    _import_everything()
    tasks = len(list(Path('/proc/self/task').iterdir()))
    if tasks > 1:
        raise SystemExit(f'expected one thread before anything is forked, got {tasks}')
    prepare = end_with_parent()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, _MOST_DESCRIPTORS)
        if not message:
            return
        request = json.loads(message)
        if 'ended' in request:
            _, status = os.waitpid(request['ended'], 0)
            control.send(json.dumps({'status': os.waitstatus_to_exitcode(status)}).encode())
            continue
        pid = os.fork()
        if pid == 0:
            control.close()
            prepare()
            _become(request, *descriptors[:2])
            return
        pidfd = os.pidfd_open(pid)
        socket.send_fds(control, [json.dumps({'pid': pid}).encode()], [pidfd])
        for descriptor in (pidfd, *descriptors):
            os.close(descriptor)


def _import_everything() -> None:
    # Without rclpy, whose libraries start threads as soon as they are loaded.
    import refdiff_ros.cli
    import refdiff_ros.engine  # noqa: F401
    from refdiff_ros.models.manager import load_bundle

    # Libraries import a part of themselves when a model is made.
    load_bundle('untrained_mini', device='cpu')
    # Else each fork would search, and so copy, all of it for garbage.
    gc.collect()
    gc.freeze()


def _become(request: dict[str, Any], output: int, error: int) -> None:
    """Run the program of a request in this process, which was just forked."""
    os.dup2(output, 1)
    os.dup2(error, 2)
    os.close(output)
    os.close(error)
    sys.stdout, sys.stderr = (
        os.fdopen(number, 'w', buffering=1, encoding='utf-8', errors='backslashreplace')
        for number in (1, 2))
    os.environ.clear()
    os.environ.update(request['environment'])
    os.chdir(request['folder'])
    if request['command'][0] == '-m':
        sys.argv = request['command'][1:]
        sys.path[0] = request['folder']
        runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
    else:
        sys.argv = request['command']
        sys.path[0] = str(Path(sys.argv[0]).parent)
        runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    _serve(socket.socket(fileno=int(sys.argv[1])))
