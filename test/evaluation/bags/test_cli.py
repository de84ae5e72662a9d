"""`refdiff sim record`, `refdiff evaluate bag` and `refdiff label`, on real models of random
weights."""

import json
from pathlib import Path
import shutil

from bag_files import compressed, image, jpeg, record_tables, stamp, write_bag
import numpy as np
from PIL import Image
import pytest

from refdiff_ros.cli import main
from refdiff_ros.engine import Engine
from refdiff_ros.evaluation.bags.frames import read_frames
from refdiff_ros.evaluation.bags.labels import Label, label_line, read_labels, write_labels
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.evaluation.metrics.rle import encode_rle
from refdiff_ros.sim.render import generate

SIZE = (72, 96)
MASK = np.eye(*SIZE, dtype=bool)
FAST = ['--bundle', 'untrained_mini', '--mode', 'G']
COLOUR, DEPTH = '/camera/color/image_raw', '/camera/depth/image_raw'
INFO = '/camera/color/camera_info'


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """A bag of three scenes and its labels."""
    folder = tmp_path_factory.mktemp('recorded')
    return record_tables(folder / 'bag', '--scenes', '3', '--exact-depth')


def evaluate(bag, labels, *more):
    return main(['evaluate', 'bag', str(bag), '--labels', str(labels), *FAST, *more])


def last_line(capsys):
    captured = capsys.readouterr()
    return json.loads(captured.out.splitlines()[-1]), captured


def labelled(folder: Path, stamps, **changes):
    """Labels of `/image` at `stamps`."""
    path = folder / 'labels.jsonl'
    write_labels(path, (label_line(Label(
        at, '/image', 'the red mug', changes.get('rle', encode_rle(MASK)),
        source=changes.get('source', 'person'))) for at in stamps))
    return path


def test_a_recording_holds_what_the_scenes_are(recorded):
    bag, path = recorded
    labels = read_labels(path)
    with Bag(bag) as opened:
        assert opened.topics == {
            INFO: 'sensor_msgs/msg/CameraInfo', COLOUR: 'sensor_msgs/msg/Image',
            '/camera/depth/camera_info': 'sensor_msgs/msg/CameraInfo',
            DEPTH: 'sensor_msgs/msg/Image'}
        index = index_bag(opened, Topics((COLOUR,), DEPTH, INFO))
        found = [one.frame for one in read_frames(opened, index, index.pictures)]
    view = generate(5, SIZE)
    assert len(found) == 3 and index.without_depth == 0
    assert np.array_equal(found[1].image_rgb, view.frame.image_rgb)
    assert np.allclose(found[1].depth_m, view.frame.depth_m, atol=6e-4)
    assert found[1].camera == view.frame.camera
    for label in labels:
        assert label.source == 'simulation' and label.tags['kind'] and label.grasp
    of_view = [label for label in labels if label.stamp_ns == found[1].stamp_ns]
    assert of_view and all(any(np.array_equal(label.mask, mask) for mask in view.masks)
                           for label in of_view)


def test_a_recording_overwrites_nothing(recorded, tmp_path, capsys):
    bag, labels = recorded
    for out, to in ((bag, tmp_path / 'l.jsonl'), (tmp_path / 'bag', labels)):
        assert main(['sim', 'record', '--out', str(out), '--labels', str(to)]) == 2
        assert 'is there already' in capsys.readouterr().err
    assert not (tmp_path / 'bag').exists()
    with pytest.raises(SystemExit):
        main(['sim', 'record', '--out', 'a', '--labels', 'b', '--size', '96'])


