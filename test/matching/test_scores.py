import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.masks import window
from refdiff_ros.matching import scores
from refdiff_ros.presets import Mode, SelectionConfig


def test_generative_is_mean_inside_minus_mean_outside():
    c = np.array([[1.0, 0.5], [0.0, 0.5]], np.float32)
    masks = np.array([
        [[True, False], [False, False]],
        [[True, True], [False, False]],
        [[False, False], [True, True]],
    ])
    expected = [1.0 - 1.0 / 3, 0.75 - 0.25, 0.25 - 0.75]
    np.testing.assert_allclose(scores.generative(c, masks), expected, atol=1e-6)


def test_generative_takes_the_mean_of_no_pixels_as_zero():
    c = np.array([[0.2, 0.6]], np.float32)
    masks = np.array([[[False, False]], [[True, True]]])
    np.testing.assert_allclose(scores.generative(c, masks), [-0.4, 0.4], atol=1e-6)


def test_generative_equals_two_passes_over_the_map():
    rng = np.random.default_rng(3)
    c = rng.random((97, 131), np.float32)
    masks = rng.random((20, 97, 131)) < rng.random((20, 1, 1))
    direct = [c[mask].mean() - c[~mask].mean() for mask in masks]
    np.testing.assert_allclose(scores.generative(c, masks), direct, atol=1e-5)


def test_generative_is_the_same_where_the_boxes_are_known():
    rng = np.random.default_rng(4)
    c = rng.random((16, 16), np.float32)
    masks = np.zeros((3, 16, 16), bool)
    masks[0, 3:9, 2:5] = masks[1, 15, 15] = True  # and an empty one
    found = scores.generative(c, masks, [window(mask) for mask in masks])
    np.testing.assert_array_equal(found, scores.generative(c, masks))
    assert found[0] == pytest.approx(c[masks[0]].mean() - c[~masks[0]].mean(), abs=1e-6)


def test_generative_of_no_proposals_is_empty():
    assert scores.generative(np.zeros((4, 4), np.float32), np.zeros((0, 4, 4), bool)).shape == (0,)


@pytest.mark.parametrize('masks', [
    np.zeros((1, 4, 5), bool), np.zeros((4, 4), bool), np.zeros((1, 4, 4), np.uint8)])
def test_generative_refuses_masks_of_another_shape_or_type(masks):
    with pytest.raises(BadRequestError, match=r'expected masks \(N, 4, 4\) bool'):
        scores.generative(np.zeros((4, 4), np.float32), masks)


def test_combine_follows_eq_1():
    g, d = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
    convex = SelectionConfig(alpha=0.1)
    additive = SelectionConfig(alpha=0.05, combination='additive')
    np.testing.assert_allclose(scores.combine(g, d, Mode.FULL, convex), [0.1, 0.9], atol=1e-7)
    np.testing.assert_allclose(scores.combine(g, d, Mode.FULL, additive), [0.05, 1.0], atol=1e-7)


def test_combine_uses_only_what_the_mode_has():
    value, missing = np.array([0.3], np.float32), np.array([np.nan], np.float32)
    for mode in (Mode.G, Mode.GS):
        assert scores.combine(value, missing, mode, SelectionConfig()) == value
    assert scores.combine(missing, value, Mode.DS, SelectionConfig()) == value


def test_otsu_prefers_the_region_that_parts_the_map_best():
    c = np.zeros((4, 4), np.float32)
    c[:2] = 0.8
    c[0, 0] = 1.0
    masks = np.stack([c >= 0.9, c >= 0.5])
    by_difference = scores.generative(c, masks)
    by_otsu = scores.otsu(by_difference, masks)
    c[0, 0] = 2.0
    assert scores.generative(c, masks).argmax() == 0  # Eq. (9) alone takes the brightest pixel
    assert by_otsu.argmax() == 1
    assert by_otsu[1] == pytest.approx(by_difference[1] * 0.5)
    assert by_otsu[0] == pytest.approx(by_difference[0] * np.sqrt(1 / 16 * 15 / 16))
