"""`refdiff evaluate bag --online` as a person starts it: the node in a process of its own, a real
graph, models of random weights."""

import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

from bag_files import compressed, image, info, jpeg, stamp, write_bag
import numpy as np
from process_handle import signal_process
import pytest
from ros_graph import wait_for

from refdiff_ros.cli import main
from refdiff_ros.evaluation.bags.labels import Label, label_line, write_labels
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.evaluation.metrics.grasp_error import TrueGrasp
from refdiff_ros.evaluation.metrics.rle import encode_rle
from refdiff_ros.evaluation.online.recording import message_definitions
from refdiff_ros.evaluation.online.topics import EXPRESSION, FRAME, MASK, message_store

# Enough for a machine that does ten other things.
pytestmark = pytest.mark.timeout(600)
SIZE = (72, 96)
FAST = ['--bundle', 'untrained_mini', '--mode', 'G']
TOPICS = ['--depth-topic', '/depth', '--info-topic', '/info']
TRUTH = np.zeros(SIZE, bool)
TRUTH[20:50, 10:40] = True
FRAMES = 4


def padded(topic, stamp_ns, pixels):
    """A bgr8 image whose rows end with bytes that belong to no pixel."""
    rows = np.pad(pixels[..., ::-1].reshape(SIZE[0], -1), ((0, 0), (0, 5)), constant_values=99)
    message = image(topic, stamp_ns, np.ascontiguousarray(rows), 'bgr8')
    return *message[:3], {**message[3], 'width': SIZE[1]}


def pictures():
    rng = np.random.default_rng(0)
    for k in range(FRAMES):
        pixels = rng.integers(90, 120, (*SIZE, 3), np.uint8)
        pixels[20:50, 10 + k:40 + k] = (200, 30, 30)
        yield pixels


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A bag and labels: two expressions on one picture, none on another, a label of no picture."""
    folder = tmp_path_factory.mktemp('online')
    depth = np.full(SIZE, 800, np.uint16)
    bag = write_bag(folder, 'mcap', [
        message for k, pixels in enumerate(pictures()) for message in (
            info('/info', stamp(k), 90.0, SIZE), image('/depth', stamp(k), depth, '16UC1'),
            padded('/camera/image', stamp(k), pixels))])
    labels = folder / 'labels.jsonl'
    grasp = TrueGrasp((0.0, 0.0, 0.8))
    write_labels(labels, map(label_line, [
        Label(stamp(k), '/camera/image', text, encode_rle(TRUTH), grasp)
        for k, texts in {0: ['the red box', 'the table'], 1: ['the red box'], 3: ['the red box'],
                         9: ['the red box']}.items() for text in texts]))
    return bag, labels


def command(bag, labels, *more):
    return [sys.executable, '-m', 'refdiff_ros.cli', 'evaluate', 'bag', str(bag), '--labels',
            str(labels), *FAST, *more]


def children_of(out: Path):
    """Living processes that were started for this output folder."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            if f'ONLINE_TEST={out}'.encode() in (folder / 'environ').read_bytes() and \
                    (folder / 'stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z':
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def environment(out):
    return {**os.environ, 'ONLINE_TEST': str(out)}


def node_of(out):
    """The process id of the node that an evaluation has started; None before that."""
    for number in children_of(out):
        if b'\0node\0--ros-args' in Path(f'/proc/{number}/cmdline').read_bytes():
            return number
    return None


@pytest.fixture(scope='module')
def played(data, tmp_path_factory):
    out = tmp_path_factory.mktemp('played') / 'answers'
    done = subprocess.run(
        command(*data, *TOPICS, '--online', '--out', str(out), '--rate', '0.5', '--param',
                'max_rate=100', '--timeout', '500', '--require', 'errors=0', '--require',
                'age_p95_ms=1000000'),
        capture_output=True, text=True, timeout=580, check=False, env=environment(out))
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done, json.loads(done.stdout.splitlines()[-1])


