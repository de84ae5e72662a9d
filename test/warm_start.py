"""Starts Python programs as forks of a process that has imported the models' libraries.

Importing them takes five seconds of a core, and the tests start dozens of nodes. Such a fork is a
process like any other: it has arguments, an environment and standard streams of its own, and
nothing of ROS, of torch or of a thread has begun before it was forked. But /proc shows the command
line and the environment of the process that forked it: a test that looks for its processes there
gives them a variable that is not in `_LATE`, and so starts them as a whole.

One such process serves all workers of a run, and the programs that it forked: the node of a forked
`refdiff evaluate bag --online` is a fork as well. It ends with its last client; what a client had
forked ends with the client, as a child of `ChildProcess` does.

Run as a program this is that process: `python warm_start.py NAME`, of an abstract socket.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
import gc
import hashlib
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
import time
from typing import Any

from refdiff_ros.ros.processes import child_process
from refdiff_ros.ros.processes.child_process import end_with_parent

_MESSAGE_BYTES, _MOST_DESCRIPTORS = 1_000_000, 64
# For libraries to be imported on a busy machine, and for somebody to come.
_START_S, _ALONE_S = 280.0, 60.0
# What may differ between the environment of a fork and that in which the libraries were imported.
# Neither ROS nor the simulation nor Ray is among these. The last three are what a first download,
# Ray and an engine say in the tests' own process.
_LATE = ('REFDIFF_', 'ROS_', 'RMW_', 'MUJOCO_', 'MESA_', 'PYOPENGL_', 'RAY_', 'PYTEST_',
         'TORCHINDUCTOR_', 'PYTHONUNBUFFERED', 'HF_HUB_DISABLE_TELEMETRY', 'PYTHONBREAKPOINT',
         'TOKENIZERS_PARALLELISM')
if __name__ != '__main__':
    # Both change the environment of whoever imports them.
    import cv2  # noqa: F401
    import threadpoolctl  # noqa: F401
# As it is before a test changes something for itself.
_ENVIRONMENT = dict(os.environ)


class WarmProcess:
    """A forked program, with those methods of `subprocess.Popen` that the tests use.

    Attributes:
        pid: its process id.
        stdout: what it prints, standard error included, as text; None where that goes to a file.
    """

    def __init__(self, pid: int, pidfd: int, output: int | None, server: '_Server'):
        self.pid = pid
        self.stdout: Any = None
        if output is not None:
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
    output: int | None = None,
    session: bool = False,
) -> WarmProcess | None:
    """Start `command`, a Python script, or '-m' and a module, with its arguments.

    Args:
        command: without the interpreter.
        environment: all of it.
        descriptors: that the process is to hold.
        error: descriptor for standard error; by default it goes to standard output.
        output: descriptor for standard output; by default `stdout` of the process reads it.
        session: whether it is given a session of its own.

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
    return _SERVER.start(command, environment, descriptors, error, output, session)


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


def start_children_warm() -> None:
    """From now on `ChildProcess` forks the nodes that this process starts."""
    child_process.subprocess = _Subprocess()


class _Subprocess:
    """The module `subprocess`, but that commands of this package are forked where they can be."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, command: Sequence[str], **options: Any) -> Any:  # noqa: N802
        """As `subprocess.Popen`."""
        if list(command[:3]) == [sys.executable, '-m', 'refdiff_ros.cli']:
            warm = warm_start(
                command[1:], options['env'], options['pass_fds'],
                output=options['stdout'].fileno(), session=options['start_new_session'])
            if warm:
                return warm
        return subprocess.Popen(command, **options)


class _Server:
    """The process that forks, seen from the tests; one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket = _connected(_name())
        self.environment = json.loads(self._socket.recv(_MESSAGE_BYTES))

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        descriptors: Sequence[int],
        error: int | None,
        output: int | None,
        session: bool,
    ) -> WarmProcess:
        read_end, write_end = os.pipe() if output is None else (None, output)
        request = {'command': list(command), 'environment': dict(environment),
                   'folder': str(Path.cwd()), 'session': session}
        streams = (write_end, write_end if error is None else error)
        try:
            reply, (pidfd,) = self._asked(request, [*streams, *descriptors])
        finally:
            if output is None:
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
            raise RuntimeError('the process that forks has ended')
        return json.loads(reply), received


_SERVER: _Server | None = None
# Of the socket, in the process that forks and in what it forked.
_NAME: str | None = None


