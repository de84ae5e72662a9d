"""Depth and intrinsics at the running node, good and bad: what they do to the pose.

The shipped bundle answers on a rendered tabletop, so that there is a region to hold and a truth
to hold its pose against.
"""

from dataclasses import dataclass
import math
import time

import numpy as np
from pytest import approx, fixture, mark
from ros_graph import header, image, running, wait_for
from sensor_msgs.msg import CameraInfo, Image

from refdiff_ros.msg import GraspRegion, ReferringMask
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.sim.camera_topics import camera_info
from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.splits import split_views

# A question that the shipped bundle answers rightly, by far.
SCENE, EXPRESSION = 5, 'the green box'


@dataclass(frozen=True)
class Question:
    """A rendered scene as messages and the truth about what is asked for.

    Attributes:
        rgb, depth_m: the picture and its depth in metres.
        image, camera: messages.
        mask: (H, W) bool, the object that is meant.
        point: (3,) middle of its visible surface in the optical frame, metres.
    """

    rgb: np.ndarray
    depth_m: np.ndarray
    image: Image
    camera: CameraInfo
    mask: np.ndarray
    point: np.ndarray


@fixture(scope='module')
def question():
    view = next(split_views('val', [SCENE]))
    mask = view.masks[next(e.row for e in expressions(view) if e.text == EXPRESSION)]
    camera, depth_m = view.frame.camera, view.frame.depth_m
    v, u = mask.nonzero()
    z = depth_m[mask]
    points = np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z])
    asked = image(view.frame.image_rgb)
    return Question(view.frame.image_rgb, depth_m, asked, camera_info(camera, asked.header),
                    mask, points.mean(axis=1))


@fixture(scope='module')
def node_and_client():
    with running({'bundle': 'tabletop_mini', 'max_rate': 100.0, 'max_age': 600.0}) as both:
        yield both


@fixture(scope='module')
def plain(node_and_client, question):
    """The answer without depth, which is right and has a region."""
    response = node_and_client[1].call(EXPRESSION, question.image)
    assert response.status == ReferringMask.FOUND, response.reason
    found = np.frombuffer(response.mask.mask.data, np.uint8).reshape(question.mask.shape) > 0
    assert (found & question.mask).sum() > 0.7 * (found | question.mask).sum()
    assert response.grasp.valid, response.grasp.reason
    assert response.grasp.pose_status == GraspRegion.POSE_NO_DEPTH
    return response


@fixture
def client(node_and_client, question):
    """The client; afterwards the node must be the same process and give a pose for good depth."""
    node, client = node_and_client
    yield client
    response = client.call(EXPRESSION, question.image, metres(question.depth_m), question.camera)
    assert response.grasp.pose_status == GraspRegion.POSE_VALID, response.grasp.pose_reason
    assert node.alive


def metres(depth_m):
    return image_message(depth_m.astype(np.float32), '32FC1', header())


def millimetres(depth_m, encoding='16UC1'):
    return image_message(np.rint(depth_m * 1000).astype(np.uint16), encoding, header())


def big_endian(depth_m):
    msg = image_message(np.rint(depth_m * 1000).astype('>u2'), '16UC1', header())
    msg.is_bigendian = 1
    return msg


def spoiled(depth_m):
    """Three pixels of four are no reading, each of another kind."""
    depth_m = depth_m.copy()
    depth_m[::2, ::2], depth_m[1::2, ::2], depth_m[::2, 1::2] = np.nan, np.inf, -0.5
    return metres(depth_m)


def cut_off(depth_m):
    msg = metres(depth_m)
    msg.data = msg.data[:-1000]
    return msg


def asked_with(client, question, plain, depth, camera=None):
    """The grasp region with depth; the mask and the 2D region are those without it."""
    response = client.call(EXPRESSION, question.image, depth, camera or question.camera)
    assert response.status == ReferringMask.FOUND, response.reason
    assert response.mask.mask.data == plain.mask.mask.data
    grasp = response.grasp
    assert grasp.valid, grasp.reason
    assert (grasp.center_u, grasp.center_v, grasp.width_px, grasp.angle) == (
        plain.grasp.center_u, plain.grasp.center_v, plain.grasp.width_px, plain.grasp.angle)
    return grasp


def assert_pose_is_true(grasp, question):
    assert grasp.pose_status == GraspRegion.POSE_VALID, grasp.pose_reason
    at = grasp.pose.position
    assert at.z == approx(question.point[2], rel=0.1)
    assert (at.x, at.y) == approx(question.point[:2], abs=0.02)
    turn = grasp.pose.orientation
    assert math.hypot(turn.x, turn.y, turn.z, turn.w) == approx(1.0, abs=1e-4)
    assert 0.02 < grasp.width_m < 0.2


@mark.parametrize(('made', 'fraction'), [
    (metres, 1.0), (millimetres, 1.0), (lambda d: millimetres(d, 'mono16'), 1.0),
    (big_endian, 1.0), (spoiled, 0.25),
], ids=['metres', '16UC1', 'mono16', 'big-endian', 'spoiled'])
def test_depth_that_can_be_read_gives_the_objects_pose(client, question, plain, made, fraction):
    grasp = asked_with(client, question, plain, made(question.depth_m))
    assert_pose_is_true(grasp, question)
    assert 0.5 * fraction < grasp.depth_fraction <= 1.1 * fraction


