"""Manifests, labels, runs and camera files with odd values: a sentence, never a traceback."""

import contextlib
from dataclasses import asdict
import json

from odd_values import BROKEN, documents
import pytest
from run_folders import answer, keep, QUESTION

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.errors import BadRequestError, BundleError, RefDiffError
from refdiff_ros.evaluation.bags.labels import read_labels
from refdiff_ros.evaluation.html.cases import read_run as read_report
from refdiff_ros.evaluation.online.answer_bag import SETTINGS
from refdiff_ros.evaluation.online.cli import read_settings
from refdiff_ros.evaluation.online.topics import parse_frame, PlayedFrame
from refdiff_ros.evaluation.runs.folder import read_run
from refdiff_ros.evaluation.runs.record import answer_line
from refdiff_ros.matching.calibration_file import (
    CalibrationFile,
    read_calibration,
    write_calibration,
)
from refdiff_ros.models.bundle import read_manifest
from refdiff_ros.models.lock_file import LOCK, read_lock
from refdiff_ros.pictures.files import read_camera
from refdiff_ros.presets import parse_overrides

SHA = 'ab' * 32
MANIFEST = {
    'format': 1, 'name': 'some', 'trained': True, 'notice': 'n', 'overrides': {'onboard': {
        'generative': {'image_size': 256}}},
    'parts': {'clip': {'layout': 'transformers', 'folder': 'clip', 'licence': 'MIT',
                       'hub': {'repo': 'a/b', 'revision': 'main'},
                       'files': [{'path': 'model.safetensors', 'sha256': SHA, 'size': 3}]},
              'sam': {'layout': 'segment-anything', 'type': 'vit_b', 'url': 'https://x/y',
                      'files': [{'path': 'sam.pth', 'sha256': SHA}]}}}
LABEL = {
    'stamp': {'sec': 1, 'nanosec': 2}, 'topic': '/image', 'expression': 'the mug',
    'mask': {'size': [2, 2], 'counts': '22'}, 'tags': {'kind': 'x'}, 'source': 'person',
    'grasp': {'position': [0, 0, 1], 'orientation': [0, 0, 0, 1], 'width': 0.1}}
LOCKED = {'format': 1, 'files': {'clip/model.safetensors': {
    'sha256': SHA, 'size': 3, 'mtime_ns': 4, 'source': '', 'commit': ''}}}
CAMERA = {'width': 640, 'height': 480, 'k': [500.0, 0, 320, 0, 500, 240, 0, 0, 1],
          'd': [0.1, 0.1, 0, 0, 0], 'p': [0.0] * 12, 'distortion_model': 'plumb_bob',
          'binning_x': 1, 'roi': {'x_offset': 0, 'width': 0, 'height': 0, 'y_offset': 0}}


def never_a_traceback(path, whole, read, fault):
    refused = 0
    for text in documents(whole):
        path.write_text(text, encoding='utf-8', errors='surrogatepass')
        try:
            read()
        except fault as error:
            assert len(str(error)) < 6000
            refused += 1
        except Exception as error:
            raise AssertionError(f'{type(error).__name__} for {text[:500]}') from error
    assert refused > len(BROKEN) // 2


def test_manifests(tmp_path):
    never_a_traceback(
        tmp_path / 'bundle.json', MANIFEST, lambda: read_manifest(tmp_path), BundleError)


def test_labels(tmp_path):
    path = tmp_path / 'labels.jsonl'
    never_a_traceback(path, LABEL, lambda: read_labels(path), BadRequestError)


def test_cameras(tmp_path):
    path = tmp_path / 'camera.yaml'
    never_a_traceback(path, CAMERA, lambda: read_camera(path, size_hw=(480, 640)), RefDiffError)


def test_questions_of_runs(tmp_path):
    keep(tmp_path, answer('a'))
    whole = json.loads((tmp_path / 'run.json').read_text())
    whole['question']['values'] = {'x': 1}
    never_a_traceback(
        tmp_path / 'run.json', whole, lambda: read_run(tmp_path, True), BadRequestError)


@pytest.mark.parametrize('summed', [True, False])
def test_answers_of_runs(tmp_path, summed):
    keep(tmp_path, answer('a'), samples=1)
    whole = json.loads(answer_line(answer('a')))
    if not summed:  # as of an older run
        del whole['sum']
    path = tmp_path / 'answers.jsonl'

    def read():
        path.write_bytes(path.read_bytes() + b'\n')
        read_run(tmp_path, True)
    never_a_traceback(path, whole, read, BadRequestError)


def test_reports(tmp_path):
    path = tmp_path / 'run.json'
    whole = {'bundle': 'b', 'results': [json.loads(answer_line(answer('a')))]}
    never_a_traceback(path, whole, lambda: read_report(path), BadRequestError)


def test_calibrations(tmp_path):
    path = tmp_path / 'calibration.json'
    write_calibration(path, CalibrationFile(
        'tiny', SHA, 'onboard', 'full', {'kind': 'bag', 'cases': 3},
        CalibrationConfig('full', FitWeights(bias=-3.0), 0.1, 0.9, 0.4, 0.6), {'macro_f1': 0.8}))
    whole = json.loads(path.read_text())
    never_a_traceback(path, whole, lambda: read_calibration(path), BadRequestError)


@pytest.mark.parametrize('whole, read', [
    ({'bag': 'b', 'labels': 'l', 'rate': 1.0, 'parameters': {'seed': 1}, 'trained': True},
     lambda text: read_settings({SETTINGS: text})),
    (asdict(PlayedFrame(1, '/image', 1, 'the mug', 0.5)), parse_frame)])
def test_what_an_answer_bag_says_of_itself(whole, read):
    for text in documents(whole):
        with contextlib.suppress(BadRequestError):
            read(text)
    for text in BROKEN:
        with pytest.raises(BadRequestError):
            read(text)


def test_values_of_the_command_line():
    for text in BROKEN:
        assert isinstance(parse_overrides([f'selection.alpha={text}']), dict)


def test_locks(tmp_path):
    path = tmp_path / LOCK
    for text in documents(LOCKED):
        path.write_text(text, encoding='utf-8', errors='surrogatepass')
        with contextlib.suppress(RefDiffError):
            read_lock(tmp_path)


def test_a_figure_altered_by_hand_is_noticed(tmp_path):
    keep(tmp_path, answer('a'), answer('b', intersection=1, union=2))
    path = tmp_path / 'answers.jsonl'
    whole = path.read_text()
    assert read_run(tmp_path).answers['b'].iou == 0.5
    for old, new in (('"iou": 0.5', '"iou": 0.75'), ('"status": "FOUND"', '"status": "BUSY"'),
                     ('"seconds": 0.3', '"seconds": 0.2')):
        assert old in whole
        path.write_text(whole.replace(old, new))
        with pytest.raises(BadRequestError, match='line [12] .*(altered|IoU|intersection)'):
            read_run(tmp_path)
    # Another order of the same values is no other answer, and a run before sums is read.
    line = asdict(answer('b', intersection=1, union=2))
    path.write_text(whole.splitlines()[0] + '\n' + json.dumps(line) + '\n')
    assert read_run(tmp_path).answers['b'].iou == 0.5
    assert QUESTION.dataset == 'refcoco'