def test_what_was_measured_is_said(played):
    _, done, found = played
    assert done.stdout.startswith('NOTE: untrained_mini has random weights')
    assert (found['online'], found['plays'], found['rate'], found['frames']) == (
        True, 2, 0.5, 2 * FRAMES)
    assert found['parameters']['max_rate'] == 100.0
    assert found['frames_answered'] + found['frames_dropped'] == found['frames']
    assert 1 <= found['cases'] == 4 - found['labels_unanswered'] and found['errors'] == 0
    assert (found['labels_matched'], found['labels_not_asked']) == (4, 0)
    assert (found['labels_without_frames'], found['frames_without_labels']) == (1, 1)
    assert 0 < found['p50_ms'] <= found['p95_ms'] and found['p50_ms'] < found['age_max_ms']
    assert found['frames_received'] <= found['frames'] and found['answers_per_second'] > 0
    for text in ('answered, and IoU is over these alone', 'the newest frame wins',
                 'receipt of the image to its answer', 'age of the frame when its answer came',
                 'met     age_p95_ms: wanted <= 1e+06', '1 labels without a frame'):
        assert text in done.stdout + done.stderr


def test_the_node_answers_what_the_engine_answers(played, data, tmp_path, capsys):
    out, _, online = played
    for name, more in (('offline', []), ('online', ['--answers', str(out)])):
        status = main([*command(*data, *TOPICS)[3:], *more, '--json', str(tmp_path / name)])
        assert status == 0
        printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    # Scored once more, without ROS, the recording gives the same figures.
    assert printed == {**online, 'requirements': []}
    offline, again = (json.loads((tmp_path / name).read_text()) for name in ('offline', 'online'))
    of_engine = {case['sample_id']: case for case in offline['results']}
    for case in again['results']:
        expected = of_engine[case['sample_id']]
        for name in ('status', 'iou', 'intersection', 'union', 'expression', 'image_id', 'tags'):
            assert case[name] == expected[name], name
    grasps = {case['sample_id']: case for case in offline['grasps']}
    for case in again['grasps']:
        assert (case['error'] is None) == (grasps[case['sample_id']]['error'] is None)
        if case['error'] is not None:
            assert case['error']['position_mm'] == pytest.approx(
                grasps[case['sample_id']]['error']['position_mm'], abs=0.01)
    assert {one['line'] for one in again['unanswered']} <= set(range(1, 6))


def test_the_recording_is_a_bag_of_its_own(played):
    out = played[0]
    with Bag(out) as bag:
        texts = [bag.decode(one).data for one in bag.messages([EXPRESSION])]
        stamps = {one.stamp_ns for one in bag.messages([MASK])}
        frames = [json.loads(bag.decode(one).data) for one in bag.messages([FRAME])]
    assert texts == ['the red box', '', 'the table', '']
    assert stamps <= {stamp(k) for k in range(FRAMES)} and stamp(FRAMES - 1) in stamps
    assert [one['stamp_ns'] for one in frames] == [stamp(k) for k in range(FRAMES)] * 2
    assert {path.name for path in out.iterdir()} == {
        'answers.mcap', 'metadata.yaml', 'node.log'}


def test_nothing_is_left_running(played):
    out, _, _ = played
    assert children_of(out) == []
    assert 'Traceback' not in (out / 'node.log').read_text()


def test_the_types_are_those_that_ros_has(played):
    store = message_store(message_definitions())
    for name in ('ReferringMask', 'GraspRegion'):
        built = json.loads((message_definitions() / f'{name}.json').read_text())['type_hashes']
        hashes = {one['type_name']: one['hash_string'] for one in built}
        kind = f'refdiff_ros/msg/{name}'
        assert store.hash_rihs01(kind) == hashes[kind]


@pytest.mark.parametrize('more, message', [
    ([], 'expected --out FOLDER with --online'),
    (['--out', 'OUT', '--rate', '0'], 'expected --rate above 0, got 0'),
    (['--out', 'OUT', '--rate', '-1'], 'expected --rate above 0, got -1'),
    (['--out', 'OUT', '--timeout', 'nan'], 'expected --timeout above 0'),
    (['--out', 'OUT', '--set', 'selection.alpha=0.2'], 'expected no --set with --online'),
    (['--out', 'OUT', '--param', 'max_rat=3'], "max_rate.*got 'max_rat'"),
    (['--out', 'OUT', '--param', 'max_rate'], "NAME=VALUE such as max_rate=30, got 'max_rate'"),
    (['--out', 'OUT', '--param', 'max_rate=fast'], "max_rate as float, got 'fast'"),
    (['--out', 'OUT', '--image-topic', '/camera/imag'], 'the bag has /camera/image '),
    (['--out', 'OUT', '--bundle', 'no_such_bundle'], 'no_such_bundle'),
    (['--out', 'HERE'], 'is there already: take another name')])
