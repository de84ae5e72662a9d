import numpy as np

from refdiff_ros.presets import get_preset
from refdiff_ros.proposals import weight_free_proposals


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
