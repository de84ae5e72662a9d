"""Labels find their pictures, and what finds none is counted and named."""

from bag_files import image, stamp, write_bag
import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.labels import Label
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.evaluation.bags.samples import bag_samples, image_topics, match
from refdiff_ros.evaluation.metrics.rle import encode_rle

PICTURES = [np.full((24, 32, 3), k, np.uint8) for k in range(4)]
MASK = np.arange(24 * 32).reshape(24, 32) < 100


def label(stamp_ns, expression='the mug', topic='/image', **changes):
    return Label(stamp_ns, topic, expression, encode_rle(MASK), **changes)


@pytest.fixture
def bag(tmp_path):
    path = write_bag(tmp_path, 'mcap', [
        image('/image', stamp(k), PICTURES[k], 'rgb8') for k in range(4)])
    with Bag(path) as opened:
        yield opened


def matched_of(bag, labels, chosen=''):
    read_from = image_topics(labels, chosen)
    index = index_bag(bag, Topics(tuple(read_from.values())))
    return index, match(labels, index, read_from)


def test_samples_come_picture_by_picture_whatever_the_order_of_labels(bag):
    labels = [label(stamp(2)), label(stamp(0), tags={'kind': 'plain'}),
              label(stamp(2) + 400_000, 'the box'), label(stamp(1) + 600_000, line=7)]
    index, matched = matched_of(bag, labels)
    assert [lost.line for lost in matched.labels_without_frames] == [7]
    assert [bare.stamp_ns for bare in matched.frames_without_labels] == [stamp(1), stamp(3)]
    assert matched.count == 3
    samples = list(bag_samples(bag, index, matched))
    assert [(sample.image_id, sample.expression, dict(sample.tags)) for sample in samples] == [
        ('1700000000.000000000 /image', 'the mug', {'kind': 'plain'}),
        ('1700000000.200000000 /image', 'the mug', {}),
        ('1700000000.200000000 /image', 'the box', {})]
    assert len({sample.sample_id for sample in samples}) == 3
    frame, truth = samples[2].load()
    assert np.array_equal(frame.image_rgb, PICTURES[2]) and np.array_equal(truth, MASK)
    assert samples[1].load()[0] is frame  # decoded once


def test_labels_of_another_bag_are_refused(bag):
    with pytest.raises(BadRequestError, match='got none among 2 .*nearest image is 0.7 s away'):
        matched_of(bag, [label(stamp(10)), label(stamp(20))])


def test_which_topic_is_read():
    here, there = label(1, topic='/here'), label(1, topic='/there')
    assert image_topics([here, there]) == {'/here': '/here', '/there': '/there'}
    assert image_topics([here, there], '/here') == {'/here': '/here'}
    assert image_topics([here], '/here/compressed') == {'/here': '/here/compressed'}
    with pytest.raises(BadRequestError, match='got labels of /here, /there'):
        image_topics([here, there], '/else')


def test_labels_of_the_raw_topic_are_read_from_another(bag):
    _, matched = matched_of(bag, [label(stamp(1), topic='/raw')], '/image')
    assert matched.pairs[0][0].topic == '/image'
