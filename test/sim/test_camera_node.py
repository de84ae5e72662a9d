"""The simulated camera in its own process, heard over a real graph."""

import json
import signal

import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile, ReliabilityPolicy
from ros_graph import GraphClient, NodeProcess, ROOT, wait_for
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from refdiff_ros.pictures.camera_info import camera_from_info
from refdiff_ros.ros.conversions import depth_from_image, rgb_from_image
from refdiff_ros.sim.render import generate
from refdiff_ros.sim.worlds import table_scene

CAMERA = ROOT / 'scripts' / 'tabletop_camera'
SIZE = {'width': 160, 'height': 120}
TOPICS = {
    'color/image_raw': Image, 'depth/image_raw': Image, 'color/camera_info': CameraInfo,
    'depth/camera_info': CameraInfo, 'tabletop_camera/instances': Image,
    'color/image_raw/compressed': CompressedImage}


@pytest.fixture(scope='module')
def client():
    client = GraphClient('tabletop_camera')
    yield client
    client.close()


@pytest.fixture(scope='module')
def camera(client):
    process = NodeProcess({**SIZE, 'seed': 3, 'rate': 20.0, 'compressed': True}, script=CAMERA)
    yield process
    process.stop()


@pytest.fixture(scope='module')
def heard(client, camera):
    """Messages by topic, by stamp: a set per frame."""
    heard = {topic: [] for topic in TOPICS}
    for topic, kind in TOPICS.items():
        client.node.create_subscription(
            kind, topic, heard[topic].append, qos_profile_sensor_data)
    wait_for(lambda: min(map(len, heard.values())) >= 3, message=lambda: camera.output)
    return heard


def _stamp(msg):
    return msg.header.stamp.sec, msg.header.stamp.nanosec


def _latched(client):
    objects = []
    client.node.create_subscription(
        String, 'tabletop_camera/objects', objects.append, QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL))
    wait_for(lambda: objects)
    return objects


def test_a_frames_messages_share_stamp_and_frame(heard):
    common = set.intersection(*(set(map(_stamp, msgs)) for msgs in list(heard.values())))
    assert common
    assert {m.header.frame_id for msgs in list(heard.values()) for m in list(msgs)} == {
        'camera_color_optical_frame'}


def test_the_images_are_the_scene_of_the_seed(heard):
    truth = generate(3, (120, 160))
    np.testing.assert_array_equal(
        rgb_from_image(heard['color/image_raw'][0]), truth.frame.image_rgb)
    depth_msg = heard['depth/image_raw'][0]
    assert (depth_msg.encoding, depth_msg.step, depth_msg.is_bigendian) == ('16UC1', 320, 0)
    depth = depth_from_image(depth_msg)
    valid = depth > 0
    assert 0.8 < valid.mean() < 1.0  # there are holes
    assert np.median(np.abs(depth - truth.frame.depth_m)[valid]) < 0.005
    instances = heard['tabletop_camera/instances'][0]
    ids = np.frombuffer(instances.data, '<u2').reshape(120, 160)
    for row, mask in enumerate(truth.masks):
        np.testing.assert_array_equal(ids == row + 1, mask)


def test_camera_info_is_that_of_the_image(heard):
    info = heard['color/camera_info'][0]
    assert camera_from_info(info) == generate(3, (120, 160)).frame.camera
    assert info.distortion_model == 'plumb_bob' and not any(info.d)
    assert (info.p[0], info.p[6]) == (info.k[0], info.k[5])


def test_the_jpeg_is_the_image(heard):
    msg = heard['color/image_raw/compressed'][0]
    assert 'jpeg' in msg.format and bytes(msg.data[:2]) == b'\xff\xd8'


def test_truth_is_latched_and_lists_objects_and_expressions(client, camera):
    truth = json.loads(_latched(client)[0].data)
    names = {thing['id']: thing['name'] for thing in truth['objects']}
    assert sorted(names) == list(range(1, len(names) + 1))
    assert truth['seed'] == 3
    assert all(said['id'] in names and said['text'] for said in truth['expressions'])


def test_the_next_scene_is_another(client, camera, heard):
    objects = _latched(client)
    service = client.node.create_client(Trigger, 'tabletop_camera/next_scene')
    client.reach(service)
    assert client.result(service.call_async(Trigger.Request())).success
    wait_for(lambda: json.loads(objects[-1].data)['seed'] == 4)


def test_a_rate_is_changed_at_run_time_and_a_useless_one_refused(client, camera, heard):
    frames = heard['color/camera_info']

    def per_second():
        """Of the newest frames, by the camera's own clock."""
        seconds = [msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9
                   for msg in list(frames)[-8:]]
        return (len(seconds) - 1) / (seconds[-1] - seconds[0])
    assert client.set_parameter('rate', 5.0).successful
    before = len(frames)
    wait_for(lambda: len(frames) >= before + 8)
    wait_for(lambda: 2.5 < per_second() < 10.0, message=lambda: f'{per_second()} Hz')
    refused = client.set_parameter('rate', -1.0)
    assert not refused.successful and refused.reason


def test_a_useless_parameter_at_start_is_said_in_one_line(client):
    process = NodeProcess({'width': 3}, script=CAMERA)
    assert process.wait() == 2
    assert 'width' in process.output and 'Traceback' not in process.output


def test_an_interrupt_ends_it_without_waiting_for_the_next_frame(client):
    process = NodeProcess({**SIZE, 'seed': 1, 'rate': 0.05}, script=CAMERA,
                          arguments=('-r', '__node:=second'))
    process.wait_for_output('scene 1')
    process.signal(signal.SIGINT)
    assert process.wait(15.0) == 0  # the next frame is 20 s away
    assert 'Traceback' not in process.output


def test_a_world_is_shown_by_name(client):
    process = NodeProcess({**SIZE, 'seed': 2, 'world': 'tabletop20'}, script=CAMERA,
                          arguments=('-r', '__node:=wide'))
    try:
        names = ', '.join(thing.name for thing in table_scene(2, 'tabletop20').things)
        process.wait_for_output(f'scene 2: {names}')
    finally:
        process.stop()


def test_images_can_be_offered_reliably(client):
    process = NodeProcess({**SIZE, 'seed': 1, 'reliable': True}, script=CAMERA,
                          arguments=('-r', '__ns:=/third'))
    try:
        process.wait_for_output('scene 1')

        def offered(topic):
            return [found.qos_profile.reliability
                    for found in client.node.get_publishers_info_by_topic(f'/third/{topic}')]
        for topic in ('color/image_raw', 'depth/image_raw', 'color/camera_info'):
            wait_for(lambda topic=topic: offered(topic) == [ReliabilityPolicy.RELIABLE])
    finally:
        process.stop()
