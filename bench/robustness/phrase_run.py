"""An evaluation on a few phrases that is killed, goes on, and is compared with an unbroken one."""

from collections.abc import Sequence
import json
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time
from typing import Any

PICTURES = 8
CASES = 3 * PICTURES
QUICK = ('--bundle', 'untrained_mini', '--mode', 'G', '--set', 'generative.image_size=128')
# One thread each, as Ray's workers have: more change the last digits of scores.
_ENVIRONMENT = {'OMP_NUM_THREADS': '1', 'RAY_worker_niceness': '0'}
_OF_TIME = ('seconds', 'seconds_per_case', 'mean_ms', 'p50_ms', 'p95_ms', 'p99_ms', 'max_ms')
_PATIENCE_S = 600.0
_SERVER = Path(__file__).resolve().parents[2] / 'test' / 'command_server.py'


class Commands:
    """Runs `refdiff` commands in processes that start at once, forked from a loaded one.

    Args:
        data: of `write_phrases`; a first command on it loads what the others need.
    """

    def __init__(self, data: Path):
        self._server = subprocess.Popen(
            [sys.executable, str(_SERVER), *_evaluate(data), '--limit', '1'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **_ENVIRONMENT})
        self._read()

    def order(self, **order: Any) -> Any:
        """Send an order; what it is answered with. See `command_server`."""
        self._server.stdin.write(json.dumps(order) + '\n')
        self._server.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        (answer,) = json.loads(self._server.stdout.readline()).values()
        return answer

    def close(self) -> None:
        """End it."""
        self._server.communicate()


class Forked:
    """One command, as `Popen` has it."""

    def __init__(self, commands: Commands, arguments: Sequence[str], log: Path):
        self._commands, self.returncode = commands, None
        self.pid = commands.order(start=list(arguments), output=str(log))

    def poll(self) -> int | None:
        """0 once it has ended, whatever its status."""
        state = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()[0]
        return 0 if state == 'Z' else None

    def kill(self) -> None:
        """Send SIGKILL."""
        self._commands.order(signal=int(signal.SIGKILL))

    def wait(self, _timeout_s: float = 0.0) -> int:
        """Its exit status, waited for."""
        self.returncode = self._commands.order(wait=True)
        return self.returncode


class PhraseRun:
    """`refdiff evaluate dataset` on the phrases, into one folder.

    Args:
        data: of `write_phrases`.
        out: the run's folder.
        more: further arguments.
        commands: what starts it; None for a process of its own.
        prefix: what that process is run by, ('ip', 'netns', 'exec', name) for one.
    """

    def __init__(self, data: Path, out: Path, more: Sequence[str] = (),
                 commands: Commands | None = None, prefix: Sequence[str] = ()):
        self._out, self._prefix, self._commands = out, prefix, commands
        self._arguments = [*_evaluate(data), '--out', str(out), '--json',
                           str(out.with_suffix('.json')), *more]

    def start(self) -> Any:
        """Begin it, or go on with it."""
        path = self._out.with_suffix('.log')
        if self._commands is not None:
            return Forked(self._commands, self._arguments, path)
        with path.open('a') as log:
            return subprocess.Popen(
                [*self._prefix, sys.executable, '-m', 'refdiff_ros.cli', *self._arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT})

    @property
    def answered(self) -> int:
        """How many answers are on disk."""
        path = self._out / 'answers.jsonl'
        return path.read_bytes().count(b'\n') if path.exists() else 0

    def finish(self) -> Any:
        """Let it come to its end; the figures without durations.

        Raises:
            AssertionError: it failed, or a case was asked twice or not at all.
        """
        status = self.start().wait(_PATIENCE_S)
        assert status == 0, self._out.with_suffix('.log').read_text()[-3000:]
        return self.figures()

    def figures(self) -> Any:
        """The figures of a finished run without durations."""
        lines = (self._out / 'answers.jsonl').read_text().splitlines()
        asked = [json.loads(line)['sample_id'] for line in lines]
        assert len(asked) == len(set(asked)) == CASES, asked
        return timeless(json.loads(self._out.with_suffix('.json').read_text()))

    def kill_once(self, rng: random.Random, seconds: float) -> bool:
        """Start it and kill it at a random moment; False where it was through before.

        Args:
            rng: decides when.
            seconds: that a whole run takes.
        """
        process, begun = self.start(), self.answered
        if rng.random() < 0.7:  # while it answers
            wanted = min(begun + rng.randrange(1, CASES // 2), CASES - 1)
            until_s = time.monotonic() + _PATIENCE_S
            while self.answered < wanted and process.poll() is None:
                assert time.monotonic() < until_s, 'no answer came'
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.1))
        else:  # while it starts, loads or ends
            time.sleep(rng.uniform(0, seconds))
        below = descendants(process.pid)
        process.kill()
        process.wait()
        wait_gone(below)
        return process.returncode == -signal.SIGKILL


def _evaluate(data: Path) -> list[str]:
    return ['evaluate', 'dataset', 'phrasecut', '--root', str(data), '--split', 'val', *QUICK]


def timeless(value: Any) -> Any:
    """Everything but durations, which no two runs share."""
    if isinstance(value, dict):
        return {name: timeless(each) for name, each in value.items() if name not in _OF_TIME}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def descendants(pid: int) -> set[int]:
    """Ids of the processes below one."""
    parents = {}
    for path in Path('/proc').glob('[0-9]*'):
        try:
            parents[int(path.name)] = int(
                (path / 'stat').read_text().rpartition(')')[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def wait_gone(pids: set[int]) -> None:
    """Until processes have ended: Ray's do so by themselves once their driver is gone."""
    until_s = time.monotonic() + _PATIENCE_S
    while any(Path(f'/proc/{pid}').exists() for pid in pids):
        assert time.monotonic() < until_s, f'still there: {pids}'
        time.sleep(0.05)
