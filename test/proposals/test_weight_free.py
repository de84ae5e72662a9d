import numpy as np

from refdiff_ros.presets import get_preset
from refdiff_ros.proposals.weight_free import (
    connected_parts,
    keep_largest_parts,
    weight_free_proposals,
)


def test_each_threshold_gives_the_places_at_or_above_it():
    c = np.array([[0.0, 0.05, 0.5, 1.0]], np.float32)
    masks = weight_free_proposals(c, (0.05, 0.5, 0.95))
    assert masks.tolist() == [
        [[False, True, True, True]], [[False, False, True, True]], [[False, False, False, True]]]


def test_the_papers_thresholds_give_nineteen_nested_masks():
    c = np.random.default_rng(0).random((20, 20), np.float32)
    masks = weight_free_proposals(c, get_preset('paper').proposals.thresholds)
    assert masks.shape == (19, 20, 20)
    assert all((masks[row] >= masks[row + 1]).all() for row in range(18))


def test_parts_of_a_mask_are_proposals_of_their_own():
    masks = np.zeros((2, 4, 6), bool)
    masks[0, :2, :2] = masks[0, 1:3, 4:] = True
    masks[1, :2, :2] = True  # the same part again
    parts = connected_parts(masks)
    assert parts.shape == (2, 4, 6)
    assert (parts.sum(axis=0) == masks[0]).all()
    assert connected_parts(np.zeros((3, 4, 6), bool)).shape == (0, 4, 6)


def test_diagonal_neighbours_belong_together_and_specks_are_left_out():
    masks = np.zeros((1, 50, 100), bool)
    masks[0, 0, 0] = masks[0, 1, 1] = masks[0, 2, 2] = True
    masks[0, 40, 40] = True  # a pixel of 5000 is below 1/2000
    parts = connected_parts(masks)
    assert parts.shape == (1, 50, 100) and parts.sum() == 3


def test_the_largest_part_of_a_mask_is_kept():
    masks = np.zeros((3, 5, 8), bool)
    masks[0, :3, :3] = masks[0, 4, 7] = True
    masks[1, 0, 0] = masks[1, 1:3, 4:8] = True
    keep_largest_parts(masks)
    assert masks[0].sum() == 9 and not masks[0, 4, 7]
    assert masks[1].sum() == 8 and not masks[1, 0, 0]
    assert not masks[2].any()
