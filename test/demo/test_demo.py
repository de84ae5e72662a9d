"""The demo as a person starts it: separate processes on a real graph, and no mock of anything."""

import math
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import numpy as np
from PIL import Image
import pytest

from refdiff_ros.demo import table
from refdiff_ros.demo.cli import first_line
from refdiff_ros.models.tabletop import NAME, NOTICES
from refdiff_ros.ros.processes.child_process import ChildDiedError, ChildProcess

# For what loads models on a busy machine.
_PATIENCE_S = 200.0


def _command(out, *arguments):
    return [sys.executable, '-m', 'refdiff_ros.cli', 'demo', '--out', str(out),
            '--expressions', '2', *arguments]


def _processes_of(out):
    """Command lines of living processes that were started for this output folder's demo."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            environment = (folder / 'environ').read_bytes()
            status = (folder / 'stat').read_text().rsplit(')', 1)[1].split()[0]
        except OSError:
            continue
        if f'DEMO_TEST={out}'.encode() in environment and status != 'Z':
            found.append((folder / 'cmdline').read_bytes().replace(b'\0', b' ').decode())
    return found


def _wait(predicate, what):
    end = time.monotonic() + _PATIENCE_S
    while not predicate():
        assert time.monotonic() < end, what()
        time.sleep(0.05)


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp('demo')
    done = subprocess.run(
        _command(out, '--timeout', '280'), capture_output=True, text=True, timeout=300,
        check=False, env={**os.environ, 'DEMO_TEST': str(out)})
    return out, done


def test_first_line_says_what_the_bundle_knows(demo):
    _, done = demo
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0] == f"Bundle 'tabletop_mini'. {NOTICES[NAME]}"


def test_first_line_says_when_weights_are_random():
    assert first_line('untrained_mini').startswith('NOTE: untrained_mini has random weights')


def test_table_has_a_line_for_each_expression_and_splits_the_latency(demo):
    lines = demo[1].stdout.splitlines()
    rule = next(k for k, line in enumerate(lines) if set(line) == {'-'})
    assert re.split(r'\s{2,}', lines[rule - 1]) == [
        'expression', 'through', 'status', 'score', 'IoU', 'grasp mm', 'total ms', 'model ms',
        'node ms', 'transport ms']
    rows = [re.split(r'\s{2,}', line) for line in lines[rule + 1:rule + 4]]
    assert [row[1] for row in rows] == ['service', 'service', 'topic']
    for row in rows:
        assert row[2] in ('FOUND', 'AMBIGUOUS', 'NOT_FOUND')
        total, model, node, transport = map(float, row[6:])
        assert model > 0 and total > 0
        assert total == pytest.approx(model + node + transport, abs=0.3)
        assert row[4] == '-' or 0 <= float(row[4]) <= 1
    # The first call waits for what belongs to the first image.
    assert 'camera_info' not in demo[1].stdout


def test_pictures_show_the_answers(demo):
    pictures = sorted(demo[0].glob('*.png'))
    assert len(pictures) == 3
    image = np.asarray(Image.open(pictures[0]))
    assert image.shape == (480, 640, 3)
    assert image[:30].mean() < 100  # the caption's dark bar


def test_both_processes_have_ended_in_good_order(demo):
    assert not _processes_of(demo[0])
    for name in ('camera', 'node'):
        text = (demo[0] / 'log' / f'{name}.log').read_text()
        assert 'Traceback' not in text, text


def test_ctrl_c_ends_both_processes(tmp_path):
    demo = subprocess.Popen(
        _command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, 'DEMO_TEST': str(tmp_path)})
    try:
        # The first state that the demo tells of its node: both processes have been started.
        lines = []
        while 'node:' not in ''.join(lines[-1:]):
            lines.append(demo.stdout.readline())
            assert lines[-1], lines
        assert len(_processes_of(tmp_path)) >= 3
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=_PATIENCE_S)
    finally:
        demo.kill()
    assert demo.returncode == 130, output
    assert not _processes_of(tmp_path)


def test_the_children_of_a_killed_demo_end_too(tmp_path):
    demo = subprocess.Popen(
        _command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, 'DEMO_TEST': str(tmp_path)})
    try:
        _wait(lambda: len(_processes_of(tmp_path)) >= 3, lambda: _processes_of(tmp_path))
    finally:
        demo.kill()
    demo.wait()
    _wait(lambda: not _processes_of(tmp_path), lambda: _processes_of(tmp_path))


def test_bundle_that_is_not_there_is_said_at_once(tmp_path):
    done = subprocess.run(_command(tmp_path, '--bundle', str(tmp_path / 'nothing')),
                          capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith('refdiff: ') and 'Traceback' not in done.stderr


def test_process_that_dies_is_told_with_its_last_lines(tmp_path):
    child = ChildProcess('parrot', [
        sys.executable, '-c', 'print("one"); print("two"); raise SystemExit(3)'],
        tmp_path / 'log' / 'parrot.log')
    _wait(lambda: not child.alive, lambda: child.tail())
    with pytest.raises(ChildDiedError, match='the parrot to keep running, it ended with status 3'
                       ) as raised:
        child.check()
    assert '    one\n    two' in str(raised.value)
    assert child.stop() == 3


def test_stubborn_process_is_ended(tmp_path):
    child = ChildProcess('mule', [
        sys.executable, '-c', 'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n'
        'print("ready", flush=True); time.sleep(600)'], tmp_path / 'mule.log')
    _wait(lambda: 'ready' in child.tail(), lambda: child.tail())
    child.check()
    assert child.stop(patience_s=0.2) == -signal.SIGTERM
    assert not child.alive


def test_iou_by_hand():
    one, other = np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    one[0, :3] = True
    other[0, 1:] = True
    assert table.iou(one, other) == pytest.approx(2 / 4)
    assert math.isnan(table.iou(one, np.zeros((3, 4), bool)))
    assert math.isnan(table.iou(one & ~one, one & ~one))


def test_table_without_numbers_and_with_a_long_expression():
    nan = math.nan
    text = table.table([table.Row(
        'the mug ' * 10, 'topic', 'NOT_FOUND', nan, nan, nan, 12.0, 5.0, 8.0, 'nothing fits')])
    line = text.splitlines()[2]
    assert line.split()[-7:] == ['-', '-', '-', '12.0', '5.0', '3.0', '4.0']
    assert '...' in line and 'nothing fits' in text.splitlines()[3]


def test_slug_is_a_plain_file_name():
    assert table.slug('the mug/../ left of "it" ☕') == 'the_mug_left_of_it'
    assert table.slug('☕') == 'expression'
