"""Two runs compared pair by pair, from their folders."""

import json

import numpy as np
import pytest
from run_folders import answer, keep

from refdiff_ros.cli import main
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.runs.compare import compared, pair_runs
from refdiff_ros.evaluation.runs.folder import read_run


def runs(tmp_path, a, b, **of_b):
    return (read_run(keep(tmp_path / 'a', *a)),
            read_run(keep(tmp_path / 'b', *b, **({'mode': 'DS'} | of_b))))


def of(*ious, **changes):
    return [answer(str(k), **({'iou': iou, 'image_id': str(k // 2)} | changes))
            for k, iou in enumerate(ious)]


def test_figures_by_hand(tmp_path):
    a = [answer('x', iou=0.1, image_id='1'), answer('y', iou=0.3, image_id='1'),
         answer('z', iou=0.5, image_id='2', tags={'kind': 'relation', 'distractors': '7'})]
    b = [answer('z', iou=0.4, image_id='2'), answer('x', iou=0.4, image_id='1'),
         answer('y', iou=0.4, image_id='1')]
    found = compared(pair_runs(*runs(tmp_path, a, b)))
    # d = 0.3, 0.1, -0.1: mean 0.1, s = 0.2, t = 0.1 / (0.2 / sqrt(3)).
    overall = found['overall']
    assert (overall['pairs'], overall['mean_a'], overall['mean_b']) == (
        3, pytest.approx(0.3), pytest.approx(0.4))
    assert overall['difference'] == pytest.approx(0.1)
    assert overall['t'] == pytest.approx(np.sqrt(3) / 2)
    assert overall['p'] == pytest.approx(0.4778, abs=1e-4)
    # Pictures are drawn whole: one alone, or the other, or both.
    assert overall['interval'] == pytest.approx((-0.1, 0.2))
    assert list(found['by_kind']) == ['plain', 'relation']
    assert found['by_kind']['plain']['difference'] == pytest.approx(0.2)
    assert found['by_kind']['relation']['t'] is None
    assert list(found['by_distractors']) == ['4+']


def test_what_one_run_has_not_is_left_out_and_named(tmp_path, capsys):
    a = [*of(0.2, 0.4, 0.6), answer('torn', status='UNREADABLE', error='no picture'),
         *(answer(f'a{k}') for k in range(7))]
    b = [*of(0.3, 0.6, 0.9), answer('torn'), answer('b0')]
    runs(tmp_path, a, b)
    assert main(['evaluate', 'compare', str(tmp_path / 'a'), str(tmp_path / 'b')]) == 0
    captured = capsys.readouterr()
    assert 'samples that only A has: 7 (a0, a1, a2, a3, a4 and 2 more)' in captured.err
    assert 'samples that only B has: 1 (b0)' in captured.err
    assert 'samples that one of them could not read: 1 (torn)' in captured.err
    lines = captured.out.splitlines()
    assert lines[0] == f'A: {tmp_path / "a"} (refcoco val, some, onboard, full)'
    overall = next(line for line in lines if line.startswith('overall'))
    assert overall.split()[1:5] == ['3', '0.400', '0.600', '+0.200']
    found = json.loads(lines[-1])
    assert found['overall']['pairs'] == 3 and found['b']['mode'] == 'DS'
    assert found['only_b'] == ['b0'] and len(found['only_a']) == 7
    assert found['overall']['t'] == pytest.approx(3.4641, abs=1e-4)


def test_errors_count_as_zero(tmp_path):
    a = of(0.5, 0.7)
    b = [answer('0', iou=0.5, image_id='0'),
         answer('1', image_id='0', status='OUT_OF_MEMORY', intersection=0, error='full')]
    assert compared(pair_runs(*runs(tmp_path, a, b)))['overall']['mean_b'] == 0.25


def test_a_run_against_itself_has_no_t(tmp_path, capsys):
    keep(tmp_path / 'a', *of(0.2, 0.4))
    assert main(['evaluate', 'compare', *[str(tmp_path / 'a')] * 2]) == 0
    lines = capsys.readouterr().out.splitlines()
    overall = next(line for line in lines if line.startswith('overall'))
    assert overall.split()[-2:] == ['-', '-'] and '+0.000' in overall
    assert json.loads(lines[-1])['overall']['p'] is None


def test_a_small_p_is_told_as_such(tmp_path, capsys):
    rng = np.random.default_rng(0)
    before = rng.uniform(0.2, 0.5, 60)
    runs(tmp_path, of(*map(float, before)),
         of(*map(float, before + rng.uniform(0.1, 0.3, 60))))
    assert main(['evaluate', 'compare', str(tmp_path / 'a'), str(tmp_path / 'b')]) == 0
    assert '< 0.0001' in capsys.readouterr().out


@pytest.mark.parametrize('b, of_b, told', [
    ([answer('other')], {'split': 'testA'}, 'got 0 in common.* is of val, .* of testA'),
    ([answer('0', status='UNREADABLE')], {}, 'got 1 in common, none of them scored in both'),
    (of(0.3), {'dataset': 'refcoco+'}, 'two runs of one data set, got refcoco in .* refcoco'),
    (of(0.3, expression='another'), {}, "got 'the 0' and 'another': they are of other releases")])
def test_runs_that_cannot_be_compared_are_refused(tmp_path, b, of_b, told):
    with pytest.raises(BadRequestError, match=told):
        pair_runs(*runs(tmp_path, of(0.5), b, **of_b))


def test_an_unfinished_run_is_compared_only_when_that_is_said(tmp_path, capsys):
    keep(tmp_path / 'a', *of(0.2, 0.4))
    keep(tmp_path / 'b', *of(0.3, 0.6), samples=9)
    command = ['evaluate', 'compare', str(tmp_path / 'a'), str(tmp_path / 'b')]
    assert main(command) == 2
    assert 'got 2 of 9 answers' in capsys.readouterr().err
    assert main([*command, '--unfinished']) == 0