def test_what_cannot_be_played_is_said_before_the_node_is_started(
        more, message, data, tmp_path, capsys):
    (tmp_path / 'here').mkdir()
    (tmp_path / 'here' / 'mine').write_text('')
    named = {'OUT': str(tmp_path / 'out'), 'HERE': str(tmp_path / 'here')}
    arguments = [named.get(text, text) for text in more]
    assert main([*command(*data)[3:], '--online', *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / 'out').exists()


def test_options_of_a_graph_need_one(data, capsys):
    for more in (['--out', 'x'], ['--rate', '2'], ['--param', 'seed=1']):
        assert main([*command(*data)[3:], *more]) == 2
        assert f'expected {more[0]} together with --online' in capsys.readouterr().err


def test_labels_of_two_topics_and_compressed_depth(data, tmp_path, capsys):
    pixels = next(pictures())
    bag = write_bag(tmp_path, 'ros1', [
        image('/one', stamp(0), pixels, 'rgb8'), image('/two', stamp(0), pixels, 'rgb8'),
        compressed('/depth', stamp(0), b'', '16UC1; compressedDepth png')])
    labels = tmp_path / 'labels.jsonl'
    write_labels(labels, (label_line(Label(stamp(0), topic, 'a', encode_rle(TRUTH)))
                          for topic in ('/one', '/two')))
    online = ['--online', '--out', str(tmp_path / 'out')]
    assert main([*command(bag, labels)[3:], *online]) == 2
    assert 'labels of one topic to play to the node, got /one, /two' in capsys.readouterr().err
    assert main([*command(bag, labels)[3:], *online, '--image-topic', '/one', '--depth-topic',
                 '/depth']) == 2
    assert 'expected raw depth for the node' in capsys.readouterr().err


def started(bag, labels, out, *more):
    """An evaluation that has begun to play."""
    process = subprocess.Popen(
        command(bag, labels, '--online', '--out', str(out), *more), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environment(out))
    while 'active after' not in (line := process.stdout.readline()):
        assert line, process.communicate()
    # The first picture is sent soon after the first question.
    log = out / 'node.log'
    wait_for(lambda: 'standing expression' in log.read_text())
    time.sleep(3.0)
    return process


@pytest.mark.slow
@pytest.mark.parametrize('victim', ['node', 'evaluation'])
def test_an_early_end_keeps_what_was_recorded(victim, data, tmp_path):
    out = tmp_path / 'answers'
    process = started(*data, out, '--rate', '0.05', '--require', 'miou=0')
    if victim == 'node':
        signal_process(node_of(out), signal.SIGKILL, lambda pid: pid == node_of(out))
    else:
        process.send_signal(signal.SIGINT)
    text, errors = process.communicate(timeout=300)
    assert process.returncode == (2 if victim == 'node' else 130), errors
    found = json.loads(text.splitlines()[-1])
    assert found['frames'] >= 1 and found['requirements'] == [] and found['labels_not_asked'] > 0
    if victim == 'node':
        assert 'expected the refdiff node to keep running, it ended with status -9' in errors
    else:
        assert found['stopped'] == 'interrupted' and 'stopped after' in errors
    assert children_of(out) == []
    with Bag(out) as bag:
        assert len(list(bag.messages([FRAME]))) == found['frames']


@pytest.mark.slow
def test_a_compressed_bag_of_ros_1_is_played_too(tmp_path):
    bag = write_bag(tmp_path, 'ros1-bz2', [
        compressed('/camera/image/compressed', 0, jpeg(pixels)) for pixels in pictures()
    ][:1], late_ns=stamp(0))
    labels = tmp_path / 'labels.jsonl'
    write_labels(labels, [label_line(Label(
        stamp(0), '/camera/image/compressed', 'the red box', encode_rle(TRUTH)))])
    done = subprocess.run(
        command(bag, labels, '--online', '--out', str(tmp_path / 'answers')),
        capture_output=True, text=True, timeout=300, check=False)
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0 and (found['cases'], found['errors']) == (1, 0), done.stdout
    # The header had no stamp: the answer has the time of recording.
    with Bag(tmp_path / 'answers') as answers:
        assert [one.stamp_ns for one in answers.messages([MASK])] == [stamp(0)]
