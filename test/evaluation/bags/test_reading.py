"""Bags of every kind: frames come out as they went in; damage and wrong topics are told."""

from dataclasses import replace
import os
from pathlib import Path
import re
import subprocess
import sys

from bag_files import (
    compressed,
    depth_png,
    FIRST_NS,
    image,
    info,
    jpeg,
    KINDS,
    stamp,
    text,
    write_bag,
)
import numpy as np
import pytest
from rosbags.typesys import get_typestore, Stores

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.compressed_depth import depth_from_compressed
from refdiff_ros.evaluation.bags.frames import read_frames
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag, BagError

SIZE = (24, 32)
RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (*SIZE, 3), np.uint8) for _ in range(4)]
DEPTHS = [np.full(SIZE, 500 + 100 * k, np.uint16) for k in range(4)]
TOPICS = Topics(('/image',), '/depth', '/info')


def messages(depth_late_ns=0):
    """Four pictures; depth is recorded before its picture, intrinsics once."""
    yield info('/info', stamp(0), 30.0, SIZE)
    yield text('/said', stamp(0), 'hello')
    for k in range(4):
        yield image('/depth', stamp(k) + depth_late_ns, DEPTHS[k], '16UC1')
        yield image('/image', stamp(k), PICTURES[k][..., ::-1], 'bgr8')


def frames(path: Path, topics=TOPICS, chosen=slice(None)):
    with Bag(path) as bag:
        index = index_bag(bag, topics)
        return index, [recorded.frame
                       for recorded in read_frames(bag, index, index.pictures[chosen])]


@pytest.mark.parametrize('kind', KINDS)
def test_frames_come_out_as_they_went_in(kind, tmp_path):
    index, found = frames(write_bag(tmp_path, kind, messages(), late_ns=7_000_000))
    assert [frame.stamp_ns for frame in found] == [stamp(k) for k in range(4)]
    assert index.without_depth == index.repeated == 0
    for frame, picture, depth in zip(found, PICTURES, DEPTHS, strict=True):
        assert np.array_equal(frame.image_rgb, picture)
        assert np.allclose(frame.depth_m, depth / 1000)
        assert (frame.camera.fx, frame.camera.cx, frame.camera.width) == (30.0, 15.5, 32)
        assert frame.frame_id == 'optical'


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3'])
def test_a_storage_file_alone_is_a_bag_too(kind, tmp_path):
    bag = write_bag(tmp_path, kind, messages())
    (bag / 'metadata.yaml').unlink()
    with pytest.raises(BagError, match='metadata.yaml.*ros2 bag reindex.*or give a file of it'):
        Bag(bag)
    file = next(path for path in bag.iterdir() if path.suffix in ('.mcap', '.db3'))
    assert len(frames(file)[1]) == 4


def test_only_the_chosen_frames_are_handed_out_in_order(tmp_path):
    _, found = frames(write_bag(tmp_path, 'mcap', messages()), chosen=slice(3, 0, -2))
    assert [frame.stamp_ns for frame in found] == [stamp(1), stamp(3)]


def test_compressed_images_and_depth(tmp_path):
    smooth = np.full((*SIZE, 3), (200, 30, 60), np.uint8)
    bag = write_bag(tmp_path, 'mcap', [
        compressed('/image/compressed', stamp(0), jpeg(smooth)),
        compressed('/depth/compressedDepth', stamp(0), depth_png(DEPTHS[2]),
                   '16UC1; compressedDepth png')])
    _, (frame,) = frames(bag, Topics(('/image/compressed',), '/depth/compressedDepth'))
    assert np.abs(frame.image_rgb.astype(int) - smooth).max() < 8
    assert np.allclose(frame.depth_m, 0.7) and frame.camera is None


def test_compressed_float_depth_is_inverse_depth():
    class Message:
        format, data = '32FC1; compressedDepth', depth_png(
            np.array([[0, 30], [60, 110]], np.uint16), 100.0, 10.0)
    assert np.allclose(depth_from_compressed(Message), [[0, 5], [2, 1]])
    Message.format = '32FC1; compressedDepth rvl'
    with pytest.raises(BadRequestError, match="'compressedDepth png'.*rvl"):
        depth_from_compressed(Message)
    Message.format, Message.data = '16UC1; compressedDepth png', jpeg(PICTURES[0])
    with pytest.raises(BadRequestError, match='16-bit PNG'):
        depth_from_compressed(Message)