def _name() -> str:
    """Of the socket: this run's and this environment's."""
    if _NAME is not None:
        return _NAME
    run = (str(os.getuid()), sys.prefix, os.environ.get('REFDIFF_TEST_LOGS') or str(os.getpid()))
    return '\0refdiff-warm-' + hashlib.sha256('\0'.join(run).encode()).hexdigest()[:24]


def _connected(name: str) -> socket.socket:
    """A connection to the process that forks; it is started where there is none."""
    until, starting = time.monotonic() + _START_S, None
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(name)
            return connection
        except ConnectionRefusedError:
            connection.close()
        # Another may have been quicker: then this one ends at once.
        if starting is None or starting.poll() is not None:
            starting = subprocess.Popen(
                [sys.executable, __file__, name[1:]], stdin=subprocess.DEVNULL, env=_ENVIRONMENT,
                start_new_session=True)
        if time.monotonic() > until:
            raise RuntimeError('the process that forks did not start')
        time.sleep(0.02)


# The process that forks

class _Forker:
    """Forks for its clients until the last of them has gone."""

    def __init__(self, listener: socket.socket):
        self._listener = listener
        self._clients: dict[int, socket.socket] = {}
        # Processes of each client that have not been asked after.
        self._forked: dict[int, dict[int, int]] = {}
        # Nobody asks after these any more.
        self._left_behind: set[int] = set()
        self._prepare = end_with_parent()

    def serve(self) -> None:
        """Returns in the process that was forked, too."""
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        while True:
            events = poller.poll(_ALONE_S * 1000)
            if not events and not self._clients:
                return
            self._left_behind -= {pid for pid in self._left_behind
                                  if os.waitpid(pid, os.WNOHANG)[0]}
            for number, _ in events:
                if number == self._listener.fileno():
                    client, _ = self._listener.accept()
                    with suppress(OSError):
                        client.send(json.dumps(_ENVIRONMENT).encode())
                    self._clients[client.fileno()] = client
                    self._forked[client.fileno()] = {}
                    poller.register(client, select.POLLIN)
                    continue
                request, descriptors = self._received(number)
                if request is None:
                    poller.unregister(number)
                    self._left(number)
                    if not self._clients:
                        return
                elif self._answered(number, request, descriptors):
                    return

    def _received(self, number: int) -> tuple[dict[str, Any] | None, list[int]]:
        try:
            message, descriptors, _, _ = socket.recv_fds(
                self._clients[number], _MESSAGE_BYTES, _MOST_DESCRIPTORS)
        except ConnectionError:
            return None, []
        return (json.loads(message) if message else None), list(descriptors)

    def _left(self, number: int) -> None:
        """A client has ended: what it started ends as well."""
        self._clients.pop(number).close()
        for pid, pidfd in self._forked.pop(number).items():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGTERM)
            os.close(pidfd)
            self._left_behind.add(pid)

    def _answered(self, number: int, request: dict[str, Any], descriptors: list[int]) -> bool:
        """Whether this is a fork, which has run its program."""
        client, forked = self._clients[number], self._forked[number]
        if 'ended' in request:
            _, status = os.waitpid(request['ended'], 0)
            os.close(forked.pop(request['ended']))
            client.send(json.dumps({'status': os.waitstatus_to_exitcode(status)}).encode())
            return False
        pid = os.fork()
        if pid == 0:
            for connection in (self._listener, *self._clients.values()):
                connection.close()
            for pidfds in self._forked.values():
                for pidfd in pidfds.values():
                    os.close(pidfd)
            if self._prepare is not None:
                self._prepare()
            if request['session']:
                os.setsid()
            _become(request, *descriptors[:2])
            return True
        forked[pid] = os.pidfd_open(pid)
        with suppress(OSError):
            socket.send_fds(client, [json.dumps({'pid': pid}).encode()], [forked[pid]])
        for descriptor in descriptors:
            os.close(descriptor)
        return False


def _serve(name: str) -> None:
    global _NAME
    _NAME = '\0' + name
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(_NAME)
    except OSError:
        return  # another was quicker
    listener.listen(64)
    _import_everything()
    tasks = len(list(Path('/proc/self/task').iterdir()))
    if tasks > 1:
        raise SystemExit(f'expected one thread before anything is forked, got {tasks}')
    _Forker(listener).serve()


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
    start_children_warm()
    if request['command'][0] == '-m':
        sys.argv = request['command'][1:]
        sys.path[0] = request['folder']
        runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
    else:
        sys.argv = request['command']
        sys.path[0] = str(Path(sys.argv[0]).parent)
        runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    _serve(sys.argv[1])
