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


class PhraseRun:
    """`refdiff evaluate dataset` on the phrases, into one folder.

    Args:
        data: of `write_phrases`.
        out: the run's folder.
        more: further arguments.
        prefix: what the command is run by, ('ip', 'netns', 'exec', name) for one.
        environment: beside that of this process.
    """

    def __init__(self, data: Path, out: Path, more: Sequence[str] = (),
                 prefix: Sequence[str] = (), environment: dict[str, str] | None = None):
        self._out = out
        self._environment = {**os.environ, **_ENVIRONMENT, **(environment or {})}
        self._command = [
            *prefix, sys.executable, '-m', 'refdiff_ros.cli', 'evaluate', 'dataset', 'phrasecut',
            '--root', str(data), '--split', 'val', *QUICK, '--out', str(out),
            '--json', str(out.with_suffix('.json')), *more]

    def start(self) -> subprocess.Popen:
        """Begin it, or go on with it."""
        with self._out.with_suffix('.log').open('a') as log:
            return subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=self._environment)

    @property
    def answered(self) -> int:
        """How many answers are on disk."""
        path = self._out / 'answers.jsonl'
        return path.read_bytes().count(b'\n') if path.exists() else 0

    def finish(self) -> Any:
        """Let it come to its end; the figures without durations, and the answers that it asked.

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
