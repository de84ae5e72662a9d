"""The calibration's fit, on evidence whose truth is known."""

import numpy as np
import pytest

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.calibrating import fitting
from refdiff_ros.matching.calibration import fit_probability, MAX_REGIONS

TRUTH = FitWeights(bias=-8.0, match=14.0, spatial=25.0, attention=3.0, quality=4.0,
                   colour_clash=-2.0, anchor=18.0, spatial_least=-0.15, anchor_from=0.4)


def decided(fits, below, start):
    return fitting.decisions(fits, CalibrationConfig(not_found_below=below, fits_from=start))


def _collected(cases=1500, seed=0):
    """Regions of which the expression is true with the probability that `TRUTH` says."""
    rng = np.random.default_rng(seed)
    known = np.zeros((cases, MAX_REGIONS, 6))
    known[..., 0] = rng.uniform(0, 0.7, known.shape[:2])
    known[..., 1] = -rng.uniform(0, 0.2, known.shape[:2])
    known[..., 2] = rng.uniform(-0.2, 0.4, known.shape[:2])
    known[..., 3] = rng.uniform(0.3, 0.9, known.shape[:2])
    known[..., 4] = rng.random(known.shape[:2]) < 0.1
    # Two of three expressions have an anchor.
    known[..., 5] = np.where(rng.random(cases) < 0.33, 1.0, rng.uniform(0.1, 0.6, cases))[:, None]
    judged = np.arange(MAX_REGIONS) < rng.integers(1, 4, cases)[:, None]
    chance = fit_probability(known.reshape(-1, 6), TRUTH).reshape(known.shape[:2])
    fits = (rng.random(chance.shape) < chance) & judged
    # As the engine does, the likeliest comes first.
    order = np.argsort(-np.where(judged, chance, -1), axis=1)
    known = np.take_along_axis(known, order[..., None], axis=1)
    fits, judged = (np.take_along_axis(a, order, axis=1) for a in (fits, judged))
    count = fits.sum(axis=1)
    right = np.where(fits[:, 0], 1 / np.maximum(count, 1), 0.0)
    return fitting.Collected(
        known, judged, fits, right, np.select([count == 0, count == 1], [1, 0], 2))


@pytest.fixture(scope='module')
def found():
    return _collected()


def test_a_logistic_model_is_found_again():
    rng = np.random.default_rng(1)
    known = rng.normal(5, 3, (20_000, 2))
    chance = 1 / (1 + np.exp(-(known @ [0.4, -0.3] - 0.5)))
    bias, factors = fitting.fit_logistic(known, rng.random(len(known)) < chance)
    assert bias == pytest.approx(-0.5, abs=0.15)
    np.testing.assert_allclose(factors, [0.4, -0.3], atol=0.03)
    # A share counts as so much of a yes.
    of_shares = fitting.fit_logistic(known, chance)
    assert of_shares[0] == pytest.approx(-0.5, abs=0.01)


def test_the_coefficients_come_near_those_that_made_the_data(found):
    config = fitting.calibrated(found, 0.0)
    assert config.mode == 'full'
    for name, value in vars(TRUTH).items():
        assert getattr(config.fit, name) == pytest.approx(value, rel=0.35), name


def test_the_confidence_is_the_share_of_right_answers(found):
    config = fitting.calibrated(found, 0.0)
    fits = fitting.probabilities(found, config.fit)
    claimed = np.array([fitting.logistic(
        config.slope * fitting.log_odds(fitting.lone_share(one)) + config.bias)
        for one in fits])
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (claimed >= low) & (claimed < low + 0.25)
        assert inside.sum() > 50
        assert claimed[inside].mean() == pytest.approx(found.right[inside].mean(), abs=0.07)


def test_thresholds_are_the_best_of_those_that_keep_enough():
    fits = np.array([[0.9, 0.1], [0.55, 0.1], [0.45, 0.1], [0.2, 0.1], [0.9, 0.8], [0.9, 0.4]])
    truth = np.array([0, 0, 1, 1, 2, 2])
    below, start = fitting.thresholds(fits, truth, 1.0)
    assert 0.45 < below <= 0.55 and 0.1 < start <= 0.4
    assert decided(fits, below, start).tolist() == truth.tolist()
    # Two of FOUND's three look like refusals; to keep them costs the others.
    fits[1, 0] = 0.15
    kept = fitting.thresholds(fits, truth, 1.0)
    assert decided(fits, *kept)[:2].tolist() == [0, 0]
    assert kept[0] <= 0.15
    with pytest.raises(BadRequestError, match='lower --least-found'):
        fitting.thresholds(np.zeros((1, 2)), np.array([0]), 1.0)


