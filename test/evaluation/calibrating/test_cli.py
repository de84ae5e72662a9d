"""`refdiff calibrate` on a real bag and on tabletops, with real models of random weights."""

import json
import pickle

from bag_files import record_tables
import numpy as np
from PIL import Image
import pytest
from warm_start import warm_run

from refdiff_ros.cli import main
from refdiff_ros.evaluation.bags.labels import read_labels
from refdiff_ros.evaluation.calibrating import cli
from refdiff_ros.matching.calibration_file import read_calibration, take_calibration
from refdiff_ros.models.manager import load_bundle

WORDS = ('mug', 'box', 'plate', 'bottle', 'bowl', 'ball', 'can', 'toy')
FAST = ['--bundle', 'untrained_mini', '--mode', 'G', '--device', 'cpu', '--least-found', '0']


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """A bag of seven scenes with labels of one and of several objects."""
    folder = tmp_path_factory.mktemp('recorded')
    return record_tables(folder / 'kitchen', '--scenes', '7', '--several')


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
    # What was written is taken, as a node does that loads for this mode alone.
    models = load_bundle('untrained_mini', device='cpu', mode='G')
    assert take_calibration(models, path, 'untrained_mini', 'onboard', 'G') == file
    assert models.overrides['onboard']['selection']['decide'] == 'calibrated'
    # And by no other mode.
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
    assert main(['calibrate', 'dataset', 'tabletop', '--split', 'val', '--limit', '50', *FAST,
                 '--out', str(out)]) == 0
    captured = capsys.readouterr()
    assert 'AMBIGUOUS is answered where another region fits' in captured.err
    file = read_calibration(out)
    assert file.data['AMBIGUOUS'] == 0 and file.calibration.fits_from == 0.5
    assert file.data['split'] == 'val'


def test_a_data_set_without_its_folder_is_told(capsys):
    assert main(['calibrate', 'dataset', 'refcoco', *FAST]) == 2
    assert 'expected --root DIR' in capsys.readouterr().err


@pytest.fixture(scope='module')
def answered(recorded, tmp_path_factory):
    """What a node of its own answered while the bag was played."""
    bag, labels = recorded
    out = tmp_path_factory.mktemp('answered') / 'answers'
    done = warm_run([
        '-m', 'refdiff_ros.cli', 'evaluate', 'bag', str(bag), '--labels', str(labels), '--bundle',
        'untrained_mini', '--mode', 'G', '--online', '--out', str(out), '--rate', '0.15',
        '--param', 'max_rate=100', '--timeout', '500'], timeout_s=580)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.timeout(900)
def test_answers_of_an_online_run_choose_cases_and_mode(
        recorded, answered, tmp_path, monkeypatch, capsys):
    # Under load a node may answer few: what is checked here is not how many.
    monkeypatch.setattr(cli, 'MIN_CASES', 5)
    monkeypatch.setattr(cli, 'MIN_OF_KIND', 1)
    bag, labels = recorded
    out = tmp_path / 'made.json'
    # Bundle and mode are those that answered.
    assert main(['calibrate', 'bag', str(bag), '--labels', str(labels), '--answers',
                 str(answered), '--device', 'cpu', '--least-found', '0', '--out', str(out)]) == 0
    file = read_calibration(out)
    assert (file.bundle, file.preset, file.mode) == ('untrained_mini', 'onboard', 'G')
    assert file.data['answers'] == 'answers'
    said = read_labels(labels)
    assert 0 < file.data['FOUND'] <= sum(not label.also for label in said)
    assert 0 < file.data['AMBIGUOUS'] <= sum(bool(label.also) for label in said)
    capsys.readouterr()


def test_a_bag_that_is_no_recording_of_answers_is_told(recorded, tmp_path, capsys):
    assert calibrate(*recorded, '--answers', str(recorded[0])) == 2
    assert 'refdiff evaluate bag --online' in capsys.readouterr().err
    assert calibrate(*recorded, '--answers', str(tmp_path / 'nowhere')) == 2
    assert 'nowhere' in capsys.readouterr().err


def write_refcoco(root, pictures=12):
    """Pictures with two boxes, of which three things are said, in RefCOCO's layout."""
    refs, annotations, images = [], [], []
    rng = np.random.default_rng(0)
    folder = root / 'images/mscoco/images/train2014'
    folder.mkdir(parents=True)
    for number in range(1, pictures + 1):
        name = f'COCO_train2014_{number:012}.jpg'
        pixels = rng.integers(90, 120, (72, 96, 3), np.uint8)
        pixels[10:40, 10:40], pixels[20:60, 50:90] = (200, 30, 30), (30, 30, 200)
        Image.fromarray(pixels).save(folder / name)
        images.append({'id': number, 'file_name': name, 'height': 72, 'width': 96})
        for place, (text, box) in enumerate((
                ((f'the {WORDS[number % len(WORDS)]}', f'red {WORDS[number % len(WORDS)]}'),
                 [10, 10, 40, 10, 40, 40, 10, 40]),
                ((f'blue {WORDS[(number + 3) % len(WORDS)]}',),
                 [50, 20, 90, 20, 90, 60, 50, 60]))):
            row = 2 * number + place
            annotations.append({
                'id': row, 'image_id': number, 'category_id': 1, 'iscrowd': 0,
                'segmentation': [box], 'area': 900.0, 'bbox': [10, 10, 30, 30]})
            refs.append({
                'ref_id': row, 'ann_id': row, 'image_id': number, 'category_id': 1,
                'split': 'val', 'file_name': name, 'sent_ids': [],
                'sentences': [{'sent_id': 10 * row + k, 'sent': each, 'raw': each,
                               'tokens': each.split()} for k, each in enumerate(text)]})
    (root / 'refcoco').mkdir()
    (root / 'refcoco/refs(unc).p').write_bytes(pickle.dumps(refs, 2))
    (root / 'refcoco/instances.json').write_text(json.dumps({
        'images': images, 'annotations': annotations,
        'categories': [{'id': 1, 'name': 'thing'}]}))
    return root


def test_refcocos_layout_becomes_a_calibration(tmp_path, capsys):
    out = tmp_path / 'refcoco.json'
    root = write_refcoco(tmp_path / 'data')
    assert main(['calibrate', 'dataset', 'refcoco', '--root', str(root), '--split', 'val', *FAST,
                 '--out', str(out)]) == 0
    file = read_calibration(out)
    assert (file.data['name'], file.data['split']) == ('refcoco', 'val')
    assert file.data['FOUND'] == 36 and file.data['NOT_FOUND'] >= 14
    capsys.readouterr()
    assert main(['calibrate', 'dataset', 'refcoco', '--root', str(root), '--split', 'nothing',
                 *FAST]) == 2
    assert "'nothing'" in capsys.readouterr().err
    assert main(['calibrate', 'dataset', 'refcoco', '--root', str(tmp_path / 'none'), *FAST]) == 2
    assert 'none' in capsys.readouterr().err
