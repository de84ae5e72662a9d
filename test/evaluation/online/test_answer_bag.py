"""Answer bags: what any reader finds in them, full disks, and scoring by hand."""

import errno
import json
from pathlib import Path

from bag_files import image, stamp, write_bag
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.labels import Label
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.evaluation.bags.samples import match
from refdiff_ros.evaluation.metrics.grasp_error import GraspError, TrueGrasp
from refdiff_ros.evaluation.metrics.rle import encode_rle
from refdiff_ros.evaluation.online.answer_bag import (
    AnswerBagError,
    AnswerBagWriter,
    SETTINGS,
)
from refdiff_ros.evaluation.online.figures import lines, online_figures
from refdiff_ros.evaluation.online.scoring import score
from refdiff_ros.evaluation.online.topics import (
    DIAGNOSTICS,
    EXPRESSION,
    FRAME,
    GRASP,
    MASK,
    message_store,
    PlayedFrame,
    TYPES,
)
from refdiff_ros.masks import box_xyxy, candidate_masks, mask_pixels

MESSAGES = Path(__file__).resolve().parents[3] / 'msg'
TRUTH = np.zeros((4, 6), bool)
TRUTH[:2, :3] = True  # 6 pixels
MS = 1_000_000


@pytest.fixture(scope='module')
def store():
    return message_store(MESSAGES)


def default(store, kind, **values):
    """A message with zeros and empty fields, but for `values`."""
    from rosbags.convert.converter import default_message

    message = default_message(store, kind)
    for name, value in values.items():
        setattr(message, name, value)
    return message


def header(store, stamp_ns):
    time = store.types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10**9))
    return store.types['std_msgs/msg/Header'](stamp=time, frame_id='optical')


def mono(store, mask, padding=0):
    rows = np.pad(mask.astype(np.uint8) * 255, ((0, 0), (0, padding)))
    return default(store, 'sensor_msgs/msg/Image', height=mask.shape[0], width=mask.shape[1],
                   encoding='mono8', step=rows.shape[1], data=rows.ravel())


class Answers:
    """Writes answers as the recording does."""

    def __init__(self, store, path):
        self.store, self.path = store, path
        self.writer = AnswerBagWriter(path, store, {'bag': 'b', 'rate': 2.0})

    def put(self, topic, at_ms, message):
        data = bytes(self.store.serialize_cdr(message, TYPES[topic]))
        self.writer.write(topic, stamp(0) + at_ms * MS, data)

    def frame(self, number, at_ms, expression, play=1, late_ms=0.0):
        self.writer.write_text(FRAME, stamp(0) + at_ms * MS, PlayedFrame(
            stamp(number), '/image', play, expression, late_ms).as_text())

    def mask(self, number, at_ms, expression, mask, **values):
        self.put(MASK, at_ms, default(
            self.store, TYPES[MASK], **{
                'header': header(self.store, stamp(number)), 'expression': expression,
                'status': 1, 'mask': mono(self.store, mask, padding=2), 'latency_ms': 90.0,
                'model_ms': 50.0, 'bundle': 'mini', 'preset': 'onboard', 'mode': 'G', **values}))

    def grasp(self, number, at_ms, expression, **values):
        self.put(GRASP, at_ms, default(
            self.store, TYPES[GRASP], header=header(self.store, stamp(number)),
            expression=expression, **values))

    def diagnosis(self, at_ms, received, problem=''):
        pair = self.store.types['diagnostic_msgs/msg/KeyValue']
        values = [pair('image received', str(received)), pair('image problem', problem)]
        status = self.store.types['diagnostic_msgs/msg/DiagnosticStatus'](
            level=0, name='/refdiff: inputs', message='', hardware_id='', values=values)
        self.put(DIAGNOSTICS, at_ms, default(
            self.store, TYPES[DIAGNOSTICS], status=[status]))


@pytest.fixture
def answers(store, tmp_path):
    return Answers(store, tmp_path / 'answers')


@pytest.fixture
def matched(tmp_path):
    """Four pictures; the right grasp of the first label is known."""
    bag = write_bag(tmp_path, 'mcap', [
        image('/image', stamp(k), np.zeros((4, 6, 3), np.uint8), 'rgb8') for k in range(4)])
    rle = encode_rle(TRUTH)
    labels = [
        Label(stamp(0), '/image', 'mug', rle, TrueGrasp((0.0, 0.0, 1.0), None, 0.05),
              {'kind': 'x'}),
        Label(stamp(1), '/image', 'mug', rle), Label(stamp(2), '/image', 'mug', rle),
        Label(stamp(0), '/image', 'box', rle), Label(stamp(3), '/image', 'box', rle)]
    with Bag(bag) as opened:
        return match(labels, index_bag(opened, Topics(('/image',))), {'/image': '/image'})


