"""Outline, main axis and oriented rectangle against masks whose sides are known."""

import math

from grasp_scenes import box, disc
import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.outline import border_polygon, fill_holes, main_part, trace
from refdiff_ros.grasp.rectangle import (
    METHODS,
    mirror_symmetry,
    moment_axis,
    oriented_rectangle,
    Rectangle,
    wrap_angle,
)


def _degrees_apart(one: float, other: float) -> float:
    return abs(math.degrees(math.remainder(one - other, math.pi)))


@pytest.mark.parametrize('method', METHODS)
def test_rectangle_is_the_mask_when_it_is_upright(method):
    mask = np.zeros((100, 120), bool)
    mask[40:50, 30:50] = True  # 20 wide, 10 high; pixel centres 30..49 and 40..49
    rectangle = oriented_rectangle(mask, trace(mask), method)
    assert rectangle.center == pytest.approx((39.5, 44.5))
    assert (rectangle.length_px, rectangle.width_px) == pytest.approx((20, 10))
    assert rectangle.angle == pytest.approx(0)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('angle', [10, 17, 30, 45, 60, 80, -30, -45, -75])
def test_rectangle_of_a_turned_box(method, angle):
    mask = box(60, 20, angle, (110.3, 90.7))
    rectangle = oriented_rectangle(mask, trace(mask), method)
    assert _degrees_apart(rectangle.angle, math.radians(angle)) < 0.5
    assert rectangle.center == pytest.approx((110.3, 90.7), abs=0.3)
    assert rectangle.length_px == pytest.approx(60, abs=0.6)
    assert rectangle.width_px == pytest.approx(20, abs=0.6)


def test_angle_is_in_its_half_open_range_for_an_upright_box():
    mask = np.zeros((60, 60), bool)
    mask[10:50, 20:30] = True
    assert oriented_rectangle(mask, trace(mask)).angle == pytest.approx(math.pi / 2)
    assert wrap_angle(-math.pi / 2) == pytest.approx(math.pi / 2)
    assert wrap_angle(math.radians(170)) == pytest.approx(math.radians(-10))


def test_square_lies_flat_although_its_moments_have_no_axis():
    mask = box(50, 50, 20, (100, 100))
    rectangle = oriented_rectangle(mask, trace(mask), 'min_area')
    assert moment_axis(mask)[1] == pytest.approx(1, abs=0.02)
    sides = [_degrees_apart(rectangle.angle, math.radians(a)) for a in (20, 110)]
    assert min(sides) < 1


def test_disc_has_equal_sides_and_the_same_answer_each_time():
    mask = disc(40.3)
    first, second = (oriented_rectangle(mask, trace(mask)) for _ in range(2))
    assert first == second
    assert first.length_px == pytest.approx(80.6, abs=0.8)
    assert first.width_px == pytest.approx(80.6, abs=0.8)


def test_tapered_region_has_its_axis_of_symmetry():
    # A bottle in perspective: a trapezium about the line v = 100, 40 wide at one end, 60 at the
    # other. Its smallest rectangle lies flat against a side, 3.4 degrees off.
    v, u = np.mgrid[:200, :300]
    mask = (u >= 50) & (u <= 220) & (np.abs(v - 100) <= 20 + (u - 50) / 17)
    assert mirror_symmetry(mask, 0) == 1
    assert oriented_rectangle(mask, trace(mask)).angle == pytest.approx(0, abs=1e-6)


def test_mirror_symmetry_by_hand():
    mask = np.zeros((5, 5), bool)
    mask[1:4, 1] = mask[3, 1:4] = True  # an L of five pixels, symmetric about its diagonal
    assert mirror_symmetry(mask, math.radians(-45)) == 1
    assert mirror_symmetry(mask, math.radians(45)) < 1


def test_moments_give_the_elongation():
    # Side ratio 3, and so the ratio of the standard deviations.
    assert moment_axis(box(60, 20, 30, (100, 100)))[1] == pytest.approx(3, abs=0.05)


def test_corners_are_at_half_the_sides():
    corners = Rectangle((10.0, 20.0), 8.0, 4.0, 0.0).corners
    assert sorted(map(tuple, np.round(corners, 6))) == [
        (6.0, 18.0), (6.0, 22.0), (14.0, 18.0), (14.0, 22.0)]


def test_across_axis_and_depth_are_right_handed():
    rectangle = Rectangle((0.0, 0.0), 2.0, 1.0, math.radians(25))
    across, axis = np.append(rectangle.across, 0), np.append(rectangle.axis, 0)
    assert np.cross(across, axis) == pytest.approx([0, 0, 1])


def test_unknown_method_is_refused():
    mask = disc(10)
    with pytest.raises(BadRequestError, match="expected a method of .*got 'ellipse'"):
        oriented_rectangle(mask, trace(mask), 'ellipse')


def test_outline_normals_point_out_of_a_disc():
    outline = trace(disc(40.0))
    outward = outline.points - (100.0, 100.0)
    radius = np.hypot(*outward.T)
    assert np.abs(radius - 40).max() < 0.6
    cosine = np.sum(outward / radius[:, None] * outline.normals, 1)
    assert np.degrees(np.arccos(cosine.min())) < 8


@pytest.mark.parametrize('mask', [
    np.ones((1, 1), bool), np.ones((1, 30), bool), np.ones((30, 1), bool),
    np.eye(30, dtype=bool), np.ones((40, 50), bool)])
def test_outline_of_thin_and_full_masks(mask):
    outline = trace(mask)
    assert np.isfinite(outline.points).all() and np.isfinite(outline.normals).all()
    rectangle = oriented_rectangle(mask, outline)
    rows, columns = mask.nonzero()
    assert rectangle.center == pytest.approx((columns.mean(), rows.mean()), abs=0.6)


def test_only_the_points_on_the_border_are_cut():
    mask = np.zeros((60, 60), bool)
    mask[20:40, :30] = True  # runs out of the left border
    outline = trace(mask)
    assert outline.cut.any()
    assert outline.points[outline.cut][:, 0].max() < 0.4


def test_main_part_is_the_largest_and_says_what_it_leaves():
    mask = np.zeros((40, 60), bool)
    mask[5:10, 5:10] = True
    mask[20:30, 30:50] = True
    mask[0, 0] = True
    part = main_part(mask)
    assert (part.parts, part.left_out, part.mask.sum()) == (3, 26, 200)
    assert part.mask[25, 40] and not part.mask[7, 7]


def test_border_polygon_fills_back_to_the_mask_without_its_holes():
    ring = disc(40) & ~disc(20)
    assert np.array_equal(fill_holes(ring), disc(40))
    assert border_polygon(ring).dtype == np.float32
