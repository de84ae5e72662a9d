"""Playing without a node: what goes out, what is written down, and how it ends."""

import itertools
import struct
import sys
import time

from bag_files import image, info, stamp, write_bag
import numpy as np
import pytest

from refdiff_ros.errors import RefDiffError
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.evaluation.online.answer_bag import AnswerBagError, AnswerBagWriter
from refdiff_ros.evaluation.online.player import Player
from refdiff_ros.evaluation.online.recording import play_all, Recording
from refdiff_ros.evaluation.online.schedule import Play
from refdiff_ros.evaluation.online.topics import (
    DIAGNOSTICS,
    EXPRESSION,
    FRAME,
    MASK,
    parse_frame,
    TYPES,
)
from refdiff_ros.optional import require_package
from refdiff_ros.ros.processes.child_process import ChildProcess

PIXELS = np.zeros((24, 32, 3), np.uint8)


class Wire:
    """Takes what the player sends; answers each picture at once, but for those in `silent`."""

    def __init__(self, silent=()):
        self.sent, self.silent, self.player = [], silent, None

    def send(self, role, data):
        self.sent.append((role, data))
        if role == 'image' and self.player is not None:
            seconds, nanoseconds = struct.unpack_from('<iI', data, 4)
            if seconds * 10**9 + nanoseconds not in self.silent:
                self.player.heard(MASK, data)

    def say(self, text):
        self.sent.append(('say', text))


@pytest.fixture
def recording(tmp_path, monkeypatch):
    monkeypatch.setattr('refdiff_ros.evaluation.online.recording._DIAGNOSIS_S', 0.0)
    bag = write_bag(tmp_path, 'mcap', [message for k in range(4) for message in (
        info('/info', stamp(k), 30.0, (24, 32)), image('/image', stamp(k), PIXELS, 'rgb8'))])
    with Bag(bag) as opened:
        index = index_bag(opened, Topics(('/image',), '', '/info'))
        numbers = [picture.image for picture in index.pictures]
        plays = (Play({numbers[0]: 'a', numbers[2]: 'b'}), Play({numbers[1]: 'c'}))
        yield Recording(opened, index, plays, tmp_path / 'answers', 5.0, {}, 30.0)


def started(recording, wire, watch=lambda: None):
    # The messages that answer are of another type than they say; nobody reads them here.
    typesys = require_package('rosbags.typesys', 'bags')
    store = typesys.get_typestore(typesys.Stores.LATEST)
    store.register(typesys.get_types_from_msg('bool x', TYPES[MASK]))
    store.register(typesys.get_types_from_msg('bool x', 'refdiff_ros/msg/GraspRegion'))
    writer = AnswerBagWriter(recording.out, store, {})
    player = Player(wire, writer, recording.index.topics, recording.bag.as_cdr, recording.rate,
                    recording.timeout_s, watch)
    wire.player = player
    return player, writer


def written(recording, topic):
    with Bag(recording.out) as bag:
        return [bag.decode(one).data for one in bag.messages([topic])]


def test_what_the_bag_holds_goes_out_in_its_order_and_is_written_down(recording):
    wire = Wire()
    player, writer = started(recording, wire)
    assert play_all(recording, player, writer).status == 0
    # The second play goes on to the end of the bag: a second is five of its seconds.
    assert [role if role != 'say' else text for role, text in wire.sent] == [
        'a', 'camera_info', 'image', 'camera_info', 'image', 'b', 'camera_info', 'image',
        'camera_info', 'image', '',
        'c', *['camera_info', 'image'] * 4, '']
    originals = [one.data for one in recording.bag.messages(['/image', '/info'])]
    assert [data for role, data in wire.sent if role != 'say'] == originals * 2
    frames = [parse_frame(text) for text in written(recording, FRAME)]
    assert [(one.play, one.stamp_ns, one.topic, one.expression) for one in frames] == [
        (1, stamp(0), '/image', 'a'), (1, stamp(1), '/image', 'a'), (1, stamp(2), '/image', 'b'),
        (1, stamp(3), '/image', 'b'), *((2, stamp(k), '/image', 'c') for k in range(4))]
    assert written(recording, EXPRESSION) == ['a', 'b', '', 'c', '']
    assert all(one.late_ms >= 0 for one in frames)


