"""Stability and boxes from pieces of masks against masks drawn whole."""

import numpy as np
import pytest
import torch

from refdiff_ros.proposals.mask_figures import mask_figures, scaled_axis
from refdiff_ros.proposals.sam import (
    drawn_in_pieces,
    drawn_whole,
    figures_drawn,
    figures_in_pieces,
)
from refdiff_ros.proposals.sam_embedding import SamEmbedding


def embedding(side, drawn_hw, input_hw, size_hw):
    return SamEmbedding(torch.zeros(1, 1, 1, 1), side, drawn_hw, input_hw, size_hw)


def blobs(count, height, width, seed=0):
    """Logits with a hill at a random place, some of them cut by the border, and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    found = []
    for _ in range(count):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.5, 0.4 * max(height, width))
        found.append(3 - 3 * np.hypot(y - cy, x - cx) / radius + rng.normal(0, 0.3, y.shape))
    return torch.from_numpy(np.array(found, np.float32))


@pytest.mark.parametrize('places, geometry', [
    ((32, 32), (128, (128, 128), (96, 128), (480, 640))),  # 4:3 in a padded square
    ((24, 32), (128, (96, 128), (96, 128), (480, 640))),
    ((32, 20), (128, (128, 80), (128, 71), (90, 50))),  # smaller than the square
    ((64, 64), (256, (256, 256), (256, 40), (13, 2))),  # most logits reach no pixel
    ((8, 8), (32, (32, 32), (32, 1), (500, 1)))])
@pytest.mark.parametrize('threshold, offset', [(0.0, 1.0), (0.4, 0.04), (-1.0, -0.5), (0.3, 0.0)])
def test_pieces_give_what_whole_masks_give(places, geometry, threshold, offset):
    seen, logits = embedding(*geometry), blobs(40, *places)
    stability, boxes = figures_in_pieces(seen, logits, threshold, offset)
    expected, expected_boxes = figures_drawn(seen, logits, threshold, offset)
    assert stability.dtype == expected.dtype and boxes.dtype == expected_boxes.dtype
    torch.testing.assert_close(boxes, expected_boxes)
    torch.testing.assert_close(stability, expected, rtol=0, atol=0, equal_nan=True)


def test_a_mask_of_nothing_has_no_stability_and_an_empty_box():
    axis = scaled_axis(4, (8, 8))
    stability, boxes = mask_figures(np.full((2, 4, 4), -9, np.float32), axis, axis, 0.0, 1.0)
    assert np.isnan(stability).all() and not boxes.any()
    stability, boxes = mask_figures(np.zeros((0, 4, 4), np.float32), axis, axis, 0.0, 1.0)
    assert stability.shape == (0,) and boxes.shape == (0, 4)


def test_a_box_by_hand():
    logits = np.full((1, 4, 6), -1, np.float32)
    logits[0, 1, 2:4] = 3
    same = scaled_axis(4, (4, 4)), scaled_axis(6, (6, 6))
    stability, boxes = mask_figures(logits, *same, 0.0, 1.0)
    assert boxes.tolist() == [[2, 1, 3, 1]]
    assert stability.tolist() == [1.0]
    doubled = scaled_axis(4, (8, 8)), scaled_axis(6, (12, 12))
    # A pixel takes three quarters of the logit it lies in: half of the next ones is above 0, as
    # is the pixel beside a corner.
    _, boxes = mask_figures(logits, *doubled, 0.0, 1.0)
    assert boxes.tolist() == [[4, 2, 7, 3]]
    _, boxes = mask_figures(logits, *doubled, -0.5, 0.2)
    assert boxes.tolist() == [[3, 1, 8, 4]]


def test_an_axis_knows_what_reaches_what():
    axis = scaled_axis(4, (8, 6))
    assert axis.weights.shape == (6, 4)
    np.testing.assert_allclose(axis.weights.sum(1), 1)
    assert axis.weights[1].tolist() == [0.75, 0.25, 0, 0]
    assert axis.reach(0, 0) == (slice(0, 3), slice(0, 2))
    assert axis.reach(3, 3) == (slice(5, 6), slice(2, 4))
    assert scaled_axis(8, (32, 8)).reach(5, 7) == (slice(0, 0), slice(0, 0))


@pytest.mark.parametrize('size_hw', [(480, 640), (50, 70)])
def test_masks_drawn_in_pieces_are_those_drawn_whole(size_hw):
    seen, logits = embedding(128, (96, 128), (96, 128), size_hw), blobs(12, 24, 32)
    logits[3] = -9.0  # an empty one
    assert np.array_equal(drawn_in_pieces(seen, logits, 0.0), drawn_whole(seen, logits, 0.0))


def test_masks_may_be_judged_as_the_model_sees_them():
    seen, logits = embedding(128, (96, 128), (96, 128), (480, 640)), blobs(40, 24, 32)
    own = seen.as_seen()
    assert own.size_hw == (96, 128)
    expected, expected_boxes = figures_in_pieces(seen, logits, 0.0, 1.0)
    stability, boxes = figures_in_pieces(own, logits, 0.0, 1.0)
    assert np.nanmax((stability - expected).abs().numpy()) < 0.05
    assert ((boxes + 0.5) * 5 - expected_boxes).abs().max() < 10  # two pixels of the model's
    small = embedding(128, (96, 128), (96, 128), (48, 64))
    assert small.as_seen() is small
