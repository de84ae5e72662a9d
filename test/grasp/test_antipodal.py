"""Contact pairs on outlines where the good grips are known by sight."""

import math

from grasp_scenes import box, disc
import numpy as np
import pytest

from refdiff_ros.grasp.antipodal import alignment, antipodal_pairs
from refdiff_ros.grasp.config import GraspConfig
from refdiff_ros.grasp.outline import fill_holes, trace
from refdiff_ros.grasp.rectangle import oriented_rectangle


def _pairs(mask, config=None):
    outline = trace(mask)
    return antipodal_pairs(
        outline, fill_holes(mask), oriented_rectangle(mask, outline), config)


def _center(pair):
    return (np.array(pair.first) + np.array(pair.second)) / 2


def _apart(angle, degrees):
    return abs(math.degrees(math.remainder(angle - math.radians(degrees), math.pi)))


def test_alignment_is_one_face_to_face_and_zero_at_the_cone_of_friction():
    closing = np.array([[1.0, 0.0]] * 3)
    lean = math.atan(0.5)
    first = np.array([[-1, 0], [-math.cos(lean / 2), math.sin(lean / 2)], [1, 0]])
    second = np.array([[1.0, 0.0]] * 3)
    assert alignment(first, second, closing, 0.5) == pytest.approx([1, 0.5, 0])


@pytest.mark.parametrize('angle', [0, 25, 70, -40])
def test_box_is_held_across_its_middle(angle):
    best = _pairs(box(90, 30, angle, (120, 100)))[0]
    assert _apart(best.angle, angle + 90) < 4
    assert best.width_px == pytest.approx(30, abs=1.2)
    assert np.hypot(*(_center(best) - (120, 100))) < 4
    assert best.quality > 0.85


def test_pairs_are_ranked_apart_and_repeatable():
    mask = box(120, 24, 15, (120, 100))
    pairs = _pairs(mask)
    assert pairs == _pairs(mask)
    assert len(pairs) == GraspConfig().max_candidates
    assert [p.quality for p in pairs] == sorted((p.quality for p in pairs), reverse=True)
    centers = np.array([_center(p) for p in pairs])
    gaps = np.hypot(*(centers[:, None] - centers[None]).transpose(2, 0, 1))
    assert gaps[np.triu_indices(len(pairs), 1)].min() > 120 / 8 - 1


def test_first_contact_comes_first_along_u():
    for pair in _pairs(box(80, 30, 60, (120, 100))):
        assert pair.first[0] <= pair.second[0]
        assert -math.pi / 2 < pair.angle <= math.pi / 2


def test_disc_is_held_through_its_centre():
    best = _pairs(disc(40))[0]
    assert best.width_px == pytest.approx(80, abs=1.5)
    assert np.hypot(*(_center(best) - (100, 100))) < 2


def test_l_shape_is_held_on_a_limb_and_not_across_the_gap():
    mask = np.zeros((200, 200), bool)
    mask[30:170, 40:70] = True  # the long limb, 30 wide
    mask[140:170, 40:120] = True  # the short limb, 30 wide
    pairs = _pairs(mask)
    assert pairs
    for pair in pairs:
        u, v = np.linspace(pair.first, pair.second, 9)[1:-1].round().astype(int).T
        assert mask[v, u].all()
    assert pairs[0].width_px == pytest.approx(30, abs=2)


def test_ring_is_held_across_its_outer_edge():
    best = _pairs(disc(40) & ~disc(25))[0]
    assert best.width_px == pytest.approx(80, abs=2)


def test_mug_is_held_on_its_body():
    # Body 50 wide and 90 high with a handle on its right: the bounding width is 75.
    mask = np.zeros((200, 240), bool)
    mask[50:140, 60:110] = True
    handle = disc(25, (110, 95)) & ~disc(15, (110, 95))
    mask |= handle
    widths = [p.width_px for p in _pairs(mask)]
    assert any(abs(width - 50) < 3 for width in widths)


def test_triangle_tip_is_no_grip():
    # An isosceles wedge with an opening angle of 90 degrees cannot be held between its legs.
    v, u = np.mgrid[:200, :240]
    mask = (v >= 60) & (v <= 120) & (np.abs(u - 120) <= v - 60)
    config = GraspConfig(friction=0.3)
    for pair in _pairs(mask, config):
        assert pair.quality < 0.9


def test_no_contact_where_the_image_ends():
    mask = np.zeros((100, 100), bool)
    mask[:, 40:60] = True  # from the top border to the bottom one
    for pair in _pairs(mask):
        assert _apart(pair.angle, 0) < 5
    assert _pairs(np.ones((50, 50), bool)) == ()
