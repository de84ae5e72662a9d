"""`refdiff evaluate dataset`, on real models of random weights and tiny data sets."""

import functools
import json
from pathlib import Path
import sys

from phrase_files import write_phrases
import pytest

from refdiff_ros.cli import main
from refdiff_ros.engine import Engine
from refdiff_ros.errors import OutOfMemoryError
from refdiff_ros.evaluation.runs.folder import read_run, RunFolder
from refdiff_ros.models import manager

# The models are the same each time; these tests are about what is done with them.
_LOAD = functools.cache(manager.load_bundle)
QUICK = ('--bundle', 'untrained_mini', '--mode', 'G', '--set', 'generative.image_size=128')


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch):
    monkeypatch.setattr(manager, 'load_bundle', _LOAD)


@pytest.fixture
def data(tmp_path):
    return write_phrases(tmp_path / 'data', 2)


@pytest.fixture
def evaluate(data, capsys):
    """Exit status, the JSON line and what was printed."""
    def told(*more):
        status = main(['evaluate', 'dataset', 'phrasecut', '--root', str(data), '--split', 'val',
                       *QUICK, *map(str, more)])
        captured = capsys.readouterr()
        return status, json.loads(captured.out.splitlines()[-1]), captured
    return told


@pytest.fixture
def asked(monkeypatch):
    """The expressions that engines are asked."""
    segment, told = Engine.segment, []

    def listening(self, frame, expression, *args, **kwargs):
        told.append(expression)
        return segment(self, frame, expression, *args, **kwargs)

    monkeypatch.setattr(Engine, 'segment', listening)
    return told


def test_figures_of_a_data_set(evaluate, tmp_path, asked):
    status, found, captured = evaluate('--json', tmp_path / 'out' / 'f.json', '--require',
                                       'errors=0', '--require', 'cases=6')
    assert status == 0 and 'random weights' in captured.out.splitlines()[0]
    assert asked == ['red box', 'green box', 'blue box'] * 2  # pictures one after the other
    assert (found['cases'], found['errors'], found['unreadable']) == (6, 0, 0)
    assert (found['dataset'], found['split'], found['mode'], found['samples']) == (
        'phrasecut', 'val', 'G', 6)
    assert found['overrides'] == {'generative': {'image_size': 128}}
    assert list(found['by_kind']) == ['attribute'] and list(found['by_distractors']) == ['2']
    assert any(line.startswith('2 alike') for line in captured.out.splitlines())
    assert [verdict['met'] for verdict in found['requirements']] == [True, True]
    assert 'expression 6 of 6' in captured.err
    written = json.loads((tmp_path / 'out' / 'f.json').read_text())
    assert written['values']['generative']['image_size'] == 128
    assert len(written['results']) == 6 and written['mean_iou'] == found['mean_iou']


