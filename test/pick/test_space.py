"""What is in the way of the fingers, and where there is room, on tables made of numbers."""

from dataclasses import replace
import math

import numpy as np
import pytest

from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import Pose, quaternion
from refdiff_ros.pick.from_above import find_top, grips
from refdiff_ros.pick.place import Anchor, find_spot, free_spot, NoPlaceError, Spot
from refdiff_ros.pick.plan import NoGraspError, plan_grasp
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.robot import Held
from refdiff_ros.pick.skills import stands_there
from refdiff_ros.pick.space import Space, View
from refdiff_ros.results import Camera

REACH = Reach()
# Straight above the table's middle, looking down.
CAMERA = Camera(width=200, height=200, fx=200.0, fy=200.0, cx=99.5, cy=99.5)
ABOVE = Pose((0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0))
# A pixel on the table is 5 mm.
DOWN = (1.0, 0.0, 0.0, 0.0)


def _table(*boxes):
    """A view from above of boxes (x, y, half x, half y, height), and a mask of each."""
    v, u = np.mgrid[:200, :200]
    x, y = (u - 99.5) / 200, -(v - 99.5) / 200
    height, masks = np.zeros((200, 200)), []
    for cx, cy, hx, hy, top in boxes:
        # A high thing looks larger from above.
        scale = 1 - top
        mask = (np.abs(x * scale - cx) < hx) & (np.abs(y * scale - cy) < hy)
        height[mask] = np.maximum(height[mask], top)
        masks.append(mask)
    return View((1 - height).astype(np.float32), CAMERA, ABOVE), masks


def test_points_stand_in_the_base_where_they_are():
    view, (mask,) = _table((0.1, -0.05, 0.03, 0.05, 0.08))
    points = view.space(mask).object
    np.testing.assert_allclose(points.mean(0), (0.1, -0.05, 0.08), atol=0.004)


def test_the_top_of_a_box_gives_its_middle_its_sides_and_what_it_stands_on():
    view, (mask,) = _table((0.1, -0.05, 0.03, 0.06, 0.08))
    top = find_top(view.space(mask), REACH)
    np.testing.assert_allclose(top.centre, (0.1, -0.05), atol=0.003)
    assert abs(top.axis[1]) > 0.99
    assert top.length_m == pytest.approx(0.12, abs=0.012)
    assert top.width_m == pytest.approx(0.06, abs=0.012)
    assert top.z == pytest.approx(0.08, abs=0.002) and top.support_z == 0.0


def test_a_finger_meets_what_stands_beside():
    view, (mask, _) = _table((0.0, 0.0, 0.03, 0.05, 0.08), (0.06, 0.0, 0.02, 0.05, 0.1))
    pose = Pose((0.0, 0.0, 0.03), DOWN)
    space = view.space(mask)
    assert 'a finger would meet something else' in space.in_the_way(pose, 0.08, REACH)
    # Above the neighbour there is room for the fingers, not for less than that.
    assert space.in_the_way(replace(pose, position=(0.0, 0.0, 0.11)), 0.08, REACH) == ''


def test_the_palm_meets_what_is_taller_than_the_fingers_are_long():
    view, (mask,) = _table((0.0, 0.0, 0.03, 0.05, 0.08))
    pose, space = Pose((0.0, 0.0, 0.004), DOWN), view.space(mask)
    assert space.in_the_way(pose, 0.08, REACH) == ''
    assert 'the palm' in space.in_the_way(pose, 0.08, replace(REACH, finger_length_m=0.06))


def test_another_grip_is_taken_where_one_is_blocked():
    # The neighbour stands at one end of the long box, where the first grip has its fingers.
    view, (mask, _) = _table((0.0, 0.0, 0.03, 0.08, 0.06), (0.065, 0.0, 0.02, 0.012, 0.1))
    space = view.space(mask)
    top = find_top(space, REACH)
    ranked = list(grips(space, top, np.array([0.0, -1.0]), REACH))
    blocked = [bool(space.in_the_way(
        Pose(tuple(grip.tip.tolist()), DOWN),
        grip.opening_m, REACH)) for grip in ranked]
    assert blocked[0] and not all(blocked)
    free = ranked[blocked.index(False)]
    # Either beside the neighbour or with the fingers nearer to the object.
    assert abs(free.tip[1]) > 0.015 or free.opening_m < ranked[0].opening_m - 0.005


