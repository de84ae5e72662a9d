"""Probabilities of hand-made evidence, and the decisions that follow."""

from dataclasses import replace
import itertools

import numpy as np
import pytest

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.expression import parse
from refdiff_ros.matching.calibration import (
    count_fitting,
    decide,
    described_probability,
    evidence,
    fit_probability,
    how_many_fit,
    log_odds,
    logistic,
    lone_share,
    named_colour,
    right_probability,
    with_confidence,
)
from refdiff_ros.matching.colour_name import ColourNames
from refdiff_ros.matching.selection import Selection
from refdiff_ros.presets import get_preset
from refdiff_ros.results import Scores, Status

CONFIG = CalibrationConfig(
    mode='full', fit=FitWeights(bias=-4.0, match=10.0, spatial=20.0, colour_clash=-3.0),
    not_found_below=0.4, fits_from=0.6)


def _known(*matches):
    """Evidence (R, 6) of regions that differ in their match alone."""
    known = np.zeros((len(matches), 6))
    known[:, 0], known[:, 5] = matches, 1.0
    return known


def test_an_anchor_that_is_not_there_counts_against_every_region():
    known = _known(0.6, 0.6, 0.6, 0.6)
    known[:, 5] = [1.0, 0.5, 0.4, 0.3]
    weights = replace(CONFIG.fit, anchor=20.0, anchor_from=0.5)
    odds = [log_odds(float(each)) for each in fit_probability(known, weights)]
    assert odds[0] == pytest.approx(odds[1])  # as good as none that is asked for
    assert odds[1] - odds[2] == pytest.approx(2.0) and odds[1] - odds[3] == pytest.approx(4.0)


def test_a_refusal_says_that_the_anchor_is_what_is_missing():
    known = _known(0.6, 0.2, 0.1)
    known[:, 5] = 0.3
    config = replace(CONFIG, fit=replace(CONFIG.fit, anchor=30.0, anchor_from=0.5))
    refused = decide(_chosen(), known, config)
    assert refused.status is Status.NOT_FOUND
    assert 'the object it is placed by is in view' in refused.reason
    known[:, 0] = 0.1
    assert 'that the object is in view' in decide(_chosen(), known, config).reason


def _chosen(count=3, **changes):
    values = {'status': Status.FOUND, 'reason': '', 'index': 4, 'score': 0.5, 'confidence': 0.9,
              'regions': tuple(range(4, 4 + count))} | changes
    return Selection(**values)


def test_the_logistic_function_and_its_inverse():
    assert logistic(0.0) == 0.5
    assert log_odds(float(logistic(1.7))) == pytest.approx(1.7)
    assert np.isfinite([log_odds(0.0), log_odds(1.0)]).all()


def test_the_probability_of_a_region_is_logistic_in_its_evidence():
    known = np.array([[0.5, 0.0, 0.0, 0.0, 0.0, 1.0], [0.5, -0.05, 0.0, 0.3, 1.0, 1.0]])
    np.testing.assert_allclose(
        fit_probability(known, CONFIG.fit), 1 / (1 + np.exp([-1.0, 3.0])))


def test_what_is_described_may_lie_anywhere_and_by_anything():
    known = np.array([[0.5, -0.1, 0, 0, 0, 0.2], [0.3, 0, 0, 0, 1, 1]])
    weights = replace(CONFIG.fit, anchor=20.0, anchor_from=0.5)
    np.testing.assert_allclose(
        described_probability(known, weights), 1 / (1 + np.exp([-1.0, 4.0])))
    assert known[0, 1] == -0.1  # its own copy


def test_a_place_can_do_no_worse_than_the_least():
    known = np.array([[0.5, -0.1, 0, 0, 0, 1], [0.5, -0.2, 0, 0, 0, 1], [0.5, -0.9, 0, 0, 0, 1]])
    far = fit_probability(known, replace(CONFIG.fit, spatial_least=-0.2))
    assert far[0] > far[1] == far[2]
    assert known[2, 1] == -0.9


def test_the_share_of_a_lone_region_is_its_own_and_of_two_alike_a_half():
    assert lone_share(np.array([0.8])) == pytest.approx(0.8)
    assert lone_share(np.array([0.8, 0.8])) == pytest.approx(0.4)
    assert lone_share(np.zeros(2)) == 0.0
    assert right_probability(np.array([0.8, 0.8]), CalibrationConfig()) == pytest.approx(0.4)