def test_figures_of_a_bag(recorded, tmp_path, capsys):
    bag, labels = recorded
    out = tmp_path / 'out' / 'cases.json'
    status = evaluate(bag, labels, '--depth-topic', DEPTH, '--info-topic', INFO, '--json',
                      str(out), '--html', str(tmp_path / 'report.html'),
                      '--require', 'p95_ms=600000', '--require', 'errors=0')
    found, captured = last_line(capsys)
    assert status == 0 and 'random weights' in captured.out.splitlines()[0]
    count = len(read_labels(labels))
    assert (found['cases'], found['errors'], found['unreadable']) == (count, 0, 0)
    assert found['labels_without_frames'] == found['frames_without_labels'] == 0
    assert 0 <= found['mean_iou'] <= found['oracle_mean_iou'] <= 1
    assert 0 < found['p50_ms'] <= found['p95_ms'] and found['frames_per_second'] > 0
    assert sum(some['cases'] for some in found['by_kind'].values()) == count
    assert 'met     p95_ms: wanted <= 600000' in captured.out
    assert [verdict['met'] for verdict in found['requirements']] == [True, True]
    grasp = found['grasp']
    assert grasp['cases'] == count == len(json.loads(out.read_text())['grasps'])
    assert 0 < grasp['position_mm']['p50'] <= grasp['position_mm']['p95'] < 10_000
    assert grasp['position_mm']['count'] == count - grasp['missing'] > 0
    # Not every object has a closing direction that is better than others.
    assert grasp['orientation_deg']['count'] == grasp['width_mm']['count'] < count
    assert 'grasp pose off by: position' in captured.out
    assert found['answers_per_second'] >= found['frames_per_second'] > 0
    written = json.loads(out.read_text())
    assert len(written['results']) == count and written['mean_iou'] == found['mean_iou']
    report = (tmp_path / 'report.html').read_text()
    assert report.count('<svg') == 3 and '"still":"data:image/webp;base64,' in report


def test_a_full_disk_costs_no_figure_and_grasps_need_depth(recorded, capsys):
    full = ['--json', '/dev/full', '--html', '/dev/full']
    assert evaluate(*recorded, *full, '--limit', '2') == 2
    captured = capsys.readouterr()
    found = json.loads(captured.out.splitlines()[-1])
    assert captured.err.count('No space left on device') == 2
    assert 'expected to write the figures to /dev/full' in captured.err
    assert 'expected to write the report to /dev/full' in captured.err
    assert found['cases'] == found['grasp']['cases'] == found['grasp']['missing'] == 2
    assert 'grasp pose missing in 2 of 2 answers; most often (2): no depth' in captured.out


def test_bad_pictures_and_labels_are_counted_and_named_and_the_gate_shuts(tmp_path, capsys):
    pixels = np.full((*SIZE, 3), 90, np.uint8)
    cut = jpeg(pixels)[:-200]
    bag = write_bag(tmp_path, 'sqlite3', [
        *(compressed('/image', stamp(k), jpeg(pixels)) for k in range(3)),
        compressed('/image', stamp(3), cut)])
    labels = labelled(tmp_path, [stamp(0), stamp(3), stamp(9)])
    with labels.open('a') as file:
        file.write(label_line(Label(stamp(1), '/image', 'the box', encode_rle(MASK.T))) + '\n')
    out = tmp_path / 'cases.json'
    assert evaluate(bag, labels, '--json', str(out), '--require', 'unreadable=0', '--require',
                    'cases=1') == 1
    found, captured = last_line(capsys)
    assert (found['cases'], found['unreadable']) == (1, 2)
    assert (found['labels_without_frames'], found['frames_without_labels']) == (1, 1)
    assert '1 labels without a frame within 0.5 ms: line 3 at 1700000000.900' in captured.err
    assert '1 frames without a label: 1700000000.200' in captured.err
    assert '/image at 1700000000.300000000: expected a whole JPEG' in captured.err
    assert "of the picture's size (72, 96)" in captured.err
    assert 'missed  unreadable: wanted <= 0, got 2' in captured.out
    assert 'met     cases: wanted >= 1, got 1' in captured.out
    written = json.loads(out.read_text())
    assert [label['line'] for label in written['unmatched']['labels']] == [3]
    assert [frame['stamp_ns'] for frame in written['unmatched']['frames']] == [stamp(2)]
    assert [case['status'] for case in written['results']].count('UNREADABLE') == 2


def test_ctrl_c_keeps_what_was_done(recorded, tmp_path, capsys, monkeypatch):
    segment, asked = Engine.segment, []

    def interrupted(*arguments, **options):
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return segment(*arguments, **options)

    monkeypatch.setattr(Engine, 'segment', interrupted)
    out = tmp_path / 'cases.json'
    assert evaluate(*recorded, '--json', str(out), '--require', 'miou=1') == 130
    found, captured = last_line(capsys)
    assert found['stopped'] == 'interrupted' and found['cases'] == 1
    assert found['requirements'] == [] and 'stopped after 1 of' in captured.err
    assert len(json.loads(out.read_text())['results']) == 1