def test_depth_belongs_within_the_tolerance_only(tmp_path):
    bag = write_bag(tmp_path, 'mcap', messages(depth_late_ns=15_000_000))
    index, found = frames(bag)
    assert index.without_depth == 0 and all(frame.depth_m is not None for frame in found)
    index, found = frames(bag, Topics(('/image',), '/depth', '/info', tolerance_s=0.01))
    assert index.without_depth == 4 and index.nearest_depth_s == pytest.approx(0.015)
    assert all(frame.depth_m is None and frame.camera is not None for frame in found)


def test_unstamped_and_repeated_images(tmp_path):
    bag = write_bag(tmp_path, 'mcap', [image('/image', 0, PICTURES[0], 'rgb8')], late_ns=FIRST_NS)
    _, (frame,) = frames(bag, Topics(('/image',)))
    assert frame.stamp_ns == FIRST_NS
    bag = write_bag(tmp_path, 'sqlite3', [
        image('/image', stamp(0), picture, 'rgb8') for picture in PICTURES[:2]])
    index, (frame,) = frames(bag, Topics(('/image',)))
    assert index.repeated == 1 and np.array_equal(frame.image_rgb, PICTURES[0])


def test_one_damaged_image_is_told_by_name_and_costs_no_other(tmp_path):
    whole = list(messages())
    topic, kind, at, values = whole[5]
    whole[5] = (topic, kind, at, {**values, 'data': values['data'][:100]})
    with Bag(write_bag(tmp_path, 'mcap', whole)) as bag:
        index = index_bag(bag, TOPICS)
        recorded = list(read_frames(bag, index, index.pictures))
        with pytest.raises(BadRequestError, match=r'/image at 1700000000.100000000: .*got 100'):
            _ = recorded[1].frame
        assert np.array_equal(recorded[2].frame.image_rgb, PICTURES[2])


def test_depth_of_another_size_is_told(tmp_path):
    bag = write_bag(tmp_path, 'mcap', [
        image('/image', stamp(0), PICTURES[0], 'rgb8'),
        image('/depth', stamp(0), DEPTHS[0][:12], '16UC1')])
    with pytest.raises(BadRequestError, match='register depth'):
        frames(bag, Topics(('/image',), '/depth'))


@pytest.mark.parametrize('topics, message', [
    (Topics(('/imag',)), r'a topic /imag of type .*got none; the bag has /depth \(sensor_msgs/msg/'
     r'Image\), /image \(sensor_msgs/msg/Image\), /info .*, /said \(std_msgs/msg/String\)'),
    (Topics(('/said',)), 'got /said of type std_msgs/msg/String'),
    (Topics(('/image',), '/info'), 'got /info of type sensor_msgs/msg/CameraInfo'),
    (Topics(('/image',), '', '/depth'), 'got /depth of type sensor_msgs/msg/Image')])
def test_topics_that_are_not_there_or_of_another_type(topics, message, tmp_path):
    with (Bag(write_bag(tmp_path, 'mcap', messages())) as bag,
          pytest.raises(BadRequestError, match=message)):
        index_bag(bag, topics)


@pytest.mark.parametrize('arguments', [
    ((),), (('/a',), '/a'), (('/a', '/a'),), (('/a',), '', '', -1.0)])
def test_topics_that_make_no_sense(arguments):
    with pytest.raises(BadRequestError, match='expected'):
        Topics(*arguments)


@pytest.mark.parametrize('kind, advice', [
    ('mcap', 'mcap recover'), ('sqlite3', 'recover'), ('ros1', 'rosbag reindex')])
@pytest.mark.parametrize('share', [0.0, 0.3, 0.9])
def test_a_bag_that_was_cut_off_is_told(kind, advice, share, tmp_path):
    bag = write_bag(tmp_path, kind, messages())
    file = bag if bag.is_file() else next(
        path for path in bag.iterdir() if path.suffix in ('.mcap', '.db3'))
    data = file.read_bytes()
    file.write_bytes(data[:int(len(data) * share)])
    with pytest.raises(BagError, match=rf'expected .*cannot be read.*{advice}'):
        frames(file)


