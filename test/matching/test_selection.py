import numpy as np
import pytest

from refdiff_ros.matching.selection import select, separate_regions
from refdiff_ros.presets import SelectionConfig
from refdiff_ros.results import Status


def _boxes(*columns):
    """Masks (N, 8, 16) that are upright bars over the given column ranges."""
    masks = np.zeros((len(columns), 8, 16), bool)
    for mask, (start, stop) in zip(masks, columns, strict=True):
        mask[:, start:stop] = True
    return masks


def test_the_best_score_is_found():
    chosen = select(np.array([0.1, 0.9, 0.5]), _boxes((0, 4), (5, 9), (10, 14)),
                    SelectionConfig())
    assert (chosen.status, chosen.index, chosen.rivals) == (Status.FOUND, 1, ())
    assert chosen.score == pytest.approx(0.9)


def test_equal_scores_take_the_first_row_every_time():
    chosen = select(np.array([0.5, 0.5]), _boxes((0, 4), (5, 9)), SelectionConfig())
    assert chosen.index == 0


def test_filtered_rows_are_never_chosen_even_when_survivors_are_negative():
    chosen = select(np.array([np.nan, -0.2, -0.3]), _boxes((0, 4), (5, 9), (10, 14)),
                    SelectionConfig())
    assert (chosen.status, chosen.index) == (Status.FOUND, 1)
    assert 'below zero' in chosen.notes[0]


def test_no_proposals_and_only_filtered_ones_are_not_found_with_different_reasons():
    none = select(np.zeros(0), np.zeros((0, 8, 16), bool), SelectionConfig())
    filtered = select(np.array([np.nan]), _boxes((0, 4)), SelectionConfig())
    assert none.status is filtered.status is Status.NOT_FOUND
    assert 'no region was proposed' in none.reason
    assert 'filtered out' in filtered.reason


def test_an_empty_best_region_is_not_found():
    chosen = select(np.array([0.5]), np.zeros((1, 8, 16), bool), SelectionConfig())
    assert chosen.status is Status.NOT_FOUND


def test_below_min_score_is_not_found_but_the_best_is_still_told():
    chosen = select(np.array([0.2]), _boxes((0, 4)), SelectionConfig(min_score=0.3))
    assert (chosen.status, chosen.index) == (Status.NOT_FOUND, 0)
    assert '0.200, below the required 0.300' in chosen.reason


def test_a_separate_region_within_the_margin_is_ambiguous():
    masks = _boxes((0, 4), (8, 12), (13, 16))
    chosen = select(np.array([0.50, 0.49, 0.30]), masks, SelectionConfig(ambiguity_margin=0.02))
    assert (chosen.status, chosen.index, chosen.rivals) == (Status.AMBIGUOUS, 0, (1,))


def test_a_part_of_the_best_region_is_no_rival():
    masks = _boxes((0, 8), (0, 3))
    chosen = select(np.array([0.50, 0.50]), masks, SelectionConfig(ambiguity_margin=0.02))
    assert chosen.status is Status.FOUND


def test_separate_regions_are_told_best_first():
    masks = _boxes((0, 4), (8, 12), (0, 3))
    chosen = select(np.array([0.3, 0.5, 0.4]), masks, SelectionConfig())
    assert chosen.regions == (1, 2) and not chosen.calibrated and np.isnan(chosen.presence)


def test_confidence_is_the_softmax_share_among_separate_regions():
    masks = _boxes((0, 4), (0, 4), (8, 12))
    config = SelectionConfig(temperature=1.0)
    chosen = select(np.array([1.0, 0.9, 0.0]), masks, config)
    assert chosen.confidence == pytest.approx(1 / (1 + np.exp(-1.0)))


def test_separate_regions_keeps_order_and_drops_overlaps():
    masks = _boxes((0, 8), (6, 14), (1, 7), (12, 16))
    order = np.array([2, 0, 1, 3])
    # Row 0 holds row 2; row 1 shares 1 of 6 columns with row 2; row 3 half of its own with row 1.
    np.testing.assert_array_equal(separate_regions(order, masks, 0.5), [2, 1, 3])


def test_where_probabilities_are_known_the_highest_is_chosen():
    masks = _boxes((0, 8), (0, 3), (10, 14), (12, 13))
    total = np.array([0.4, 0.5, 0.45, np.nan])
    probability = np.array([0.9, 0.3, 0.6, np.nan])
    by_score = select(total, masks, SelectionConfig())
    likeliest = select(total, masks, SelectionConfig(), probability=probability)
    assert by_score.regions == (1, 2) and by_score.score == pytest.approx(0.5)
    # The part is no region beside the whole, which comes first now.
    assert likeliest.regions == (0, 2) and likeliest.score == pytest.approx(0.4)
    for margin, rivals in ((0.01, ()), (0.06, (2,))):
        config = SelectionConfig(ambiguity_margin=margin)
        assert select(total, masks, config, probability=probability).rivals == rivals