def test_pictures_keep_their_distance(recording):
    player, writer = started(recording, Wire())
    play_all(recording, player, writer)
    with Bag(recording.out) as bag:
        sent = [(one.recorded_ns, parse_frame(bag.decode(one).data))
                for one in bag.messages([FRAME])]
    # Never early; how late is in the record.
    for (before_ns, before), (after_ns, after) in itertools.pairwise(sent):
        if before.play == after.play:
            gap_ms = (after_ns - before_ns) * 1e-6
            assert gap_ms == pytest.approx(20 + after.late_ms - before.late_ms, abs=0.01)


def test_the_end_waits_for_a_diagnosis_that_was_made_after_the_last_picture(
        recording, monkeypatch):
    monkeypatch.setattr('refdiff_ros.evaluation.online.recording._DIAGNOSIS_S', 200.0)
    wire, told = Wire(), []

    def watch():
        if wire.sent[-1:] == [('say', '')] and player.frames == 8:
            told.append(player.frames)
            player.heard(DIAGNOSTICS, bytes(20))

    player, writer = started(recording, wire, watch)
    began_s = time.monotonic()
    assert play_all(recording, player, writer).status == 0
    assert len(told) == 2 and time.monotonic() - began_s < 190.0


def test_ctrl_c_keeps_what_was_recorded(recording, capsys):
    wire = Wire()

    def watch():
        if sum(role == 'image' for role, _ in wire.sent) == 2:
            raise KeyboardInterrupt

    player, writer = started(recording, wire, watch)
    ending = play_all(recording, player, writer)
    assert (ending.stopped, ending.status) == ('interrupted', 130)
    assert len(written(recording, FRAME)) == 2
    assert 'stopped after 2 frames' in capsys.readouterr().err


def test_a_node_that_dies_ends_the_recording_and_is_told(recording, tmp_path, capsys):
    wire = Wire()
    node = ChildProcess('refdiff node', [sys.executable, '-c', 'print("out of luck")\nraise '
                                         'SystemExit(3)'], tmp_path / 'node.log')

    def watch():
        if sum(role == 'image' for role, _ in wire.sent) == 3:
            while node.alive:
                time.sleep(0.01)
            node.check()

    player, writer = started(recording, wire, watch)
    ending = play_all(recording, player, writer)
    assert ending.status == 2 and 'it ended with status 3' in ending.stopped
    assert len(written(recording, FRAME)) == 3
    assert 'out of luck' in capsys.readouterr().err


def test_nothing_played_is_no_recording(recording):
    def watch():
        raise RefDiffError('the node is gone')

    player, writer = started(recording, Wire(), watch)
    with pytest.raises(RefDiffError, match='the node is gone'):
        play_all(recording, player, writer)


def test_a_disk_that_fills_up_on_the_other_thread_ends_the_recording(recording, monkeypatch):
    wire = Wire()
    player, writer = started(recording, wire)
    write, count = writer.write, []

    def full(topic, time_ns, data):
        count.append(topic)
        if topic == MASK and count.count(MASK) == 2:
            raise AnswerBagError('expected room for answers')
        write(topic, time_ns, data)

    monkeypatch.setattr(writer, 'write', full)
    ending = play_all(recording, player, writer)
    assert (ending.stopped, ending.status) == ('expected room for answers', 2)
    assert len(written(recording, FRAME)) >= 2


def test_a_last_picture_that_gets_no_answer_is_not_waited_for_for_ever(recording, monkeypatch):
    monkeypatch.setattr('refdiff_ros.evaluation.online.player._SILENCE_S', 0.2)
    player, writer = started(recording, Wire(silent={stamp(3)}))
    assert play_all(recording, player, writer).status == 0


def test_a_message_that_cannot_be_sent_costs_no_other(recording, capsys):
    wire = Wire()
    player, writer = started(recording, wire)
    convert = player.as_cdr

    def as_cdr(message):
        if message.stamp_ns == stamp(1) and message.topic == '/image':
            raise RefDiffError('expected a whole image')
        return convert(message)

    player.as_cdr = as_cdr
    assert play_all(recording, player, writer).status == 0
    assert sum(role == 'image' for role, _ in wire.sent) == 6
    assert '2 messages of /image were not sent: expected a whole image' in capsys.readouterr().err
