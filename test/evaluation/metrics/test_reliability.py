"""Calibration figures by hand."""

import math

import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.reliability import (
    brier_score,
    expected_calibration_error,
    reliability_bins,
)


def test_bins_hold_their_lower_bound_and_the_last_one_the_upper_too():
    found = reliability_bins([0.0, 0.49, 0.5, 1.0], [0, 1, 1, 1], bins=2)
    assert [(each.low, each.high, each.count) for each in found] == [(0, 0.5, 2), (0.5, 1, 2)]
    assert found[0].confidence == pytest.approx(0.245) and found[0].right == 0.5
    assert found[1].right == 1.0


def test_an_empty_bin_has_no_figures():
    found = reliability_bins([0.95], [1])
    assert len(found) == 10 and found[-1].count == 1
    assert all(math.isnan(each.right) and each.count == 0 for each in found[:-1])


def test_the_error_weighs_each_bin_by_its_cases():
    # Three cases claim 0.9 and two are right; one claims 0.2 and is wrong.
    error = expected_calibration_error([0.9, 0.9, 0.9, 0.2], [1, 1, 0, 0])
    assert error == pytest.approx(0.75 * (0.9 - 2 / 3) + 0.25 * 0.2)


def test_a_confidence_that_holds_has_no_error_and_a_brier_score():
    claimed, right = [0.75] * 4, [1, 1, 1, 0]
    assert expected_calibration_error(claimed, right) == pytest.approx(0)
    assert brier_score(claimed, right) == pytest.approx(0.75 * 0.25)
    assert brier_score([1, 0], [1, 0]) == 0


def test_without_cases_there_is_no_figure():
    assert math.isnan(expected_calibration_error([], [])) and math.isnan(brier_score([], []))


@pytest.mark.parametrize('confidence, right', [
    ([1.2], [1]), ([float('nan')], [1]), ([0.5], [0.5]), ([0.5, 0.5], [1])])
def test_other_values_are_refused(confidence, right):
    with pytest.raises(BadRequestError, match='expected'):
        brier_score(confidence, right)
    with pytest.raises(BadRequestError, match='expected'):
        expected_calibration_error(confidence, right)