@mark.parametrize(('made', 'words'), [
    (lambda q: metres(q.depth_m[::2, ::2]), 'size 256x192, got 128x96'),
    (lambda q: image_message(q.rgb, 'rgb8', header()), "got 'rgb8'"),
    (lambda q: cut_off(q.depth_m), 'cut off'),
    (lambda q: metres(q.depth_m * 1000), 'publish metres, or 16UC1 for millimetres'),
], ids=['size', 'colour', 'truncated', 'unit'])
def test_depth_that_does_not_fit_costs_only_the_pose(client, question, plain, made, words):
    grasp = asked_with(client, question, plain, made(question))
    assert grasp.pose_status == GraspRegion.POSE_DEPTH_MISMATCH
    assert words in grasp.pose_reason


@mark.parametrize('value', [np.nan, np.inf, -np.inf, -0.5, 0.0])
def test_depth_without_a_reading_costs_only_the_pose(client, question, plain, value):
    grasp = asked_with(client, question, plain, metres(np.full_like(question.depth_m, value)))
    assert grasp.pose_status == GraspRegion.POSE_TOO_FEW_POINTS
    assert 'have a depth reading' in grasp.pose_reason
    assert grasp.depth_fraction == 0


def intrinsics(question, **changes):
    info = CameraInfo(header=question.camera.header, height=question.camera.height,
                      width=question.camera.width, k=question.camera.k)
    for name, value in changes.items():
        setattr(info, name, value)
    return info


@mark.parametrize(('changes', 'words'), [
    ({'k': [0.0] * 9}, 'focal length fx > 0 pixels, got 0.0'),
    ({'k': [100.0, 0, 50, 0, math.nan, 50, 0, 0, 1]}, 'expected 9 finite numbers in k'),
    ({'height': 480, 'width': 640}, 'for 256x192 pixels, got 640x480'),
    ({'height': 0, 'width': 0, 'k': [0.0] * 9}, 'no usable camera_info'),
], ids=['zero', 'nan', 'size', 'none'])
def test_intrinsics_that_cannot_be_used_cost_only_the_pose(
        client, question, plain, changes, words):
    grasp = asked_with(client, question, plain, metres(question.depth_m),
                       intrinsics(question, **changes))
    assert grasp.pose_status == GraspRegion.POSE_NO_CAMERA_INFO
    assert words in grasp.pose_reason


@mark.parametrize(('late_s', 'every', 'words'), [(-10, 1, 'ms away'), (0, 2, 'got 128x96')],
                  ids=['stamp', 'size'])
def test_depth_on_the_topic_that_does_not_fit_costs_only_the_pose(
        client, question, plain, late_s, every, words):
    sent = image(question.rgb)

    def heard(depth_m, stamp, pose_status):
        """The grasp region with that pose status for an image sent with such depth."""
        depth, camera = metres(depth_m), intrinsics(question)
        depth.header.stamp.sec, depth.header.stamp.nanosec = stamp, sent.header.stamp.nanosec
        camera.header = sent.header

        def came():
            # More than once, as a camera does: the node subscribes anew when the first comes.
            for topic, msg in (('depth', depth), ('camera_info', camera), ('image', sent)):
                client.publish(topic, msg)
            time.sleep(0.3)
            return [g for g in client.grasps
                    if g.header == sent.header and g.pose_status == pose_status]
        return wait_for(came)[0]
    client.say(EXPRESSION)
    grasp = heard(question.depth_m[::every, ::every], sent.header.stamp.sec + late_s,
                  GraspRegion.POSE_DEPTH_MISMATCH)
    assert grasp.valid, grasp.reason
    assert words in grasp.pose_reason
    mask = next(m for m in client.masks if m.header == sent.header)
    assert (mask.status, mask.mask.data) == (ReferringMask.FOUND, plain.mask.mask.data)
    assert_pose_is_true(
        heard(question.depth_m, sent.header.stamp.sec, GraspRegion.POSE_VALID), question)
    client.say('')


@mark.parametrize(('first_wait', 'pose_status'), [
    (60.0, GraspRegion.POSE_VALID), (0.0, GraspRegion.POSE_NO_DEPTH)])
def test_a_call_that_comes_with_the_first_image_waits_for_what_belongs_to_it(
        client, question, first_wait, pose_status):
    sent = image(question.rgb)
    depth, info = metres(question.depth_m), intrinsics(question)
    depth.header = info.header = sent.header
    messages = {'image': sent, 'depth': depth, 'camera_info': info}
    for topic, msg in messages.items():
        client.publish(topic, msg)  # they are published, as the node knows
    assert client.set_parameter('first_wait', first_wait).successful
    try:
        for step in ('deactivate', 'activate'):
            assert client.transition(step)
        client.wait_until_heard(messages)
        before = client.fresh('inputs')
        assert before['image received'] == '0'
        client.publish('image', sent)
        time.sleep(0.5)  # a diagnosis may take longer than depth may lag
        call = client.call_async(EXPRESSION, timeout=300.0)
        if first_wait:
            # A camera sends both a moment later; depth of another two seconds would not belong.
            time.sleep(0.3)
            assert not call.done()
            client.publish('camera_info', info)
            client.publish('depth', depth)
        response = client.result(call)
        assert response.status == ReferringMask.FOUND, response.reason
        assert response.grasp.pose_status == pose_status, response.grasp.pose_reason
    finally:
        client.set_parameter('first_wait', 1.0)
