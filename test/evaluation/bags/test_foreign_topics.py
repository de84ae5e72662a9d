"""Bags with topics that nobody here can read, and bags that become more than they should."""

import bz2
import re

from bag_files import (
    channel,
    chunk,
    image,
    mcap,
    message,
    schema,
    serialised_image,
    stamp,
    write_bag,
)
import numpy as np
import pytest
from rosbags.rosbag2.reader import zstd
import yaml

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags import expanding
from refdiff_ros.evaluation.bags.frames import read_frames
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag, BagError

PICTURES = [np.full((24, 32, 3), 40 * k, np.uint8) for k in range(4)]
IMAGE = 'sensor_msgs/msg/Image'
# Number 1 is the images' schema, of which no definition came.
OWN = schema(1, IMAGE, '', '')
FOREIGN = {
    'service-event': schema(2, 'pkg/srv/Act_Event', 'ros2msg', 'no/such/Type[<=1] request'),
    'unknown-encoding': schema(2, 'pkg/action/Fly_FeedbackMessage', 'unknown', ''),
    'json': schema(2, 'State', 'jsonschema', '{}'),
    'protobuf': schema(2, 'foxglove.Pose', 'protobuf', b'\x0a\xff\x80\x00'),
    'idl': schema(2, 'pkg/msg/A', 'ros2idl', '#include "other.idl"\nmodule pkg {};'),
    'latin-1': schema(2, 'pkg/msg/B', 'ros2msg', 'int32 a  # Gr\xf6\xdfe'.encode('latin-1')),
}


def written(tmp_path, *records, profile='ros2'):
    path = tmp_path / 'bag.mcap'
    path.write_bytes(mcap(*records, profile=profile))
    return path


def messages(numbers=range(4)):
    return [message(1, stamp(k), serialised_image(PICTURES[k], stamp(k))) for k in numbers]


def frames(path, topic='/image'):
    with Bag(path) as bag:
        index = index_bag(bag, Topics((topic,)))
        return [recorded.frame for recorded in read_frames(bag, index, index.pictures)]


@pytest.mark.parametrize('foreign', FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize('chunked', [False, True])
def test_a_foreign_topic_leaves_the_others_readable(tmp_path, foreign, chunked):
    encoding = 'json' if foreign == FOREIGN['json'] else 'cdr'
    records = [OWN, foreign, channel(1, 1, '/image'), channel(2, 2, '/other', encoding),
               message(2, stamp(0), b'{}'), *messages()]
    path = written(tmp_path, chunk(b''.join(records)) if chunked else b''.join(records))
    found = frames(path)
    assert [frame.stamp_ns for frame in found] == [stamp(k) for k in range(4)]
    assert all(np.array_equal(frame.image_rgb, picture)
               for frame, picture in zip(found, PICTURES, strict=True))
    with Bag(path) as bag:
        assert set(bag.topics) == {'/image', '/other'}


def test_a_wanted_topic_that_cannot_be_read_is_named(tmp_path):
    path = written(tmp_path, schema(1, IMAGE, 'jsonschema', '{}'), channel(1, 1, '/image', 'json'))
    with pytest.raises(BadRequestError, match="on /image, got the encoding 'jsonschema'"):
        frames(path)
    path = written(tmp_path, OWN, channel(1, 1, '/image', 'ros1'))
    with pytest.raises(BadRequestError, match="on /image, got the encoding 'ros1'"):
        frames(path)


def test_a_definition_that_cannot_be_parsed_gives_way_to_that_of_ros(tmp_path):
    path = written(tmp_path, schema(1, IMAGE, 'ros2idl', '#include "Header.idl"\n'),
                   channel(1, 1, '/image'), *messages())
    assert len(frames(path)) == 4


def test_a_file_of_ros_1_in_mcap_is_told(tmp_path):
    with pytest.raises(BagError, match="profile ros2, got 'ros1'"):
        Bag(written(tmp_path, OWN, profile='ros1'))


@pytest.mark.parametrize('order', [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_messages_come_in_the_order_of_their_times(tmp_path, order):
    parts = messages(order)
    chunks = [chunk(b''.join(parts[:2])), chunk(b''.join(parts[2:]))]
    for records in (parts, chunks, [chunks[0], *parts[2:]]):
        found = frames(written(tmp_path, OWN, channel(1, 1, '/image'), *records))
        assert [frame.stamp_ns for frame in found] == [stamp(k) for k in range(4)]


@pytest.mark.parametrize('records, limit', [
    ([chunk(b'', 'zstd', zstd.compress(bytes(10**7)), 10**7)], 10**6),
    ([chunk(b'', 'zstd', zstd.compress(bytes(10**7)), 1000)], 10**6),
    ([chunk(b'', '', b'', 2**63)], 10**6)])
def test_a_chunk_that_becomes_too_large_is_refused(tmp_path, monkeypatch, records, limit):
    monkeypatch.setattr(expanding, 'MAX_PART', limit)
    with pytest.raises(BagError, match='at most .* MB, got'):
        Bag(written(tmp_path, *records))


@pytest.mark.parametrize('compression', ['zstd', 'lz4', 'bz2'])
def test_a_part_is_not_expanded_beyond_its_limit(compression):
    import lz4.frame
    squeeze = {'zstd': zstd.compress, 'lz4': lz4.frame.compress, 'bz2': bz2.compress}[compression]
    data = squeeze(bytes(10**7))
    assert expanding.expand(data, compression, 10**7) == bytes(10**7)
    with pytest.raises(BagError, match='at most 1 MB'):
        expanding.expand(data, compression, 10**6)
    with pytest.raises(ValueError, match='.'):
        expanding.expand(data[:-20], compression, 10**7)


def test_a_file_that_becomes_too_large_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    bag = write_bag(tmp_path, 'mcap-file', [
        image('/image', stamp(k), PICTURES[k], 'rgb8') for k in range(4)])
    assert len(frames(bag)) == 4
    monkeypatch.setattr(expanding, '_MAX_SMALL', 1000)
    monkeypatch.setattr(expanding, '_MAX_TIMES', 1)
    with pytest.raises(BagError, match='becomes at most .* MB'):
        Bag(bag)


def test_metadata_that_says_nothing_useful_is_told(tmp_path):
    bag = write_bag(tmp_path, 'mcap', [image('/image', stamp(0), PICTURES[0], 'rgb8')])
    whole = (bag / 'metadata.yaml').read_text()
    values = yaml.safe_load(whole)['rosbag2_bagfile_information']
    for broken in ('', '[]', '{', 'rosbag2_bagfile_information: 3', *(
            yaml.safe_dump({'rosbag2_bagfile_information': {**values, name: None}})
            for name in values if not re.search('compression|custom|distro', name))):
        (bag / 'metadata.yaml').write_text(broken)
        try:
            Bag(bag).__exit__()
        except BagError as error:
            assert 'cannot be read' in str(error)