def test_labels_of_the_model_measure_nothing_until_somebody_has_looked(
        recorded, tmp_path, capsys):
    bag, _ = recorded
    out, stills = tmp_path / 'labels.jsonl', tmp_path / 'stills'
    assert main(['label', str(bag), '--topic', COLOUR, '--every', '0.2', '--out', str(out),
                 '--stills', str(stills), '--expression', 'the red mug', *FAST]) == 0
    labels = read_labels(out)
    assert [label.source for label in labels] == ['model'] * 2
    for label in labels:
        name = f'1700000000.{label.stamp_ns % 10**9:09d}'
        assert Image.open(stills / f'{name}.png').size == SIZE[::-1]
        assert Image.open(stills / f'{name}_the_red_mug.png').size == SIZE[::-1]
        mask = np.asarray(Image.open(stills / f'{name}_the_red_mug_mask.png')) > 0
        assert np.array_equal(mask, label.mask)
    capsys.readouterr()
    assert evaluate(bag, out) == 2
    assert "2 of 2 that are the model's own answers (lines 1, 2)" in capsys.readouterr().err
    assert evaluate(bag, out, '--unverified', '--limit', '1') == 0
    found, captured = last_line(capsys)
    # The same model agrees with itself.
    assert found['mean_iou'] == 1.0 and found['cases'] == 1 and found['unverified'] == 2
    assert captured.out.startswith("NOTE: 2 of 2 labels are a model's own answers")


def test_stills_without_an_expression_are_lines_to_fill_in(recorded, tmp_path, capsys):
    bag, _ = recorded
    out = tmp_path / 'labels.jsonl'
    arguments = ['label', str(bag), '--topic', COLOUR, '--stills', str(tmp_path / 'stills')]
    chosen = ['--stamps', '1700000000.1', '1700000000200000000']
    assert main([*arguments, *chosen, '--out', str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line['stamp']['nanosec'] for line in lines] == [100_000_000, 200_000_000]
    assert len(list((tmp_path / 'stills').iterdir())) == 2
    assert evaluate(bag, out) == 2
    assert ":1: expected a text as expression, got ''" in capsys.readouterr().err
    for more, message in (
            (['--out', str(out), *chosen], 'take another name'),
            (['--out', 'new', '--stamps', '1700000000.15'], 'the nearest is at 1700000000.1'),
            (['--out', 'new', '--stamps', 'noon'], 'a stamp in seconds'),
            (['--out', 'new', '--every', '0'], 'above 0 seconds')):
        assert main([*arguments, *more]) == 2
        assert message in capsys.readouterr().err


def test_one_unreadable_image_costs_no_other_label(tmp_path, capsys):
    pixels = np.zeros((*SIZE, 3), np.uint8)
    bag = write_bag(tmp_path, 'ros1', [
        compressed('/image', stamp(0), b'no picture'),
        compressed('/image', stamp(1), jpeg(pixels))])
    out = tmp_path / 'labels.jsonl'
    assert main(['label', str(bag), '--topic', '/image', '--every', '0.05', '--out', str(out),
                 '--stills', str(tmp_path / 'stills')]) == 1
    captured = capsys.readouterr()
    assert 'left out: /image at 1700000000.000000000' in captured.err
    assert '1 of 2 images' in captured.out and len(out.read_text().splitlines()) == 1


@pytest.mark.parametrize('more, message', [
    (['--require', 'iou=0.5'], 'expected a requirement on one of miou, oiou'),
    (['--set', 'selection.alfa=1'], "got 'alfa'"),
    (['--image-topic', '/other'], 'the bag has /image (sensor_msgs/msg/Image)'),
    (['--sync-tolerance', '-1'], 'a tolerance of 0 seconds'),
    (['--bundle', 'no_such_bundle'], 'no_such_bundle')])
def test_what_cannot_be_used_is_said_before_anything_runs(more, message, tmp_path, capsys):
    bag = write_bag(tmp_path, 'mcap', [
        image('/image', stamp(0), np.zeros((*SIZE, 3), np.uint8), 'rgb8')])
    assert evaluate(bag, labelled(tmp_path, [stamp(0)]), *more) == 2
    assert message in capsys.readouterr().err


def test_labels_of_another_bag_and_a_bag_that_was_cut_off(recorded, tmp_path, capsys):
    bag, labels = recorded
    assert evaluate(bag, labelled(tmp_path, [stamp(100)]), '--image-topic', COLOUR) == 2
    assert 'are they the labels of another bag?' in capsys.readouterr().err
    cut = tmp_path / 'cut'
    shutil.copytree(bag, cut)
    file = next(cut.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:5000])
    assert evaluate(cut, labels) == 2
    assert 'mcap recover' in capsys.readouterr().err