def test_a_few_wrong_readings_are_nothing_and_edges_do_not_fly():
    view, (mask,) = _table((0.0, 0.0, 0.03, 0.05, 0.08))
    depth = view.depth_m.copy()
    depth[100, 108] = 0.9
    space = View(depth, CAMERA, ABOVE).space(mask)
    assert space.in_the_way(Pose((0.0, 0.0, 0.03), DOWN), 0.08, REACH) == ''


_HELD = Held(Pose((0.2, 0.2, 0.04), DOWN), 0.09, 0.07, 0.038, 0.035, clear_z_m=0.2)


def _centre(spot):
    return np.array(spot.pose.position[:2])


def test_something_is_put_on_the_middle_of_a_free_plate():
    view, (mask,) = _table((-0.1, 0.0, 0.09, 0.09, 0.02))
    spot = find_spot('on', [Anchor('the plate', view.space(mask))], _HELD, ABOVE, REACH)
    np.testing.assert_allclose(_centre(spot), (-0.1, 0.0), atol=0.004)
    # Let go no higher than 2 cm over what it stands on.
    assert 0 < spot.pose.position[2] - 0.02 - _HELD.rise_m < 0.02


def test_a_plate_that_is_full_is_refused():
    view, (mask, other) = _table((-0.1, 0.0, 0.06, 0.06, 0.02), (-0.1, 0.0, 0.04, 0.04, 0.1))
    with pytest.raises(NoPlaceError, match='no room on the plate'):
        find_spot('on', [Anchor('the plate', view.space(mask & ~other))], _HELD, ABOVE, REACH)


@pytest.mark.parametrize('relation, axis, sign', [
    ('left of', 0, -1), ('right of', 0, 1), ('behind', 1, 1), ('in front of', 1, -1)])
def test_sides_are_those_of_the_camera(relation, axis, sign):
    view, (mask,) = _table((0.0, 0.0, 0.04, 0.04, 0.08))
    spot = find_spot(relation, [Anchor('the box', view.space(mask))], _HELD, ABOVE, REACH)
    place = _centre(spot)
    assert sign * place[axis] > 0.07 and abs(place[1 - axis]) < 0.06


def test_a_place_that_is_taken_is_not_used():
    view, (mask, _) = _table((0.0, 0.0, 0.04, 0.04, 0.08), (-0.12, 0.0, 0.05, 0.03, 0.05))
    spot = find_spot('left of', [Anchor('the box', view.space(mask))], _HELD, ABOVE, REACH)
    gap = np.maximum(np.abs(_centre(spot) - (-0.12, 0.0)) - (0.05, 0.03), 0)
    assert np.hypot(*gap) > 0.035


def test_between_two_things_and_near_a_point():
    view, (one, other) = _table((-0.15, 0.0, 0.03, 0.03, 0.08), (0.15, 0.0, 0.03, 0.03, 0.08))
    anchors = [Anchor('one', view.space(one)), Anchor('other', view.space(other))]
    np.testing.assert_allclose(
        _centre(find_spot('between', anchors, _HELD, ABOVE, REACH)), (0, 0), atol=0.03)
    spot = free_spot(view.space(), np.array([-0.15, 0.0]), _HELD, REACH)
    assert np.hypot(*(_centre(spot) - (-0.15, 0.0))) > 0.06


@pytest.mark.parametrize('relation, told', [('under', "'under'"), ('between', 'two things')])
def test_a_relation_that_is_none_is_refused(relation, told):
    view, (mask,) = _table((0.0, 0.0, 0.04, 0.04, 0.08))
    with pytest.raises(NoPlaceError, match=told):
        find_spot(relation, [Anchor('the box', view.space(mask))], _HELD, ABOVE, REACH)


def test_no_place_is_beyond_what_is_seen_or_off_the_table():
    view, (mask,) = _table((0.0, 0.0, 0.04, 0.04, 0.08))
    depth = view.depth_m.copy()
    depth[:, :85] = 1.4  # the floor
    off = View(depth, CAMERA, ABOVE).space(mask)
    with pytest.raises(NoPlaceError, match='no free place left of'):
        find_spot('left of', [Anchor('the box', off)], _HELD, ABOVE, REACH)