def scored(answers, matched):
    answers.writer.close()
    with Bag(answers.path) as bag:
        return score(bag, matched)


@pytest.mark.parametrize('cut', [False, True], ids=['before', 'now'])
def test_candidates_are_read_from_bags_of_before_and_of_now(answers, cut):
    # Before, each candidate had its mask in the picture's size.
    other = np.zeros_like(TRUTH)
    other[1:3, 2:4] = True
    masks = np.stack([TRUTH, other])
    candidates = []
    for row, mask in enumerate(masks):
        left, top, right, bottom = box_xyxy(mask)
        box = default(answers.store, 'sensor_msgs/msg/RegionOfInterest', x_offset=left,
                      y_offset=top, width=right - left + 1, height=bottom - top + 1)
        pixels = mask if not cut else (
            mask[:0, :0] if row == 0 else mask[top:bottom + 1, left:right + 1])
        candidates.append(default(answers.store, 'refdiff_ros/msg/MaskCandidate', box=box,
                                  mask=mono(answers.store, pixels)))
    answers.mask(0, 5, 'the mug', TRUTH, candidates=candidates)
    answers.writer.close()
    with AnyReader([answers.path]) as reader:
        (mask, _, data), = reader.messages()
        found = candidate_masks(reader.deserialize(data, mask.msgtype))
    assert np.array_equal(found, masks)


def test_any_reader_knows_the_messages(answers):
    answers.mask(0, 5, 'the mug', TRUTH)
    answers.writer.write_text(EXPRESSION, stamp(0), 'the mug')
    answers.writer.close()
    assert sorted(path.name for path in answers.path.iterdir()) == [
        'answers.mcap', 'metadata.yaml']
    for path in (answers.path, answers.path / 'answers.mcap'):
        with AnyReader([path]) as reader:  # no type store of ours
            assert {one.topic: one.msgtype for one in reader.connections} == dict(TYPES)
            assert all(one.msgdef.format.name == 'MSG' for one in reader.connections)
            (said, _, text), (mask, time_ns, data) = reader.messages()
            assert reader.deserialize(text, said.msgtype).data == 'the mug'
            message = reader.deserialize(data, mask.msgtype)
    assert time_ns == stamp(0) + 5 * MS and message.status == message.FOUND
    assert np.array_equal(mask_pixels(message.mask), TRUTH)
    with Bag(answers.path) as bag:
        assert json.loads(bag.custom[SETTINGS]) == {'bag': 'b', 'rate': 2.0}


def test_a_folder_that_is_there_is_not_overwritten(store, tmp_path):
    (tmp_path / 'old').mkdir()
    (tmp_path / 'old' / 'node.log').write_text('a node that never answered')
    writer = AnswerBagWriter(tmp_path / 'old', store, {})
    writer.close()
    assert list((tmp_path / 'old').iterdir()) == []  # nothing was recorded
    (tmp_path / 'old' / 'mine.txt').write_text('mine')
    for path in (tmp_path / 'old', tmp_path / 'old' / 'mine.txt'):
        with pytest.raises(BadRequestError, match='take another name or delete it'):
            AnswerBagWriter(path, store, {})
    with pytest.raises(BadRequestError, match='expected to write a bag at .*Not a directory'):
        AnswerBagWriter(tmp_path / 'old' / 'mine.txt' / 'answers', store, {})


class SmallDisk:
    """A file on a disk that has room for `room` bytes, and more once the reserve is gone."""

    def __init__(self, file, room, reserve, grows=True):
        self._file, self._room, self._reserve, self._grows = file, room, reserve, grows

    def write(self, data):
        free = self._room - self._file.tell()
        if not (self._grows and not self._reserve.exists()) and len(data) > free:
            self._file.write(data[:max(free, 0)])
            raise OSError(errno.ENOSPC, 'No space left on device')
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize('grows', [True, False])
def test_a_full_disk_keeps_what_came_before(answers, grows):
    storage = answers.writer._writer.storage
    storage.bio = SmallDisk(storage.bio, 2_500_000, answers.path / '.reserve', grows)
    rng, count = np.random.default_rng(0), 0
    with pytest.raises(AnswerBagError, match='expected room for answers in .*No space') as raised:
        while count < 200:
            noise = default(answers.store, 'sensor_msgs/msg/Image', data=rng.integers(
                0, 256, 100_000, np.uint8))
            answers.put(MASK, count, default(answers.store, TYPES[MASK], mask=noise))
            count += 1
    assert 20 < count < 200
    answers.mask(0, 999, 'late', TRUTH)  # heard on the other thread: no error, not recorded
    answers.writer.close()
    assert not (answers.path / '.reserve').exists()
    if not grows:
        assert "'mcap recover'" in str(raised.value)
        return
    assert 'the bag is whole up to there' in str(raised.value)
    with AnyReader([answers.path]) as reader:
        found = [reader.deserialize(data, one.msgtype) for one, _, data in reader.messages()]
    # The one that did not fit was in memory with those before it, and went out with them.
    assert len(found) == count + 1 and all(len(each.mask.data) == 100_000 for each in found)


