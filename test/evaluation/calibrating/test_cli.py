"""`refdiff calibrate` on a real bag and on tabletops, with real models of random weights."""

import json

from bag_files import record_tables
import pytest

from refdiff_ros.cli import main
from refdiff_ros.evaluation.bags.labels import read_labels
from refdiff_ros.evaluation.calibrating import cli
from refdiff_ros.matching.calibration_file import read_calibration

FAST = ['--bundle', 'untrained_mini', '--mode', 'G', '--device', 'cpu', '--least-found', '0']


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """A bag of 14 scenes with labels of one and of several objects."""
    folder = tmp_path_factory.mktemp('recorded')
    return record_tables(folder / 'kitchen', '--scenes', '14', '--several')


def calibrate(bag, labels, *more):
    return main(['calibrate', 'bag', str(bag), '--labels', str(labels), *FAST, *more])


def test_a_bag_becomes_a_calibration_beside_the_bundle(recorded, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('REFDIFF_HOME', str(tmp_path))
    page = tmp_path / 'page.html'
    assert calibrate(*recorded, '--html', str(page)) == 0
    out = capsys.readouterr().out
    path = tmp_path / 'bundles' / 'untrained_mini-onboard-G-kitchen.json'
    assert str(path) in out
    file = read_calibration(path)
    labels = read_labels(recorded[1])
    assert (file.bundle, file.preset, file.mode) == ('untrained_mini', 'onboard', 'G')
    assert file.data['AMBIGUOUS'] == sum(bool(label.also) for label in labels) > 0
    assert file.data['FOUND'] == sum(not label.also for label in labels)
    assert file.data['NOT_FOUND'] > 10 and file.data['cases'] == sum(
        file.data[name] for name in ('FOUND', 'NOT_FOUND', 'AMBIGUOUS'))
    assert 0 <= file.cross_validated['macro_f1'] <= 1
    assert 'Calibration</h1>' in page.read_text() and 'Reliability' in page.read_text()
    told = json.loads(out.splitlines()[-1])
    assert told['calibration']['mode'] == 'G'
    # What was written is taken, and by no other mode.
    asked = ['evaluate', 'decisions', '--bundle', 'untrained_mini', '--limit', '1', '--device',
             'cpu', '--calibration', str(path), '--mode']
    assert main([*asked, 'G']) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])['calibrated']
    assert main([*asked, 'GS']) == 2
    assert "for mode 'GS', but" in capsys.readouterr().err


def test_too_few_cases_are_refused_before_anything_is_asked(recorded, tmp_path, capsys):
    bag, labels = recorded
    few = tmp_path / 'few.jsonl'
    few.write_text('\n'.join(labels.read_text().splitlines()[:6]))
    assert calibrate(bag, few, '--out', str(tmp_path / 'none.json')) == 2
    assert f'expected {cli.MIN_CASES} cases or more' in capsys.readouterr().err
    assert calibrate(bag, labels, '--limit', '20') == 2
    assert 'got 20 that could be answered' in capsys.readouterr().err
    assert not (tmp_path / 'none.json').exists()


def test_labels_of_several_objects_are_left_out_of_evaluations(recorded, capsys):
    bag, labels = recorded
    assert main(['evaluate', 'bag', str(bag), '--labels', str(labels), '--bundle',
                 'untrained_mini', '--mode', 'G', '--device', 'cpu']) == 0
    out = capsys.readouterr().out
    several = sum(bool(label.also) for label in read_labels(labels))
    assert f'NOTE: {several} of {len(read_labels(labels))} labels are true of several' in out
    assert json.loads(out.splitlines()[-1])['cases'] == len(read_labels(labels)) - several


def test_tabletops_are_a_data_set(tmp_path, capsys):
    out = tmp_path / 'tabletop.json'
    assert main(['calibrate', 'dataset', 'tabletop', '--split', 'val', '--limit', '60', *FAST,
                 '--out', str(out)]) == 0
    captured = capsys.readouterr()
    assert 'AMBIGUOUS is answered where another region fits' in captured.err
    file = read_calibration(out)
    assert file.data['AMBIGUOUS'] == 0 and file.calibration.fits_from == 0.5
    assert file.data['split'] == 'val'


def test_a_data_set_without_its_folder_is_told(capsys):
    assert main(['calibrate', 'dataset', 'refcoco', *FAST]) == 2
    assert 'expected --root DIR' in capsys.readouterr().err
