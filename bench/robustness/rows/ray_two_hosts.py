"""Ray over two hosts, which are network namespaces here; one is cut off for a minute.

Needs root, and `ip` of iproute2.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

from phrase_run import CASES, PhraseRun, PICTURES
from row import Effort, Outcome, Row

PORT, CUT_S = 6399, 60.0
_SUBNET = '10.77.0'
_START_S = 180.0


class Host:
    """A network namespace with one address, and a Ray in it.

    Args:
        number: 1 or 2, the end of its address.
        folder: for Ray's own files; hosts do not share them.
    """

    def __init__(self, number: int, folder: Path):
        self.name, self.address = f'refdiff{os.getpid()}_{number}', f'{_SUBNET}.{number}'
        self.folder, self.link = folder / f'host{number}', f'rd{os.getpid() % 10000}_{number}'
        self.folder.mkdir()
        self._ray: subprocess.Popen | None = None

    @property
    def prefix(self) -> tuple[str, ...]:
        """What runs a command here."""
        return ('ip', 'netns', 'exec', self.name)

    def set_link(self, state: str) -> None:
        """'up' or 'down'."""
        _ip('-n', self.name, 'link', 'set', self.link, state)

    def start_ray(self, *options: str) -> None:
        """Start Ray and wait until it runs."""
        log = (self.folder / 'ray.log').open('w')
        self._ray = subprocess.Popen(
            [*self.prefix, sys.executable, '-u', '-m', 'ray.scripts.scripts', 'start', '--block',
             '--node-ip-address', self.address, '--num-cpus', '1', '--disable-usage-stats',
             '--object-store-memory', '100000000', *options],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until_s = time.monotonic() + _START_S
        while 'Ray runtime started' not in (self.folder / 'ray.log').read_text():
            assert self._ray.poll() is None and time.monotonic() < until_s, (
                self.folder / 'ray.log').read_text()
            time.sleep(0.1)

    def end(self) -> None:
        """End Ray and the namespace."""
        if self._ray is not None:
            self._ray.terminate()
            try:
                self._ray.wait(30)
            except subprocess.TimeoutExpired:
                self._ray.kill()
                self._ray.wait()
        listed = subprocess.run(['ip', 'netns', 'pids', self.name], capture_output=True,
                                text=True).stdout.split()
        for pid in map(int, listed):  # what Ray left behind in this namespace of ours
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        subprocess.run(['ip', 'netns', 'del', self.name], check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(['ip', *arguments], check=True)


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """Two namespaces, joined by a wire."""
    hosts = Host(1, folder), Host(2, folder)
    try:
        for host in hosts:
            _ip('netns', 'add', host.name)
            _ip('-n', host.name, 'link', 'set', 'lo', 'up')
        _ip('link', 'add', hosts[0].link, 'netns', hosts[0].name, 'type', 'veth', 'peer', 'name',
            hosts[1].link, 'netns', hosts[1].name)
        for host in hosts:
            _ip('-n', host.name, 'addr', 'add', f'{host.address}/24', 'dev', host.link)
            host.set_link('up')
        yield hosts
    finally:
        for host in reversed(hosts):
            host.end()


def measure(effort: Effort) -> Outcome:
    """One evaluation: the second host goes in the middle of it, and comes back."""
    from phrase_files import write_phrases

    if os.geteuid() != 0 or shutil.which('ip') is None:
        return Outcome('not measured: needs root and the command ip', False)
    # Newer Rays take nobody without a token, which both hosts and the driver have to know.
    os.environ.update(RAY_AUTH_MODE='token', RAY_AUTH_TOKEN=secrets.token_hex(32))
    # A short path: Ray makes sockets below it, whose paths have a limit.
    with tempfile.TemporaryDirectory(dir='/tmp') as name:
        folder = Path(name)
        data = write_phrases(folder / 'data', PICTURES)
        right = PhraseRun(data, folder / 'one').finish()
        with two_hosts(folder) as (first, second):
            first.start_ray('--head', '--port', str(PORT), '--include-dashboard', 'false',
                            '--temp-dir', str(first.folder))
            second.start_ray('--address', f'{first.address}:{PORT}')
            run = PhraseRun(data, folder / 'two', ('--ray', f'{first.address}:{PORT}',
                                                   '--workers', '2'), prefix=first.prefix)
            return _cut_off(run, second, right, effort)


def _cut_off(run: PhraseRun, second: Host, right: object, effort: Effort) -> Outcome:
    process = run.start()
    while run.answered < CASES // 6 and process.poll() is None:
        assert effort.left_s > 0, 'the evaluation has not begun in time'
        time.sleep(0.01)
    kept = run.answered
    second.set_link('down')
    began_s = time.monotonic()
    while time.monotonic() - began_s < CUT_S:
        time.sleep(0.1)
    second.set_link('up')
    status = process.wait(600)
    held = status == 0 and run.figures() == right
    return Outcome(
        f'{"the same" if held else "other"} figures as one process; cut off after {kept} of '
        f'{CASES} answers for {CUT_S:.0f} s', held, {'status': status, 'kept': kept})


ROW = Row('Ray over two hosts (network namespaces), one cut off for a minute',
          'same figures as one process', measure)
