"""A run that is killed at any moment goes on, asks nothing twice, and ends with the same figures.

Real processes are killed. They are forked from one that has loaded the models' packages.
"""

import json
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

from phrase_files import write_phrases
import pytest

PICTURES = 5
COUNT = 3 * PICTURES
QUICK = ('--bundle', 'untrained_mini', '--mode', 'G', '--preset', 'onboard',
         '--set', 'generative.image_size=128')
_OF_TIME = ('seconds', 'seconds_per_case', 'mean_ms', 'p50_ms', 'p95_ms', 'p99_ms', 'max_ms')


class _Started:
    """One command in a process of its own."""

    def __init__(self, server, arguments, output):
        server.stdin.write(json.dumps([str(output), *map(str, arguments)]) + '\n')
        server.stdin.flush()
        self._server, self._output = server, output
        self.pid = int(server.stdout.readline())

    def wait(self):
        """Exit status and what it wrote."""
        return int(self._server.stdout.readline()), self._output.read_text()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('runs')


@pytest.fixture(scope='module')
def start(folder):
    """Starts `refdiff evaluate dataset` on the phrases, with more arguments."""
    root = write_phrases(folder / 'data', PICTURES)
    fixed = ('evaluate', 'dataset', 'phrasecut', '--root', str(root), '--split', 'val', *QUICK)
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[2] / 'command_server.py'), *fixed, '--limit',
         '1'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout.readline() == 'ready\n'
    yield lambda *more: _Started(server, (*fixed, *more), folder / 'output')
    server.kill()
    server.communicate()


@pytest.fixture(scope='module')
def unbroken(folder, start):
    status, output = start('--out', folder / 'unbroken', '--json', folder / 'a.json').wait()
    assert status == 0, output
    return json.loads((folder / 'a.json').read_text())


def _timeless(value):
    """Everything but durations, which no two runs share."""
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name not in _OF_TIME}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _lines(path):
    return (path / 'answers.jsonl').read_bytes().split(b'\n') if path.exists() else [b'']


def _await_lines(path, count):
    until = time.monotonic() + 120
    while not (path / 'answers.jsonl').exists() or len(_lines(path)) <= count:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(folder, start, unbroken):
    out, rng, kills = folder / 'killed', random.Random(), 0
    each_s = unbroken['seconds_per_case']
    while kills < 6:
        before = _lines(out)
        running = start('--out', out)
        if rng.random() < 0.8:
            _await_lines(out, min(len(before) - 1 + rng.randrange(3), COUNT - 1))
            time.sleep(rng.uniform(0, each_s))
        else:  # before there is anything to lose
            time.sleep(rng.uniform(0, 0.5))
        os.kill(running.pid, signal.SIGKILL)
        status, output = running.wait()
        assert status == -signal.SIGKILL or _lines(out)[COUNT - 1], output
        kills += status == -signal.SIGKILL
        # What was whole is as it was: nothing was asked again.
        assert _lines(out)[:len(before) - 1] == before[:-1]
        if status == 0:
            break
    assert kills >= 3
    status, output = start('--out', out, '--json', folder / 'b.json').wait()
    assert status == 0, output
    told = [json.loads(line)['sample_id'] for line in _lines(out)[:-1]]
    assert len(told) == len(set(told)) == COUNT
    assert _timeless(json.loads((folder / 'b.json').read_text())) == _timeless(unbroken)


def test_ctrl_c_keeps_what_was_done_and_says_so(folder, start, unbroken):
    out = folder / 'interrupted'
    running = start('--out', out, '--json', folder / 'c.json')
    _await_lines(out, 3)
    os.kill(running.pid, signal.SIGINT)
    status, output = running.wait()
    kept = len(_lines(out)) - 1
    assert status == 130, output
    assert f'stopped after {kept} of {COUNT} expressions' in output
    found = json.loads((folder / 'c.json').read_text())
    assert found['stopped'] == 'interrupted' and found['cases'] == kept < COUNT
    status, output = start('--out', out, '--json', folder / 'c.json').wait()
    assert status == 0 and f'going on: {kept} of {COUNT} are answered' in output
    assert _timeless(json.loads((folder / 'c.json').read_text())) == _timeless(unbroken)


def test_a_finished_run_is_told_again_without_being_asked(folder, start, unbroken):
    before = _lines(folder / 'unbroken')
    status, output = start('--out', folder / 'unbroken', '--json', folder / 'd.json').wait()
    assert status == 0 and f'going on: {COUNT} of {COUNT} are answered' in output
    assert _lines(folder / 'unbroken') == before
    # This time the durations are the same too.
    assert json.loads((folder / 'd.json').read_text()) == unbroken
