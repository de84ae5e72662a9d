"""Metrics of masks, against figures computed by hand."""

import doctest
import importlib
import math

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.bootstrap import bootstrap_interval
from refdiff_ros.evaluation.metrics.iou import (
    best_iou,
    iou,
    mean_iou,
    overall_iou,
    overlap,
    precision_at,
    recall,
)
from refdiff_ros.evaluation.metrics.pointing import pointing

METRICS = (overall_iou, mean_iou, lambda shared, covered: precision_at(shared, covered, 0.5))


def _mask(*rows):
    return np.array([[pixel == '#' for pixel in row] for row in rows])


@pytest.mark.parametrize('name', (
    'metrics.bootstrap', 'metrics.grasp_error', 'metrics.iou', 'metrics.latency',
    'metrics.paired_t_test', 'metrics.pointing', 'metrics.reliability', 'metrics.rle',
    'decisions.figures'))
def test_the_examples_of_the_docstrings_run(name):
    module = importlib.import_module(f'refdiff_ros.evaluation.{name}')
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


def test_overlap_counts_pixels():
    assert overlap(_mask('##.', '##.'), _mask('.##', '.##')) == (2, 6)
    assert overlap(_mask('...'), _mask('.##')) == (0, 2)
    assert overlap(_mask('...'), _mask('...')) == (0, 0)
    assert iou(2, 6) == pytest.approx(1 / 3)


def test_masks_of_two_sizes_or_types_are_refused():
    with pytest.raises(BadRequestError, match="the truth's size"):
        overlap(_mask('..'), _mask('...'))
    with pytest.raises(BadRequestError, match='expected a mask .* uint8'):
        overlap(np.zeros((2, 2), np.uint8), np.zeros((2, 2), bool))
    with pytest.raises(BadRequestError, match=r'proposals \(N, H, W\)'):
        best_iou(_mask('..'), _mask('..'))


def test_the_best_proposal_counts():
    truth = _mask('##..', '##..')
    proposals = np.stack([_mask('####', '####'), _mask('##..', '#...'), _mask('....', '....')])
    assert best_iou(proposals, truth) == pytest.approx(3 / 4)
    assert best_iou(proposals[:0], truth) == 0.0


def test_overall_iou_weighs_by_area_and_mean_iou_does_not():
    # IoU 0.5 of a small region, 0.9 of a large one.
    assert overall_iou([1, 90], [2, 100]) == pytest.approx(91 / 102)
    assert mean_iou([1, 90], [2, 100]) == pytest.approx(0.7)


def test_an_empty_answer_is_wrong_unless_the_truth_is_empty():
    assert mean_iou([0, 0], [40, 0]) == pytest.approx(0.5)
    assert precision_at([0, 0], [40, 0], 0.9) == pytest.approx(0.5)
    assert overall_iou([0, 0], [0, 0]) == 1.0
    assert overall_iou([0, 30], [0, 60]) == pytest.approx(0.5)


def test_precision_counts_what_reaches_the_threshold():
    shared, covered = [5, 6, 9, 10], [10, 10, 10, 10]
    assert [precision_at(shared, covered, t) for t in (0.5, 0.6, 0.7, 1.0)] == [1, .75, .5, .25]
    with pytest.raises(BadRequestError, match='threshold'):
        precision_at(shared, covered, 0)


@pytest.mark.parametrize('metric', METRICS)
def test_without_cases_there_is_no_figure(metric):
    assert math.isnan(metric([], []))


@pytest.mark.parametrize('metric', METRICS)
@pytest.mark.parametrize('shared, covered, message', [
    ([1, 2], [3], 'as many'), ([5], [3], '<= union'), ([-1], [3], '0 <='),
    ([math.nan], [3], '0 <=')])
def test_counts_that_no_masks_have_are_refused(metric, shared, covered, message):
    with pytest.raises(BadRequestError, match=message):
        metric(shared, covered)


def test_pointing_hits_misses_and_shares():
    truth = _mask('#..', '#..')
    assert pointing(np.array([[.2, .1, .0], [.9, .1, .3]]), truth) == 1.0
    assert pointing(np.array([[.2, .1, .0], [.1, .1, .3]]), truth) == 0.0
    assert pointing(np.zeros((2, 3)), truth) == pytest.approx(1 / 3)
    assert pointing(np.zeros((2, 3)), np.zeros((2, 3), bool)) == 0.0
    with pytest.raises(BadRequestError, match='of one size'):
        pointing(np.zeros((3, 2)), truth)
    with pytest.raises(BadRequestError, match='finite'):
        pointing(np.full((2, 3), np.nan), truth)


def test_recall_of_proposals():
    assert recall([0.5, 0.74, 0.75, 1.0], 0.75) == 0.5
    assert math.isnan(recall([], 0.5))
    with pytest.raises(BadRequestError, match=r'0\.\.1'):
        recall([1.2], 0.5)


def test_the_interval_of_a_mean_is_about_two_standard_errors():
    values = np.random.default_rng(1).normal(0.6, 0.2, 400)
    low, high = bootstrap_interval(values)
    error = values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert (low, high) == bootstrap_interval(values)
    assert (low, high) != bootstrap_interval(values, seed=1)


def test_the_interval_of_a_ratio_of_sums_holds_the_ratio():
    covered = np.random.default_rng(2).integers(10, 1000, 200)
    shared = covered * np.random.default_rng(3).random(200)
    low, high = bootstrap_interval(shared, covered)
    assert low < overall_iou(shared, covered) < high
    assert bootstrap_interval([1, 2, 3], [2, 4, 6]) == (0.5, 0.5)


def test_cases_of_one_group_are_drawn_together():
    values = np.repeat(np.random.default_rng(4).random(50), 4)
    alone = bootstrap_interval(values)
    together = bootstrap_interval(values, groups=np.repeat(np.arange(50), 4))
    # Four copies of 50 scenes are no more than 50 scenes: twice as wide as 200 would be.
    assert together[1] - together[0] == pytest.approx(2 * (alone[1] - alone[0]), rel=0.15)


def test_intervals_without_cases_and_of_useless_values():
    assert all(map(math.isnan, bootstrap_interval([])))
    assert all(map(math.isnan, bootstrap_interval([], groups=[])))
    assert all(map(math.isnan, bootstrap_interval([0, 0], [0, 0])))
    for arguments in (([1], [1, 2]), ([math.nan],), ([1], [-1]), ([1], None, [1, 2]),
                      ([1], None, None, 1.0), ([1], None, None, 0.9, 0)):
        with pytest.raises(BadRequestError, match='expected'):
            bootstrap_interval(*arguments)