def test_a_run_goes_on_where_it_ended_and_ends_the_same(evaluate, tmp_path, asked):
    _, unbroken, _ = evaluate('--out', tmp_path / 'whole')
    kept = (tmp_path / 'whole' / 'answers.jsonl').read_bytes()
    (tmp_path / 'whole' / 'answers.jsonl').write_bytes(kept[:len(kept) // 2])
    done = kept[:len(kept) // 2].count(b'\n')
    asked.clear()
    status, found, captured = evaluate('--out', tmp_path / 'whole')
    assert status == 0 and 1 <= done <= 4 and len(asked) == 6 - done
    assert f'going on: {done} of 6 are answered' in captured.err
    assert found['mean_iou_interval'] == unbroken['mean_iou_interval']
    assert found['overall_iou'] == unbroken['overall_iou']
    whole = kept[:kept.rindex(b'\n', 0, len(kept) // 2) + 1]
    assert (tmp_path / 'whole' / 'answers.jsonl').read_bytes().startswith(whole)
    run = read_run(tmp_path / 'whole')
    assert '--out' in run.command and '--set generative.image_size=128' in run.command


def test_another_question_is_refused(evaluate, tmp_path, capsys, data):
    evaluate('--out', tmp_path / 'run', '--limit', 1)
    status = main(['evaluate', 'dataset', 'phrasecut', '--root', str(data), '--split', 'val',
                   *QUICK, '--out', str(tmp_path / 'run'), '--seed', '7'])
    assert status == 2
    told = capsys.readouterr().err
    assert 'limit 1 there, None asked; samples 1 there, 6 asked' in told
    assert 'seed 0 there, 7 asked' in told


def test_one_unreadable_picture_costs_its_samples_alone(evaluate, data, tmp_path):
    picture = data / 'images' / '0.jpg'
    whole = picture.read_bytes()
    picture.write_bytes(whole[:len(whole) // 2])
    status, found, captured = evaluate('--out', tmp_path / 'run')
    assert status == 0
    assert (found['cases'], found['unreadable'], found['errors']) == (3, 3, 0)
    assert '0__0: expected' in captured.err and '0.jpg' in captured.err
    assert 'unreadable, not scored: 3 (0__0, 0__1, 0__2)' in captured.out
    # Mended, it is asked again when that is said.
    picture.write_bytes(whole)
    assert evaluate('--out', tmp_path / 'run')[1]['unreadable'] == 3
    _, found, captured = evaluate('--out', tmp_path / 'run', '--retry-errors')
    assert (found['cases'], found['unreadable']) == (6, 0)
    assert 'going on: 3 of 6 are answered' in captured.err
    answers = read_run(tmp_path / 'run').answers
    assert list(answers) == ['0__0', '0__1', '0__2', '1__0', '1__1', '1__2']


def test_many_errors_are_counted_after_the_first(evaluate, monkeypatch):
    def full(*_, **__):
        raise OutOfMemoryError('expected memory, got none')

    monkeypatch.setattr(Engine, 'segment', full)
    monkeypatch.setattr('refdiff_ros.evaluation.runs.dataset_cli._NAMED', 2)
    status, found, captured = evaluate()
    assert status == 1 and found['errors'] == found['cases'] == 6
    assert captured.err.count('expected memory') == 2
    assert 'further errors are counted only' in captured.err
    assert 'errors, scored 0: 6 (0__0, 0__1 and 4 more)' in captured.out


def test_a_full_disk_ends_the_run_with_what_was_done(evaluate, tmp_path, monkeypatch):
    add, kept = RunFolder.add, []

    def filling(self, answer):
        if len(kept) == 2:
            self._file.close()
            self._file = Path('/dev/full').open('r+b', buffering=0)
        add(self, answer)
        kept.append(answer)

    monkeypatch.setattr(RunFolder, 'add', filling)
    status, found, captured = evaluate('--out', tmp_path / 'run', '--require', 'cases=1')
    assert status == 2 and found['cases'] == 2 and found['requirements'] == []
    assert 'No space left on device; 2 answers are kept: make room' in captured.err
    assert 'stopped after 2 of 6' in captured.out
    monkeypatch.setattr(RunFolder, 'add', add)
    assert evaluate('--out', tmp_path / 'run')[1]['cases'] == 6
    assert evaluate('--out', tmp_path / 'run', '--json', '/dev/full')[0] == 2


def test_the_tabletop_set_is_asked_by_the_same_runner(tmp_path, capsys):
    run = tmp_path / 'run'
    common = ['--split', 'test', '--half', 'unseen', '--limit', '2', *QUICK]
    assert main(['evaluate', 'dataset', 'tabletop', '--out', str(run), *common]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(found['by_half']) == ['unseen'] and found['limit'] == found['cases'] == 2
    assert main(['evaluate', 'tabletop', *common]) == 0
    cases = json.loads(capsys.readouterr().out.splitlines()[-1])
    for name in ('mean_iou', 'overall_iou', 'mean_iou_interval', 'pointing', 'oracle_mean_iou'):
        assert found[name] == cases[name]
    assert '--half unseen' in read_run(run).command
    assert main(['evaluate', 'table', '4', str(run)]) == 0
    assert 'test unseen' in capsys.readouterr().out


@pytest.mark.parametrize('arguments, told', [
    (['phrasecut', '--split', 'val'], 'expected --root DIR with phrasecut'),
    (['tabletop', '--split', 'val', '--root', '.'], 'expected no --root with tabletop'),
    (['tabletop', '--split', 'train'], "'val', 'test'], got 'train'"),
    (['tabletop', '--split', 'val', '--half', 'seen'], "expected half 'all'"),
    (['refcoco', '--split', 'val', '--root', '.', '--half', 'seen'], '--half with tabletop only'),
    (['refcoco', '--split', 'dev', '--root', '.'], 'expected a split of refcoco'),
    (['phrasecut', '--split', 'val', '--root', '.'], 'expected the pictures in images'),
    (['tabletop', '--split', 'val', '--retry-errors'], 'expected --out with --retry-errors'),
    (['tabletop', '--split', 'val', '--require', 'x=1'], 'expected a requirement on one of'),
    (['tabletop', '--split', 'val', '--workers', '2'], 'expected --ray with --workers'),
    (['tabletop', '--split', 'val', '--ray', '--device', 'cuda:1'],
     "'cuda' with --ray, got 'cuda:1': Ray gives each worker a GPU of its own")])
def test_what_cannot_be_asked_is_said_before_models_are_loaded(arguments, told, capsys):
    assert main(['evaluate', 'dataset', *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_missing_ray_is_said_before_anything_is_rendered(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'ray', None)
    assert main(['evaluate', 'dataset', 'tabletop', '--split', 'val', '--ray']) == 2
    assert "run 'pip install refdiff_ros[ray]'" in capsys.readouterr().err