def test_evidence_is_taken_of_the_regions_asked_for():
    masks = np.zeros((3, 8, 8), bool)
    masks[0, :, :2] = masks[1, :, 3:5] = masks[2, :, 6:] = True
    image = np.full((8, 8, 3), (200, 20, 20), np.uint8)
    image[:, 6:] = (25, 55, 190)
    scores = Scores(
        total=np.array([np.nan, 0.5, 0.4], np.float32), spatial=np.array(
            [np.nan, -0.1, 0.0], np.float32), discriminative=np.zeros(3, np.float32),
        generative=np.array([np.nan, 0.2, 0.3], np.float32), quality=np.array([0.1, 0.8, 0.9]),
        anchor=0.3)
    colours = ColourNames(image, masks)
    known = evidence(np.array([2, 1]), scores, colours, parse('the red mug', root='rules'))
    np.testing.assert_allclose(known, [[0.4, 0, 0.3, 0.9, 1, 0.3], [0.6, -0.1, 0.2, 0.8, 0, 0.3]],
                               atol=1e-6)
    # No diffusion model, no segmentor; and 'the mug' names no colour.
    plain = Scores(scores.total, np.full(3, np.nan, np.float32), scores.discriminative)
    known = evidence(np.array([2, 1]), plain, colours, parse('the mug', root='rules'))
    np.testing.assert_allclose(known, [[0.4, 0, 0, 0, 0, 1], [0.5, 0, 0, 0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize('text, colour', [
    ('the red mug', 'red'), ('the mug behind the red box', ''), ('the red and white can', ''),
    ('the orange', ''), ('the Orange can', 'orange'), ('left', '')])
def test_the_colour_that_counts_is_the_objects_only_one(text, colour):
    assert named_colour(parse(text, root='rules')) == colour


def test_one_two_and_no_region_that_fit_are_three_decisions():
    found = decide(_chosen(), _known(0.6, 0.2, 0.1), CONFIG)
    assert (found.status, found.rivals) == (Status.FOUND, ())
    asked = decide(_chosen(), _known(0.6, 0.5, 0.56), CONFIG)
    assert (asked.status, asked.index, asked.rivals) == (Status.AMBIGUOUS, 4, (6, 5))
    assert '3 separate regions fit' in asked.reason
    none = decide(_chosen(rivals=(5,)), _known(0.3, 0.2, 0.1), CONFIG)
    assert (none.status, none.rivals) == (Status.NOT_FOUND, ())
    assert 'probability of 0.27, below the required 0.40' in none.reason


def test_how_many_of_several_fit_counts_all_their_ways():
    fits = np.array([[0.7, 0.2, 0.4], [1.0, 0.0, 0.0], [1.0, 1.0, 0.3], [0.0, 0.0, 0.0]])
    expected = np.zeros((4, 3))
    for ways in itertools.product((0, 1), repeat=3):
        chance = np.where(ways, fits, 1 - fits).prod(axis=1)
        expected[:, min(sum(ways), 2)] += chance
    np.testing.assert_allclose(how_many_fit(fits), expected, atol=1e-12)
    likeliest = replace(CONFIG, decide='likeliest')
    assert count_fitting(fits, likeliest).tolist() == [1, 1, 2, 0]
    assert count_fitting(fits[:, :0], likeliest).tolist() == [0] * 4


def test_the_likeliest_number_decides_without_thresholds():
    likeliest = replace(CONFIG, decide='likeliest')

    def given(*chances):
        # Evidence that gives these probabilities.
        return decide(_chosen(len(chances)), _known(*(
            (log_odds(chance) - CONFIG.fit.bias) / CONFIG.fit.match for chance in chances)),
            likeliest)

    found = given(0.9, 0.4, 0.1)
    assert (found.status, found.rivals) == (Status.FOUND, ())
    asked = given(0.9, 0.6, 0.7)
    assert (asked.status, asked.rivals) == (Status.AMBIGUOUS, (6, 5))
    none = given(0.3, 0.2, 0.1)
    assert (none.status, none.rivals) == (Status.NOT_FOUND, ())
    assert 'the best with a probability of 0.30; see that the object' in none.reason
    # Each of three others is unlikely, but hardly all of them are wrong.
    some = given(0.9, 0.35, 0.4, 0.38)
    assert (some.status, some.rivals) == (Status.AMBIGUOUS, (6,))


def test_an_unknown_way_to_decide_is_refused():
    with pytest.raises(BadRequestError, match="calibration.decide 'thresholds' or 'likeliest'"):
        replace(CONFIG, decide='by lot')


def test_a_better_fitting_rival_keeps_the_answer_from_being_refused():
    # What is chosen goes by the score; that another region fits is said.
    asked = decide(_chosen(2), _known(0.3, 0.6), CONFIG)
    assert (asked.status, asked.index, asked.rivals) == (Status.AMBIGUOUS, 4, (5,))
    assert asked.presence == pytest.approx(float(logistic(2.0)))


def test_two_that_fit_halve_the_confidence():
    alone, shared = (decide(_chosen(2), _known(0.8, other), CONFIG) for other in (-0.5, 0.8))
    assert alone.calibrated and shared.calibrated
    assert shared.confidence == pytest.approx(alone.confidence / 2, abs=0.01)


def test_what_cannot_be_answered_stays_not_found():
    nothing = decide(Selection(Status.NOT_FOUND, 'no region'), _known(), CONFIG)
    assert (nothing.status, nothing.reason) == (Status.NOT_FOUND, 'no region')
    assert nothing.calibrated and nothing.confidence == nothing.presence == 0.0
    refused = decide(
        _chosen(status=Status.NOT_FOUND, reason='below min_score'), _known(0.8, 0.1, 0.1), CONFIG)
    assert (refused.status, refused.reason) == (Status.NOT_FOUND, 'below min_score')


def test_confidence_alone_leaves_the_decision():
    chosen = with_confidence(_chosen(), _known(0.1, 0.1, 0.1), CONFIG)
    assert chosen.status is Status.FOUND and chosen.confidence < 0.05


def test_coefficients_come_from_a_bundle_and_are_checked():
    preset = get_preset('onboard').override(
        {'calibration': {'mode': 'full', 'fit': {'match': 3.0}, 'not_found_below': 0.2}})
    assert preset.calibration.fit.match == 3.0 and preset.calibration.fit.bias == 0.0
    for values, message in (({'mode': 'half'}, 'calibration.mode'),
                            ({'fits_from': 0.0}, 'fits_from in 0..1'),
                            ({'fit': {'bias': float('nan')}}, 'fit.bias as a finite number'),
                            ({'fit': {'colour': 1.0}}, "got 'colour'"),
                            ({'slope': float('inf')}, 'bias and slope')):
        with pytest.raises(BadRequestError, match=message):
            get_preset('onboard').override({'calibration': values})


def test_no_preset_is_calibrated_by_itself():
    for name in ('paper', 'released', 'onboard'):
        assert get_preset(name).calibration.mode == ''
    assert get_preset('onboard').selection.decide == 'calibrated'
    assert get_preset('paper').selection.decide == 'scores'