def test_as_many_questions_as_are_wanted_and_no_more_needless_ones_than_they_cost():
    best = np.full(8, 0.95)
    second = np.array([0.2, 0.3, 0.52, 0.7, 0.4, 0.6, 0.8, 0.9])  # one fits, then several
    fits, truth = np.column_stack([best, second]), np.repeat([0, 2], 4)
    for least_asked, asked, needless in ((0.25, 1, 0), (0.5, 2, 0), (0.75, 3, 1), (1.0, 4, 2)):
        below, start = fitting.thresholds(fits, truth, 0.5, least_asked)
        given = decided(fits, below, start)
        assert (given[truth == 2] == 2).sum() >= asked
        assert (given[truth == 0] == 2).sum() == needless
    with pytest.raises(BadRequestError, match='100% AMBIGUOUS.*or --least-asked'):
        fitting.thresholds(fits, truth, 0.75, 1.0)


def test_of_thresholds_with_refusals_about_in_balance_the_one_that_refuses_least_is_taken():
    # Of what is absent a tenth looks present; refusing a tenth more of what is there hardly costs
    # macro F1, and is not done.
    rng = np.random.default_rng(2)
    best = np.concatenate([
        rng.uniform(0.75, 1.0, 270), rng.uniform(0.3, 0.7, 30),
        rng.uniform(0.0, 0.3, 270), rng.uniform(0.3, 0.7, 30)])
    truth = np.repeat([0, 1], 300)
    below, start = fitting.thresholds(np.column_stack([best, np.zeros(600)]), truth, 0.5)
    refused = best < below
    precision, recall = truth[refused].mean(), refused[truth == 1].mean()
    # At balance both are 0.95, with a standard error of 0.013.
    assert 0.92 < recall < 0.95 < precision < 0.98
    assert start == 0.5


def test_the_summary_tells_what_each_evidence_is_worth(found):
    told = fitting.summary(found, fitting.calibrated(found, 0.0))
    worth = told['loss_more_without']
    assert worth['match'] > worth['colour_clash'] > -1e-3
    assert told['cases'] == 1500 and 0.5 < told['macro_f1'] <= 1


def test_steady_thresholds_spare_an_error_and_hardly_move_with_the_draw():
    chosen = []
    for seed in range(6):
        found = _collected(cases=250, seed=seed)
        config = fitting.calibrated(found, 0.5, 'full', fitting.steady_thresholds)
        chosen.append((config.not_found_below, config.fits_from))
        fits = fitting.probabilities(found, config.fit)
        given = decided(fits, *chosen[-1])
        assert np.mean(given[found.truth == 0] == 0) >= 0.5
    assert np.ptp(chosen, axis=0).max() < 0.25
    assert chosen[-1] == fitting.steady_thresholds(fits, found.truth, 0.5)


def test_without_several_another_region_fits_when_that_is_likelier():
    found = _collected(cases=400)
    alone = found.take(found.truth != 2)
    assert fitting.steady_thresholds(
        fitting.probabilities(alone, TRUTH), alone.truth, 0.3)[1] == 0.5
    with pytest.raises(BadRequestError, match='lower --least-found'):
        fitting.steady_thresholds(np.zeros((9, 2)), np.zeros(9, int), 1.0)


def test_the_surface_is_what_counting_gives():
    found = _collected(cases=120)
    fits = fitting.probabilities(found, TRUTH)
    score, kept = fitting._surface(fits, found.truth, np.ones(len(fits)))
    for low, high in ((0, 0), (10, 20), (40, 3)):
        given = decided(fits, fitting._GRID[low], fitting._GRID[high])
        recall = np.array([np.mean(given[found.truth == k] == k) for k in range(3)])
        claimed = np.array([sum(np.mean(given[found.truth == other] == k) for other in range(3))
                            for k in range(3)])
        assert score[low, high] == pytest.approx(np.mean(2 * recall / (1 + claimed)))
        assert kept[low, high] == pytest.approx(recall[0])


def test_parts_are_joined_and_taken():
    found = _collected(cases=30)
    both = fitting.join([found.take(np.arange(10)), found.take(np.arange(10, 30))])
    for one, other in zip(vars(both).values(), vars(found).values(), strict=True):
        np.testing.assert_array_equal(one, other)
