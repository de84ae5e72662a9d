"""`refdiff evaluate`, on real models of random weights."""

import json

from PIL import Image
import pytest

from refdiff_ros.cli import main


def test_tabletop_prints_notice_table_and_json(tmp_path, capsys):
    status = main([
        'evaluate', 'tabletop', '--bundle', 'untrained_mini', '--limit', '4', '--mode', 'full',
        '--json', str(tmp_path / 'out' / 'cases.json'), '--sheets', str(tmp_path / 'sheets'),
        '--set', 'selection.alpha=0.2', '--set', 'proposals.points_per_side=8'])
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert status == 0 and 'random weights' in lines[0]
    assert any(line.startswith('overall') for line in lines)
    found = json.loads(lines[-1])
    assert found['cases'] == 4 and found['errors'] == 0
    assert (found['bundle'], found['split'], found['preset'], found['mode']) == (
        'untrained_mini', 'val', 'onboard', 'full')
    assert found['overrides'] == {
        'selection': {'alpha': 0.2}, 'proposals': {'points_per_side': 8}}
    assert 0 <= found['mean_iou'] <= found['oracle_mean_iou'] <= 1
    assert sum(some['cases'] for some in found['by_kind'].values()) == 4
    written = json.loads((tmp_path / 'out' / 'cases.json').read_text())
    assert written['mean_iou'] == found['mean_iou'] and len(written['results']) == 4
    assert 'case 4 of 4' in captured.err
    assert Image.open(tmp_path / 'sheets' / 'worst.png').size[0] == 4 * 384


@pytest.mark.parametrize('preset, mode', [('onboard', 'G'), ('onboard', 'DS')])
def test_other_modes_answer_too(preset, mode, capsys):
    assert main(['evaluate', 'tabletop', '--bundle', 'untrained_mini', '--limit', '1', '--preset',
                 preset, '--mode', mode, '--set', 'proposals.points_per_side=4',
                 '--split', 'test', '--half', 'unseen']) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found['cases'] == 1 and list(found['by_half']) == ['unseen']
    assert (found['pointing'] is None) == (mode == 'DS')


def test_a_full_disk_costs_no_figure(tmp_path, capsys):
    (tmp_path / 'worst.png').symlink_to('/dev/full')
    assert main(['evaluate', 'tabletop', '--bundle', 'untrained_mini', '--limit', '1', '--mode',
                 'G', '--json', '/dev/full', '--sheets', str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1])['cases'] == 1
    assert 'expected to write the figures to /dev/full' in captured.err
    assert f'expected to write sheets to {tmp_path}' in captured.err


def test_proposals_print_recall(capsys):
    assert main(['evaluate', 'proposals', '--bundle', 'untrained_mini', '--limit', '1',
                 '--set', 'proposals.points_per_side=4']) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found['scenes'] == 1 and found['objects'] >= 3
    assert set(found['recall']) == {'0.5', '0.75'}
    assert found['mean_kept'] <= found['mean_proposals']


@pytest.mark.parametrize('arguments, message', [
    (['--half', 'unseen'], "expected half 'all'"),
    (['--set', 'selection.alfa=1'], "got 'alfa'"),
    (['--set', 'alpha'], 'expected KEY=VALUE'),
    (['--bundle', 'no_such_bundle'], 'no_such_bundle')])
def test_what_cannot_be_used_is_said_before_anything_runs(arguments, message, capsys):
    assert main(['evaluate', 'tabletop', *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_useless_limit_is_refused(capsys):
    with pytest.raises(SystemExit, match='2'):
        main(['evaluate', 'tabletop', '--limit', '0'])
    assert 'expected a whole number of 1 or more' in capsys.readouterr().err
