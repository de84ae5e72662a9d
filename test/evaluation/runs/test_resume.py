"""A run that is killed at any moment goes on, asks nothing twice, and ends with the same figures.

Real processes are killed. They are forked from one that has loaded the models' packages.
"""

import json
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

from phrase_files import write_phrases
import pytest
from ros_graph import wait_for

from refdiff_ros.ros.processes.child_process import end_with_parent

PICTURES = 5
COUNT = 3 * PICTURES
QUICK = ('--bundle', 'untrained_mini', '--mode', 'G', '--preset', 'onboard',
         '--set', 'generative.image_size=128')
_OF_TIME = ('seconds', 'seconds_per_case', 'mean_ms', 'p50_ms', 'p95_ms', 'p99_ms', 'max_ms')


class _Server:
    """The process that runs commands; see `command_server`."""

    def __init__(self, arguments, log):
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parents[2] / 'command_server.py'), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open('w'), text=True,
            preexec_fn=end_with_parent())
        self.read('ready')

    def order(self, answered, **order):
        """Send an order; what it is answered with."""
        self._process.stdin.write(json.dumps(order) + '\n')
        self._process.stdin.flush()
        return self.read(answered)

    def read(self, answered):
        reply = json.loads(self._process.stdout.readline() or '{"gone": true}')
        assert list(reply) == [answered], reply
        return reply[answered]

    def close(self):
        self._process.communicate(timeout=60.0)  # closes its input, which ends it


class _Started:
    """One command in a process of its own."""

    def __init__(self, server, arguments, output, hold=None):
        self._server, self._output = server, output
        server.order('started', start=[str(each) for each in arguments], output=str(output),
                     hold=hold)

    def signal(self, number):
        """Send a signal, which is lost where it has ended."""
        self._server.order('signalled', signal=number)

    def wait(self):
        """Exit status and what it wrote."""
        return self._server.order('ended', wait=True), self._output.read_text()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('runs')


@pytest.fixture(scope='module')
def start(folder):
    """Starts `refdiff evaluate dataset` on the phrases, with more arguments."""
    root = write_phrases(folder / 'data', PICTURES)
    fixed = ('evaluate', 'dataset', 'phrasecut', '--root', str(root), '--split', 'val', *QUICK)
    server = _Server((*fixed, '--limit', '1'), folder / 'server.log')
    yield lambda *more, **options: _Started(
        server, (*fixed, *more), folder / 'output', **options)
    server.close()


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
        assert time.monotonic() < until, f'expected {count} answers in {path}'
        time.sleep(0.001)


def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(folder, start, unbroken):
    rng = random.Random(3)
    kills = 0
    # A fast machine may be through before it is killed: then another run is begun.
    for attempt in range(8):
        out = folder / f'killed{attempt}'
        kills += _kill_until_done(out, start, rng, unbroken['seconds_per_case'])
        _assert_same_figures(out, start, unbroken)
        if kills >= 6:
            break
    assert kills >= 3


def _kill_until_done(out, start, rng, each_s):
    """Start the run and kill it, up to six times; how often it was killed before its end."""
    for kills in range(6):
        before = _lines(out)
        running = start('--out', out)
        if rng.random() < 0.8:
            _await_lines(out, min(len(before) - 1 + rng.randrange(3), COUNT - 1))
            time.sleep(rng.uniform(0, each_s))
        else:  # before there is anything to lose
            time.sleep(rng.uniform(0, 0.5))
        running.signal(signal.SIGKILL)
        status, output = running.wait()
        # What was whole is as it was: nothing was asked again.
        assert _lines(out)[:len(before) - 1] == before[:-1]
        if status != -signal.SIGKILL:
            assert status == 0, output
            return kills
    return 6


def _assert_same_figures(out, start, unbroken):
    """The run goes on to its end; nothing was asked twice and the figures are the same."""
    status, output = start('--out', out, '--json', out / 'b.json').wait()
    assert status == 0, output
    asked = [json.loads(line)['sample_id'] for line in _lines(out)[:-1]]
    assert len(asked) == len(set(asked)) == COUNT
    assert _timeless(json.loads((out / 'b.json').read_text())) == _timeless(unbroken)


def test_ctrl_c_keeps_what_was_done_and_says_so(folder, start, unbroken):
    out, kept = folder / 'interrupted', 3
    running = start('--out', out, '--json', folder / 'c.json', hold=kept)
    _await_lines(out, kept)
    running.signal(signal.SIGINT)
    status, output = running.wait()
    assert status == 130, output
    assert len(_lines(out)) - 1 == kept
    assert f'stopped after {kept} of {COUNT} expressions' in output
    found = json.loads((folder / 'c.json').read_text())
    assert found['stopped'] == 'interrupted' and found['cases'] == kept
    status, output = start('--out', out, '--json', folder / 'c.json').wait()
    assert status == 0 and f'going on: {kept} of {COUNT} are answered' in output
    assert _timeless(json.loads((folder / 'c.json').read_text())) == _timeless(unbroken)


def test_a_command_that_has_ended_takes_a_signal_and_keeps_its_status(folder, start, unbroken):
    running = start('--help')
    wait_for(lambda: 'usage' in (folder / 'output').read_text())
    running.signal(signal.SIGKILL)
    running.signal(signal.SIGINT)
    status, _ = running.wait()
    assert status in (0, -signal.SIGKILL)
    # One that nobody waited for does not get in the way of the next.
    start('--out', folder / 'left', hold=0)
    assert start('--help').wait()[0] == 0


def test_a_finished_run_is_told_again_without_being_asked(folder, start, unbroken):
    before = _lines(folder / 'unbroken')
    status, output = start('--out', folder / 'unbroken', '--json', folder / 'd.json').wait()
    assert status == 0 and f'going on: {COUNT} of {COUNT} are answered' in output
    assert _lines(folder / 'unbroken') == before
    # This time the durations are the same too.
    assert json.loads((folder / 'd.json').read_text()) == unbroken