def test_the_offset_of_what_is_held_is_turned_with_the_hand():
    view, (mask,) = _table((-0.1, 0.0, 0.09, 0.09, 0.02))
    held = replace(_HELD, off_m=(0.03, 0.0))
    spot = find_spot('on', [Anchor('the plate', view.space(mask))], held, ABOVE, REACH)
    np.testing.assert_allclose(_centre(spot), (-0.13, 0.0), atol=0.004)


def test_too_small_a_gripper_is_told_with_both_widths():
    view, (mask,) = _table((0.0, 0.0, 0.1, 0.1, 0.02))
    space = view.space(mask)
    with pytest.raises(NoGraspError, match='cm wide, more than the 11 cm'):
        plan_grasp(grasp_region(mask, view.depth_m, CAMERA), ABOVE, REACH, space)
    assert math.isfinite(space.highest_m)
    assert isinstance(space, Space)


@pytest.mark.parametrize('height_m, held', [(0.036, True), (0.026, True), (0.0185, False)])
def test_a_pan_is_high_enough_to_be_held_by_its_edge_and_a_plate_is_not(height_m, held):
    view, (mask,) = _table((0.0, 0.0, 0.065, 0.065, height_m))
    space = view.space(mask)
    found = list(grips(space, find_top(space, REACH), np.array([0.0, -1.0]), REACH))
    assert bool(found) is held and all(grip.edge for grip in found)
    # The fingertips reach under the rim, and stay off what it stands on.
    assert all(REACH.clearance_m <= grip.tip[2] <= height_m - 0.012 for grip in found)


def test_what_was_put_down_is_seen_to_stand_there_as_far_as_the_picture_goes():
    # The camera sees a square of 1 m at the table, and less of it higher up.
    spot = Spot(Pose((0.0, 0.0, 0.08), DOWN), 0.0, 0.08, 0.3)
    held = replace(_HELD, top_m=0.12)
    there, _ = _table((0.0, 0.0, 0.03, 0.03, 0.2))
    low, _ = _table((0.0, 0.0, 0.03, 0.03, 0.05))
    bare, _ = _table()
    assert stands_there(there, spot, held)
    assert not stands_there(low, spot, held) and not stands_there(bare, spot, held)
    # At the edge only the lower half of it is in the picture.
    edge = replace(spot, pose=replace(spot.pose, position=(0.45, 0.0, 0.08)))
    half, _ = _table((0.45, 0.0, 0.03, 0.03, 0.1))
    assert stands_there(half, edge, held)
    assert not stands_there(bare, edge, held)
    assert not stands_there(there, replace(spot, pose=replace(
        spot.pose, position=(0.8, 0.0, 0.08))), held)


def test_the_middle_of_a_ball_is_that_of_the_sphere():
    # Seen at 45 degrees, a ball of 4 cm shows its near side.
    pose = _turned_down(45.0)
    u, v = np.meshgrid(np.arange(200), np.arange(200))
    rays = np.stack([(u - 99.5) / 200, (v - 99.5) / 200, np.ones(u.shape)], -1)
    middle = np.array([0.0, 0.0, 0.04])
    offset = pose.rotation.T @ (middle - np.array(pose.position))
    square, along = np.sum(rays ** 2, -1), rays @ offset
    root = along ** 2 - square * (offset @ offset - 0.04 ** 2)
    mask = root > 0
    world = rays @ pose.rotation.T
    table = -pose.position[2] / np.where(world[..., 2] < 0, world[..., 2], np.nan)
    depth = np.where(mask, (along - np.sqrt(np.maximum(root, 0))) / square, table)
    top = find_top(View(depth.astype(np.float32), CAMERA, pose).space(mask), REACH)
    np.testing.assert_allclose(top.centre, (0, 0), atol=0.002)
    assert top.radius_m == pytest.approx(0.04, abs=0.004)
    assert top.z == pytest.approx(0.08, abs=0.003)


def _turned_down(degrees: float) -> Pose:
    """A camera 0.7 m from the origin of the base, which it looks at, so far above the table."""
    angle = math.radians(degrees)
    z = np.array([0.0, math.cos(angle), -math.sin(angle)])
    x = np.array([1.0, 0.0, 0.0])
    return Pose(tuple(-0.7 * z), quaternion(np.column_stack([x, np.cross(z, x), z])))
