"""`refdiff evaluate dataset --ray` with real models on a real Ray: as if one process had answered.

Threads change the last digits of scores, so both compute with one. What takes a Ray of its own
beside the first one is slow.
"""

import importlib.util
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

from free_port import free_port
from phrase_files import write_phrases
from process_handle import signal_process
import pytest
import torch

from refdiff_ros.cli import main
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.cluster.connection import import_ray, LOCAL
from refdiff_ros.evaluation.cluster.options import with_whole_paths
from refdiff_ros.evaluation.cluster.worker import Worker
from refdiff_ros.evaluation.request import DatasetRequest
from refdiff_ros.evaluation.runs.folder import RunFolder

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec('ray'), reason='no Ray here'),
    pytest.mark.timeout(900)]  # each worker loads all packages of the models
PICTURES, COUNT = 5, 15
QUICK = ('--bundle', 'untrained_mini', '--mode', 'G', '--set', 'generative.image_size=128')
RAY = ('--ray', '--workers', '2')
_OF_TIME = ('seconds', 'seconds_per_case', 'mean_ms', 'p50_ms', 'p95_ms', 'p99_ms', 'max_ms')


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('OMP_NUM_THREADS', '1')
        patch.setenv('RAY_worker_niceness', '0')
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Phrases on five pictures, of which one cannot be read."""
    root = write_phrases(tmp_path_factory.mktemp('data'), PICTURES)
    (root / 'images' / '2.jpg').write_bytes(b'no picture')
    return root


@pytest.fixture(scope='module')
def arguments(data):
    return ('evaluate', 'dataset', 'phrasecut', '--root', str(data), '--split', 'val', *QUICK)


@pytest.fixture(scope='module')
def alone(arguments, tmp_path_factory):
    """The folder and the figures of one process."""
    folder = tmp_path_factory.mktemp('alone')
    assert main([*arguments, '--out', str(folder / 'run'), '--json', str(folder / 'json')]) == 0
    return folder / 'run', _figures(folder / 'json')


def _figures(path):
    """Everything but durations, which no two runs share."""
    return _timeless(json.loads(path.read_text()))


def _timeless(value):
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name not in _OF_TIME}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _cut(run, lines):
    """A run that ended after so many answers."""
    path = run / 'answers.jsonl'
    path.write_bytes(b''.join(path.read_bytes().splitlines(keepends=True)[:lines]) + b'{"torn')
    return run


def test_two_workers_go_on_with_a_run_of_one_process_and_the_other_way(
        arguments, alone, tmp_path, capsys):
    run = _cut(shutil.copytree(alone[0], tmp_path / 'run'), 4)
    before = (run / 'answers.jsonl').read_bytes()[:-len(b'{"torn')]
    again = [*arguments, '--out', str(run), '--json', str(tmp_path / 'json')]
    assert main([*again, *RAY]) == 0
    told = capsys.readouterr()
    assert _figures(tmp_path / 'json') == alone[1]
    # What was there is as it was, and the rest was asked once.
    kept = (run / 'answers.jsonl').read_bytes()
    assert kept.startswith(before) and kept.count(b'\n') == COUNT
    assert 'random weights' in told.out.splitlines()[0]
    assert 'unreadable, not scored: 3 (2__0, 2__1, 2__2)' in told.out
    assert 'starting 2 workers, 1 thread each on this machine' in told.err
    assert 'going on: 4 of 15 are answered' in told.err and 'expression 15 of 15' in told.err
    assert '2.jpg' in told.err
    _cut(run, 10)
    assert main(again) == 0
    assert 'going on: 10 of 15 are answered' in capsys.readouterr().err
    assert _figures(tmp_path / 'json') == alone[1]


def test_a_worker_without_the_data_says_so(tmp_path):
    with pytest.raises(BadRequestError, match='none on .* as well, .*: every node needs it'):
        Worker(DatasetRequest(), [tmp_path, tmp_path / 'none']).load()


def test_paths_hold_in_whatever_folder_a_worker_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('bundle').mkdir()
    given = DatasetRequest(root=Path('data'), bundle='bundle', seed=1)
    assert with_whole_paths(given) == DatasetRequest(
        root=tmp_path / 'data', bundle=str(tmp_path / 'bundle'), seed=1)
    named = DatasetRequest(bundle='tabletop_mini')
    assert with_whole_paths(named) == named


def _start(arguments, folder, *more):
    """The command in a process group of its own, as a shell starts it."""
    output = (folder / 'output').open('w')
    return subprocess.Popen(
        [sys.executable, '-m', 'refdiff_ros.cli', *arguments, *RAY, '--out', folder / 'run',
         *more], stdout=output, stderr=output, stdin=subprocess.DEVNULL, process_group=0)


def _await(holds):
    until = time.monotonic() + 600
    while not (found := holds()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


def _lines(folder):
    path = folder / 'run' / 'answers.jsonl'
    return path.read_bytes().count(b'\n') if path.exists() else 0


def _below(process):
    """Ids of the processes that descend from one, with their titles."""
    parents, titles = {}, {}
    for path in Path('/proc').glob('[0-9]*'):
        try:
            stat = (path / 'stat').read_text().rpartition(')')[2].split()
            titles[int(path.name)] = (path / 'cmdline').read_text().split('\0')[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat[0] != 'Z':
            parents[int(path.name)] = int(stat[1])
    found = {process.pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: titles[pid] for pid in found - {process.pid}}


def _gone(pids):
    return not any(Path(f'/proc/{pid}').exists() for pid in pids)


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_costs_nothing(arguments, alone, tmp_path):
    running = _start(arguments, tmp_path, '--json', tmp_path / 'json')
    _await(lambda: _lines(tmp_path) >= 3)
    def is_busy(pid):
        return _below(running).get(pid, '').startswith('ray::Worker.')
    busy = [pid for pid in _below(running) if is_busy(pid)]
    for pid in busy:
        signal_process(pid, signal.SIGKILL, is_busy)
    assert running.wait() == 0 and busy, (tmp_path / 'output').read_text()
    assert _figures(tmp_path / 'json') == alone[1]
    assert 'worker died or was killed' in (tmp_path / 'output').read_text()


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_stopped_or_killed_it_leaves_no_process_and_goes_on(
        arguments, alone, tmp_path, number):
    running = _start(arguments, tmp_path)
    _await(lambda: _lines(tmp_path) >= 3)
    below = _below(running)
    assert sum(title.startswith('ray::Worker') for title in below.values()) >= 1
    if number == signal.SIGINT:
        os.killpg(running.pid, number)  # as Ctrl-C does: to every process of the group
    else:
        running.kill()
    assert running.wait() == (130 if number == signal.SIGINT else -number)
    _await(lambda: _gone(below))
    kept, output = _lines(tmp_path), (tmp_path / 'output').read_text()
    assert 3 <= kept < COUNT and 'Traceback' not in output
    if number == signal.SIGINT:
        assert f'stopped after {kept} of {COUNT} expressions' in output
    assert main([*arguments, '--out', str(tmp_path / 'run'), '--json',
                 str(tmp_path / 'json')]) == 0
    assert _figures(tmp_path / 'json') == alone[1]


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_what_was_done(
        arguments, alone, tmp_path, monkeypatch, capsys):
    add, kept = RunFolder.add, []

    def filling(self, answer):
        if len(kept) == 4:
            self._file.close()
            self._file = Path('/dev/full').open('r+b', buffering=0)
        add(self, answer)
        kept.append(answer)

    again = [*arguments, *RAY, '--out', str(tmp_path / 'run'), '--json', str(tmp_path / 'json')]
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, 'add', filling)
        assert main(again) == 2
    told = capsys.readouterr()
    assert 'No space left on device; 4 answers are kept: make room' in told.err
    assert 'stopped after 4 of 15' in told.out
    assert main(again) == 0
    assert _figures(tmp_path / 'json') == alone[1]


@pytest.fixture(scope='module')
def ports(tmp_path_factory):
    """Of a Ray that runs already: its own, and the one for 'ray://'."""
    import_ray(LOCAL)  # sets what keeps this one to the machine too
    for _ in range(3):  # a busy machine may not let it start in the time that it gives itself
        found = free_port(), free_port()
        head = subprocess.Popen(
            [sys.executable, '-u', '-m', 'ray.scripts.scripts', 'start', '--head', '--block',
             '--port', str(found[0]), '--ray-client-server-port', str(found[1]),
             '--num-cpus', '2', '--include-dashboard', 'false', '--disable-usage-stats'],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            cwd=tmp_path_factory.mktemp('head'))
        if any('Ray runtime started' in line for line in head.stdout):
            break
        head.wait()
    yield found
    assert head.poll() is None  # who joined it has left it as it was
    head.terminate()
    head.communicate()


@pytest.mark.slow
@pytest.mark.parametrize('form', ['127.0.0.1:{0}', 'auto', 'ray://127.0.0.1:{1}'])
def test_a_ray_that_runs_already_is_joined(
        arguments, alone, tmp_path, form, ports, monkeypatch):
    if form == 'auto':  # there may be another one on this machine
        monkeypatch.setenv('RAY_ADDRESS', f'127.0.0.1:{ports[0]}')
    assert main([*arguments, '--ray', form.format(*ports), '--json',
                 str(tmp_path / 'json')]) == 0
    assert _figures(tmp_path / 'json') == alone[1]