def test_figures_by_hand(answers, matched):
    answers.frame(0, 0, 'mug', late_ms=1.0)
    answers.frame(1, 100, 'mug', late_ms=60.0)
    answers.mask(0, 150, 'mug', TRUTH)
    answers.grasp(0, 150, 'mug', pose_status=1, width_m=0.04)
    answers.mask(0, 160, 'mug', ~TRUTH)  # a second answer to the same question
    answers.frame(2, 200, 'mug')
    half = TRUTH.copy()
    half[0] = False  # 3 of 6 pixels
    answers.mask(2, 400, 'mug', half, latency_ms=190.0)
    answers.diagnosis(450, 1)  # too early to say how many of all have come
    # The second play: one picture, of which nothing comes, and one without a label for 'box'.
    answers.frame(0, 1000, 'box', play=2)
    answers.frame(1, 1100, 'box', play=2)
    answers.mask(1, 1200, 'box', TRUTH, latency_ms=110.0)
    answers.diagnosis(1300, 3)
    heard = scored(answers, matched)
    found = online_figures(heard, 5, 1, 1)
    assert [(each.expression, each.iou, each.status, dict(each.tags), each.seconds)
            for some in heard.answers.values() for each in some] == [
        ('mug', 1.0, 'FOUND', {'kind': 'x'}, 0.05), ('mug', 0.5, 'FOUND', {}, 0.05)]
    assert list(heard.asked) == [(stamp(0), 'mug'), (stamp(1), 'mug'), (stamp(2), 'mug'),
                                 (stamp(0), 'box')]
    assert heard.settings == ('mini', 'onboard', 'G')
    (case,) = heard.grasps[stamp(0), 'mug']
    assert case.error == GraspError(1000.0, None, 10.0)
    assert (found['frames'], found['frames_answered'], found['frames_dropped']) == (5, 3, 2)
    assert found['dropped_share'] == 0.4 and found['frames_received'] == 3
    assert found['playing_s'] == pytest.approx(0.4 + 0.2)
    assert found['sent_per_second'] == 10.0  # 3 gaps in 0.3 s
    assert found['frames_per_second'] == 5.0 and found['answers_per_second'] == 6.667
    # Ages: 150, 160, 200 and 100 ms.
    assert (found['age_p50_ms'], found['age_max_ms'], found['age_mean_ms']) == (
        155.0, 200.0, 152.5)
    assert (found['p50_ms'], found['max_ms']) == (100.0, 190.0)
    text = '\n'.join(lines(found, heard, 5.0))
    assert 'labels: 3 of 4 answered, and IoU is over these alone; 1 unanswered; 1 not' in text
    assert '5 sent (10 frames/s), 3 answered, 2 dropped (40%)' in text
    assert '2 frames did not reach the node' in text and 'play slower (--rate)' in text


def test_answers_without_a_mask_and_labels_of_another_size(answers, matched):
    for number in range(2):
        answers.frame(number, number * 100, 'mug')
    answers.mask(0, 50, 'mug', TRUTH[:0, :0], status=6, reason='wrong encoding')
    answers.mask(1, 150, 'mug', TRUTH.T)
    answers.grasp(0, 150, 'mug', pose_status=6, pose_reason='wrong encoding')
    answers.diagnosis(200, 2, 'wrong encoding: 32FC1')
    heard = scored(answers, matched)
    (failed,), (other,) = heard.answers.values()
    assert (failed.status, failed.iou, failed.union, failed.error) == (
        'BAD_REQUEST', 0.0, 6, 'wrong encoding')
    assert not other.scored and "of the picture's size (6, 4)" in other.error
    assert heard.grasps[stamp(0), 'mug'][0].reason == 'wrong encoding'
    assert heard.latency_s == [pytest.approx(0.09)] and len(heard.age_s) == 1
    text = '\n'.join(lines(online_figures(heard, 5, 0, 3), heard, 5.0))
    assert '1 answers without a mask: wrong encoding' in text
    assert 'the node says: wrong encoding: 32FC1' in text


def test_a_bag_of_something_else(matched, tmp_path):
    other = write_bag(tmp_path, 'sqlite3', [
        image('/image', stamp(0), np.zeros((4, 6, 3), np.uint8), 'rgb8')])
    with Bag(other) as bag, pytest.raises(BadRequestError, match='a topic /refdiff_evaluation/'):
        score(bag, matched)
