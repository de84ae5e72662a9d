"""The motion of a whole picture, and masks that go along."""

import cv2
import numpy as np
import pytest

from refdiff_ros.masks.boxes import box_xyxy
from refdiff_ros.proposals.camera_motion import camera_motion, moved_picture, MovingMask

SIZE_HW = 240, 320


def table(seed=0, size_hw=SIZE_HW):
    """Blocks of many colours, seen with noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(40, 220, (12, 16, 3), np.uint8)
    image = cv2.resize(blocks, size_hw[::-1], interpolation=cv2.INTER_NEAREST)
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def turn(degrees, right=0.0, down=0.0, scale=1.0, size_hw=SIZE_HW):
    middle = size_hw[1] / 2, size_hw[0] / 2
    motion = np.vstack([cv2.getRotationMatrix2D(middle, degrees, scale), [0, 0, 1]])
    motion[:2, 2] += right, down
    return motion


def corners_off(found, true, size_hw=SIZE_HW):
    height, width = size_hw
    corners = np.array([[[0.0, 0], [width, 0], [0, height], [width, height]]])
    return np.abs(cv2.perspectiveTransform(corners, found)
                  - cv2.perspectiveTransform(corners, true)).max()


def disc(y, x, radius, size_hw=SIZE_HW):
    down, across = np.mgrid[:size_hw[0], :size_hw[1]]
    return np.hypot(down - y, across - x) < radius


def drawn(mask, size_hw=SIZE_HW):
    into = np.zeros(size_hw, bool)
    mask.draw(into)
    return into


def found(mask):
    return MovingMask.found(mask, box_xyxy(mask))


@pytest.mark.parametrize('size_hw', [SIZE_HW, (480, 640), (300, 1000)])
@pytest.mark.parametrize('motion', [
    {'degrees': 0, 'right': 1}, {'degrees': 0, 'right': -12, 'down': 7}, {'degrees': 3},
    {'degrees': -2, 'right': 6, 'scale': 1.04}])
def test_the_motion_of_a_whole_picture_is_found(size_hw, motion):
    old = table(size_hw=size_hw)
    true = turn(**motion, size_hw=size_hw)
    new = moved_picture(old, true)
    assert corners_off(camera_motion(old, new), true, size_hw) < 1.0 * max(1, size_hw[1] / 320)


def test_things_that_move_by_themselves_do_not_move_the_picture():
    old = table()
    new = moved_picture(old, turn(0, 5))
    new[60:140, 80:200] = moved_picture(old, turn(0, -9, 4))[60:140, 80:200]
    assert corners_off(camera_motion(old, new), turn(0, 5)) < 0.6


@pytest.mark.parametrize('pictures', [
    [np.full((*SIZE_HW, 3), 90, np.uint8)] * 2,
    [table(0), np.full((*SIZE_HW, 3), 90, np.uint8)],
    [table(0), moved_picture(table(0), turn(40))],
    [table(0), moved_picture(table(0), turn(0, scale=1.5))],
    *([np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)
       for seed in (0, 1)] for side in (1, 2, 9, 64))])
def test_no_motion_is_made_up(pictures):
    motion = camera_motion(*pictures)
    assert motion is None or np.isfinite(motion).all()
    if max(pictures[0].shape) > 64:
        assert motion is None


def test_a_mask_that_did_not_move_is_drawn_as_it_was():
    for mask in (disc(100, 120, 30), disc(0, 0, 50), disc(239, 160, 20), np.ones(SIZE_HW, bool)):
        np.testing.assert_array_equal(drawn(found(mask)), mask)


def test_whole_pixels_move_a_mask_as_they_are():
    mask = disc(100, 120, 30)
    moved = found(mask).moved(turn(0, 7, -5))
    np.testing.assert_array_equal(drawn(moved), np.roll(mask, (-5, 7), (0, 1)))


def test_many_small_steps_do_not_fray_an_outline():
    mask = np.zeros(SIZE_HW, bool)
    mask[80:130, 100:180] = True
    steps = found(mask)
    for _ in range(20):
        steps = steps.moved(turn(0.4, 0.3, -0.2))
    once = found(mask).moved(np.linalg.matrix_power(turn(0.4, 0.3, -0.2), 20))
    np.testing.assert_array_equal(drawn(steps), drawn(once))
    for _ in range(20):
        steps = steps.moved(np.linalg.inv(turn(0.4, 0.3, -0.2)))
    np.testing.assert_array_equal(drawn(steps), mask)


def test_what_the_border_cut_goes_on_beyond_it_and_the_rest_does_not():
    band = np.zeros(SIZE_HW, bool)
    band[100:140, :60] = True
    expected = np.zeros(SIZE_HW, bool)
    expected[100:140, :80] = True
    np.testing.assert_array_equal(drawn(found(band).moved(turn(0, 20))), expected)
    island = np.zeros(SIZE_HW, bool)
    island[100:140, 10:60] = True
    np.testing.assert_array_equal(
        drawn(found(island).moved(turn(0, 20))), np.roll(island, 20, axis=1))


def test_a_mask_may_leave_the_picture_and_come_back():
    mask = disc(100, 290, 20)
    gone = found(mask).moved(turn(0, 60))
    assert not drawn(gone).any()
    np.testing.assert_array_equal(drawn(gone.moved(turn(0, -60))), mask)


@pytest.mark.parametrize(('motion', 'guess'), [
    (turn(0, 80, 40), False), (turn(8), False), (turn(0, scale=1.15), False),
    (turn(15), True), (turn(0, scale=1.3), True), (turn(0, scale=0.7), True),
    (np.diag([1.0, 1, -1]), True)])
def test_far_from_how_it_was_found_a_mask_is_a_guess(motion, guess):
    assert found(disc(100, 120, 30)).moved(motion).is_guess == guess
