"""The node carries its answer from frame to frame, on a rendered table in motion."""

import numpy as np
from pytest import approx, fixture
from ros_graph import image, running, wait_for

from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.msg import ReferringMask
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.sim.motion import moving_scenes
from refdiff_ros.sim.render import render_scenes
from refdiff_ros.sim.scene import random_scene

FRAMES, SECONDS = 16, 1 / 15
SIZE_HW = (192, 256)
THING = 'the orange mug'  # of which little is still where it was when the last picture is taken
# One answer of the models, and then only carried ones, for longer than any of these tests takes.
SELDOM_HZ = 0.01
ONCE = {'bundle': 'tabletop_mini', 'max_rate': SELDOM_HZ, 'max_age': 600.0,
        'follow': True}


@fixture(scope='module')
def views():
    return list(render_scenes(moving_scenes(random_scene(12), FRAMES, 1 / SECONDS), SIZE_HW))


@fixture(scope='module')
def client():
    with running(ONCE) as (_, client):
        yield client


def message(view, number):
    return image(view.frame.image_rgb, 100 + number * SECONDS)


def pixels(mask):
    return np.frombuffer(mask.mask.data, np.uint8).reshape(SIZE_HW) > 0


def show(client, sent):
    """Publish until a mask of this picture has come; that mask."""
    client.publish('image', sent)
    return wait_for(lambda: next((m for m in client.masks if m.header == sent.header), None))


def show_and_wait(client, pictures):
    """Publish, and wait until the node has had each picture for a while."""
    before = int(client.fresh('inputs')['image received'])
    for count, sent in enumerate(pictures, 1):
        client.publish('image', sent)
        client.fresh('inputs', lambda values, count=count: int(
            values['image received']) >= before + count)


def fresh(client, expression):
    """Nothing heard, an expression said, and time to have it answered by the models at once."""
    client.set_parameter('max_rate', 1000.0)
    client.say('')
    client.masks.clear()
    client.say(expression)


def follow(client, views, expression):
    """The models' answer to the first view, then the carried ones to the others."""
    fresh(client, expression)
    first = show(client, message(views[0], 0))
    client.set_parameter('max_rate', SELDOM_HZ)
    return first, [show(client, message(view, number))
                   for number, view in enumerate(views[1:], 1)]


def test_the_mask_follows_its_object(client, views):
    first, carried = follow(client, views, THING)
    assert first.origin == ReferringMask.GROUNDED
    assert first.grounded_stamp == first.header.stamp
    assert {mask.origin for mask in carried} == {ReferringMask.CARRIED}
    assert all(mask.grounded_stamp == first.header.stamp for mask in carried)
    assert all(mask.status == first.status for mask in carried)
    assert all(mask.expression == first.expression and mask.model_ms == 0 for mask in carried)
    row = [thing.name for thing in views[0].objects].index(THING.removeprefix('the '))
    begun = iou(*overlap(pixels(first), views[0].masks[row]))
    ended = iou(*overlap(pixels(carried[-1]), views[-1].masks[row]))
    stayed = iou(*overlap(pixels(first), views[-1].masks[row]))
    assert ended > 0.75 * begun
    assert ended > 0.6 > 0.2 > stayed
    # Its confidence falls with what could not be followed.
    assert 0 < carried[-1].confidence <= first.confidence
    assert carried[0].confidence == approx(first.confidence, rel=0.1)
    assert carried[-1].area == pixels(carried[-1]).sum()
    wait_for(lambda: len(client.grasps) >= len(client.masks))
    assert client.grasps[-1].header == carried[-1].header


def test_what_is_lost_sight_of_is_said_once(client, views):
    follow(client, views[:3], THING)
    rng = np.random.default_rng(0)
    client.masks.clear()
    show_and_wait(client, [
        image(rng.integers(0, 255, (*SIZE_HW, 3)).astype(np.uint8), 100 + number * SECONDS)
        for number in range(3, 6)])
    wait_for(lambda: client.masks)
    lost = [mask for mask in client.masks if mask.status == ReferringMask.NOT_FOUND]
    assert len(lost) == 1
    assert lost[0].origin == ReferringMask.CARRIED
    assert 'lost sight' in lost[0].reason
    assert lost[0].area == 0
    assert client.masks[-1] is lost[0]


def test_a_new_expression_is_not_answered_with_the_old_mask(client, views):
    follow(client, views[:2], THING)
    client.say('the thing over there')  # max_rate keeps the models from answering it
    client.fresh('answers', lambda values: values['standing expression'] == 'the thing over there')
    client.masks.clear()
    show_and_wait(client, [message(views[number], number) for number in (2, 3, 4)])
    assert not client.masks


def test_another_camera_and_a_bag_that_starts_again_carry_nothing(client, views):
    follow(client, views[:3], THING)
    client.masks.clear()
    small = views[4].frame.image_rgb[:96, :128]
    show_and_wait(client, [
        message(views[1], 1),  # back in time
        image_message(small, 'rgb8', message(views[4], 4).header)])
    assert not client.masks


def test_stamps_that_stand_still_are_followed_all_the_same(client, views):
    fresh(client, THING)
    header = message(views[0], 0).header
    show(client, message(views[0], 0))  # and not the last picture of the test before
    client.set_parameter('max_rate', 0.02)
    client.masks.clear()
    for number, view in enumerate(views[1:6], 1):
        client.publish('image', image_message(view.frame.image_rgb, 'rgb8', header))
        wait_for(lambda number=number: len(client.masks) >= number, 30.0)
    assert {mask.origin for mask in client.masks} == {ReferringMask.CARRIED}
    row = [thing.name for thing in views[0].objects].index(THING.removeprefix('the '))
    assert iou(*overlap(pixels(client.masks[-1]), views[5].masks[row])) > 0.6


def test_switched_off_each_mask_is_the_models(client, views):
    client.set_parameter('follow', False)
    fresh(client, 'the mug')
    client.masks.clear()
    show(client, message(views[0], 0))
    client.set_parameter('max_rate', SELDOM_HZ)
    show_and_wait(client, [message(views[number], number) for number in (1, 2)])
    assert all(mask.origin == ReferringMask.GROUNDED for mask in client.masks)
    client.set_parameter('follow', True)
    assert 'carried per second' in client.fresh('answers')
