"""Which expression stands when, and what is sent when."""

from bag_files import image, info, stamp, STEP_NS, write_bag
import numpy as np
import pytest

from refdiff_ros.evaluation.bags.labels import Label
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.evaluation.bags.samples import image_topics, match
from refdiff_ros.evaluation.metrics.rle import encode_rle
from refdiff_ros.evaluation.online.schedule import plan, Play
from refdiff_ros.evaluation.online.timeline import timeline

PIXELS = np.zeros((24, 32, 3), np.uint8)
RLE = encode_rle(np.ones((24, 32), bool))
MS = 1_000_000


@pytest.fixture
def bag(tmp_path):
    """Images 0 to 5, each behind its camera_info; image 2 comes twice."""
    numbers = (0, 1, 2, 2, 3, 4, 5)
    messages = [message for k in numbers for message in (
        info('/info', stamp(k), 30.0, (24, 32)), image('/image', stamp(k), PIXELS, 'rgb8'))]
    with Bag(write_bag(tmp_path, 'mcap', messages)) as opened:
        yield opened


def planned(bag, said, limit=None):
    labels = [Label(stamp(k), '/image', text, RLE) for k, texts in said.items() for text in texts]
    read_from = image_topics(labels)
    index = index_bag(bag, Topics(tuple(read_from.values()), '', '/info'))
    numbers = {picture.image: k for k, picture in enumerate(index.pictures)}
    plays = plan(match(labels, index, read_from), limit)
    return index, plays, [
        {numbers[number]: text for number, text in play.asked.items()} for play in plays]


def test_every_label_is_asked_once_and_an_expression_stands_as_long_as_it_can(bag):
    _, _, asked = planned(bag, {0: 'ab', 1: 'b', 2: 'ba', 4: 'bac'})
    assert asked == [{0: 'a', 1: 'b', 2: 'b', 4: 'b'}, {0: 'b', 2: 'a', 4: 'a'}, {4: 'c'}]


def test_the_limit_counts_labels_as_without_a_graph(bag):
    assert planned(bag, {0: 'ab', 1: 'b', 2: 'a'}, limit=3)[2] == [{0: 'a', 1: 'b'}, {0: 'b'}]


def test_labels_that_say_the_same_of_a_picture_are_asked_once(bag):
    labels = [Label(stamp(0), '/image', 'a', RLE), Label(stamp(0) + 1, '/image', 'a', RLE)]
    index = index_bag(bag, Topics(('/image',)))
    (play,) = plan(match(labels, index, {'/image': '/image'}))
    assert list(play.asked.values()) == ['a']


def sent(bag, said, lead_ns, tail_ns=0):
    """(milliseconds, what) of each event of the first play."""
    index, plays, _ = planned(bag, said)
    found = timeline(bag.messages(index.topics.all), index, plays[0], lead_ns, tail_ns)
    return [((event.at_ns - stamp(0)) // MS,
             event.expression or event.message.topic) for event in found]


def test_an_expression_is_said_before_its_picture(bag):
    assert sent(bag, {0: 'a', 1: 'b', 3: 'b'}, 20 * MS) == [
        (0, '/info'), (0, '/image'), (80, 'b'), (100, '/info'), (100, '/image'),
        # The image that comes twice goes out once: its stamp would not be its own.
        (200, '/info'), (200, '/image'), (200, '/info'), (300, '/info'), (300, '/image')]


def test_but_never_in_the_half_of_the_gap_that_belongs_to_the_picture_before(bag):
    events = sent(bag, {0: 'a', 1: 'b'}, 400 * MS)
    assert (50, 'b') in events and events == sorted(events, key=lambda event: event[0])


def test_a_play_goes_on_a_little_and_then_ends(bag):
    assert sent(bag, {0: 'a'}, 0) == [(0, '/info'), (0, '/image')]
    assert sent(bag, {0: 'a'}, 0, STEP_NS)[-1] == (100, '/image')
    assert sent(bag, {5: 'a'}, 0, 10**12)[-1] == (500, '/image')


def test_a_play_knows_its_first_expression_and_its_last_picture():
    play = Play({3: 'a', 7: 'b'})
    assert (play.first, play.last) == ('a', 7)