def test_a_ros_1_bag_without_its_index_is_told(tmp_path):
    bag = write_bag(tmp_path, 'ros1', messages())
    data = bag.read_bytes()
    position = re.search(b'index_pos=(.{8})', data, re.DOTALL)
    bag.write_bytes(data[:position.start(1)] + bytes(8) + data[position.end(1):])
    with pytest.raises(BagError, match='not indexed.*rosbag reindex'):
        Bag(bag)


def test_what_is_no_bag(tmp_path):
    with pytest.raises(BagError, match='found nothing'):
        Bag(tmp_path / 'none')
    with pytest.raises(BagError, match='is it another folder'):
        Bag(tmp_path)
    for name, hint in (('video.mp4', 'convert it'), ('bag_0.mcap.zstd', 'give the folder')):
        (tmp_path / name).write_bytes(b'something')
        with pytest.raises(BagError, match=hint):
            Bag(tmp_path / name)


_WITHOUT_ROS = """
import importlib.abc, pathlib, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'rclpy', 'sensor_msgs', 'std_msgs', 'cv_bridge'}:
            raise ModuleNotFoundError(f'{name} is blocked', name=name)

sys.meta_path.insert(0, Block())
from refdiff_ros.evaluation.bags.frames import read_frames
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag
with Bag(pathlib.Path(sys.argv[1])) as bag:
    index = index_bag(bag, Topics(('/image',), '/depth', '/info'))
    print(sum(recorded.frame.camera.width for recorded in read_frames(bag, index, index.pictures)))
"""


def test_bags_are_read_where_ros_is_not_installed(tmp_path):
    bag = write_bag(tmp_path, 'mcap', messages())
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, '-c', _WITHOUT_ROS, str(bag)], capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(root)}, timeout=250)
    assert result.stdout.strip() == '128', result.stderr


@pytest.mark.parametrize('kind', ['mcap', 'ros1'])
def test_messages_travel_as_they_are_in_the_layout_of_ros_2(kind, tmp_path):
    bag = write_bag(tmp_path, kind, messages())
    store = get_typestore(Stores.ROS2_HUMBLE)
    with Bag(bag) as opened:
        for message in opened.messages(['/image', '/depth', '/info']):
            data = opened.as_cdr(message)
            assert kind == 'ros1' or data == message.data
            sent, held = store.deserialize_cdr(data, message.msgtype), opened.decode(message)
            assert sent.header.frame_id == 'optical'
            assert sent.header.stamp.nanosec == held.header.stamp.nanosec
            if message.topic == '/info':
                assert np.array_equal(sent.k, held.k if kind == 'mcap' else held.K)
            else:
                assert sent.encoding == held.encoding and np.array_equal(sent.data, held.data)


@pytest.mark.parametrize('kind', ['mcap', 'ros1'])
def test_a_header_without_a_stamp_travels_with_the_time_of_recording(kind, tmp_path):
    bag = write_bag(tmp_path, kind, [image('/image', 0, PICTURES[0], 'rgb8')], late_ns=stamp(3))
    store = get_typestore(Stores.ROS2_HUMBLE)
    with Bag(bag) as opened:
        (message,) = opened.messages(['/image'])
        sent = store.deserialize_cdr(opened.as_cdr(message), message.msgtype)
    assert (message.stamp_ns, message.recorded_ns) == (stamp(3), stamp(3))
    assert sent.header.stamp.sec * 10**9 + sent.header.stamp.nanosec == stamp(3)
    assert np.array_equal(sent.data, PICTURES[0].ravel())


def test_a_cut_off_message_of_ros_1_is_told(tmp_path):
    bag = write_bag(tmp_path, 'ros1', messages())
    with Bag(bag) as opened:
        message = next(opened.messages(['/image']))
        with pytest.raises(BadRequestError, match='a whole sensor_msgs/msg/Image on /image'):
            opened.as_cdr(replace(message, data=message.data[:40]))
