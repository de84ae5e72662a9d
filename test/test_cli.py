"""The `refdiff` command, run as a person runs it."""

import json
import os
import subprocess
import sys

import numpy as np
from PIL import Image
import pytest
from warm_start import warm_run

from refdiff_ros.models.untrained import build_untrained
from refdiff_ros.models.writer import write_bundle

CAMERA = """\
image_width: 96
image_height: 72
camera_matrix: {rows: 3, cols: 3, data: [80, 0, 48, 0, 80, 36, 0, 0, 1]}
"""


def refdiff(*arguments):
    return warm_run(['-m', 'refdiff_ros.cli', *map(str, arguments)], timeout_s=250)


@pytest.fixture
def picture(tmp_path):
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((12, 12, 1))).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / 'picture.png')
    Image.fromarray(np.full((72, 96), 800, np.uint16)).save(tmp_path / 'depth.png')
    (tmp_path / 'camera.yaml').write_text(CAMERA)
    return tmp_path


def test_help_names_every_command():
    done = refdiff('--help')
    assert done.returncode == 0
    for command in ('node', 'camera', 'segment', 'parse', 'models', 'demo'):
        assert command in done.stdout


def test_segment_writes_mask_overlay_attention_and_answer(picture):
    done = refdiff(
        'segment', picture / 'picture.png', 'the left box', '--bundle', 'untrained_mini',
        '--depth', picture / 'depth.png', '--camera', picture / 'camera.yaml',
        '--dtype', 'float32', '--offline', '--low-memory', '--out', picture / 'out')
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()[0], done.stdout.splitlines()[-1]
    assert 'random weights' in first
    answer = json.loads((picture / 'out' / 'answer.json').read_text())
    assert answer['status'] == 'FOUND' and last.startswith('FOUND: ')  # with any weights
    assert answer['expression']['root'] == 'box'
    mask = np.asarray(Image.open(picture / 'out' / 'mask.png'))
    assert mask.shape == (72, 96) and set(np.unique(mask)) == {0, 255}
    for name in ('overlay.png', 'attention.png'):
        assert Image.open(picture / 'out' / name).size == (96, 72)


def test_segment_that_finds_nothing_says_so_and_exits_with_1(picture):
    models = build_untrained()
    never = {**models.overrides['onboard'], 'selection': {'min_score': 100.0}}
    write_bundle(models, picture / 'bundle', overrides={**models.overrides, 'onboard': never})
    done = refdiff('segment', picture / 'picture.png', 'the left box', '--bundle',
                   picture / 'bundle', '--out', picture / 'out')
    assert done.returncode == 1, done.stderr
    answer = json.loads((picture / 'out' / 'answer.json').read_text())
    assert answer['status'] == 'NOT_FOUND'
    assert done.stdout.splitlines()[-1].startswith('NOT_FOUND: ')
    assert not np.asarray(Image.open(picture / 'out' / 'mask.png')).any()


@pytest.mark.parametrize('arguments, message', [
    (('missing.png', 'a box'), 'expected a picture at missing.png'),
    (('picture.png', '  '), 'expression'),
    (('picture.png', 'a box', '--camera', 'depth.png'), 'camera_info YAML'),
    (('picture.png', 'a box', '--bundle', 'nonesuch'), 'nonesuch'),
])
def test_what_cannot_be_done_is_one_line_and_status_2(
        picture, monkeypatch, arguments, message):
    monkeypatch.chdir(picture)
    done = refdiff('segment', *arguments, '--out', 'out')
    assert done.returncode == 2
    assert message in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    done = subprocess.run(
        f'{sys.executable} -m refdiff_ros.cli models list | head -c 1', shell=True, text=True,
        capture_output=True, timeout=120, check=False, env=os.environ)
    assert len(done.stdout) == 1 and done.stderr == ''


def test_a_node_without_ros_says_how_to_get_it(tmp_path):
    (tmp_path / 'sitecustomize.py').write_text(
        "import sys\nsys.modules['rclpy'] = None\n")
    done = subprocess.run(
        [sys.executable, '-m', 'refdiff_ros.cli', 'node'], capture_output=True, text=True,
        timeout=250, check=False,
        env=os.environ | {'PYTHONPATH': f'{tmp_path}:{os.environ.get("PYTHONPATH", "")}'})
    assert done.returncode == 2
    assert 'make setup' in done.stderr


def test_parse_tells_the_objects_and_their_roles():
    done = refdiff('parse', 'put the red can on the plate')
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        'order', '1. place (put)', "   pick: 'the red can'", "   place: on 'the plate'"]


def test_parse_without_an_object_says_why_and_exits_with_1():
    done = refdiff('parse', "don't touch the mug", '--json')
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert answer['steps'] == [] and answer['no_object']['reason'] == 'forbidden'
    assert [one['expression'] for one in answer['forbidden']] == ['the mug']
