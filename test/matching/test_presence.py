"""Presence by contrast alone: each of its four figures, and the refusal."""

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.matching.presence import Contrast, decide, presence
from refdiff_ros.matching.selection import Selection
from refdiff_ros.presets import get_preset, SelectionConfig
from refdiff_ros.results import Status

FOUND = Selection(Status.FOUND, 'one region fits best, with score 0.500', 3, rivals=(4,))


def _contrast(match, place=None, attention=None, scale=10.0):
    match = np.array(match, np.float32)
    return Contrast(match, scale, np.ones(len(match)) if place is None else np.array(place),
                    attention if attention is None else np.array(attention, np.float32))


def test_one_region_counts_by_the_softmax_over_texts():
    figure = presence(_contrast([[0.5, 0.4, 0.3]]))
    weights = np.exp([5.0, 4.0, 3.0])
    assert figure == pytest.approx(weights[0] / weights.sum(), rel=1e-6)
    assert presence(_contrast([[0.2, 0.8]])) < 0.01


def test_a_region_no_better_than_the_others_counts_half():
    alike = presence(_contrast([[0.5, -9.0], [0.5, -9.0]]))
    assert alike == pytest.approx(0.5, abs=1e-6)
    # The lower half of the others is what is surely not meant: a second mug changes nothing.
    apart = presence(_contrast([[0.5, -9.0], [-0.5, -9.0]]))
    second = presence(_contrast([[0.5, -9.0], [0.5, -9.0], [-0.5, -9.0]]))
    assert apart == pytest.approx(second, abs=1e-6) and apart > 0.99


def test_a_place_that_contradicts_counts_against_a_region():
    sure = [[0.9, -9.0], [-0.9, -9.0]]
    assert presence(_contrast(sure, [0.02, 1.0])) < 0.03
    assert presence(_contrast(sure, [1.0, 0.02])) > 0.99


def test_attention_elsewhere_counts_against_a_region_and_never_for_it():
    sure = [[0.9, -9.0], [-0.9, -9.0]]
    without = presence(_contrast(sure))
    assert presence(_contrast(sure, attention=[0.8, 0.1])) == pytest.approx(without)
    assert presence(_contrast(sure, attention=[0.1, 0.8])) == pytest.approx(
        without * np.exp(-0.7), rel=1e-5)


def test_the_best_region_counts_and_none_is_nothing():
    assert presence(_contrast([[0.2, 0.8], [0.9, -9.0]])) > 0.99
    assert presence(_contrast(np.zeros((0, 3)))) == 0.0


def test_a_low_figure_is_refused_with_what_it_is():
    refused = decide(FOUND, 0.1, SelectionConfig())
    assert refused.status is Status.NOT_FOUND and refused.rivals == ()
    assert not refused.calibrated and refused.presence == 0.1
    assert 'presence 0.10 (not calibrated), below min_presence 0.20' in refused.reason
    kept = decide(FOUND, 0.2, SelectionConfig())
    assert kept.status is Status.FOUND and kept.reason.endswith('presence 0.20 (not calibrated)')
    assert decide(FOUND, 0.0, SelectionConfig(min_presence=0.0)).status is Status.FOUND


def test_what_was_refused_already_keeps_its_reason():
    empty = decide(Selection(Status.NOT_FOUND, 'no region'), 0.9, SelectionConfig())
    assert (empty.status, empty.reason) == (Status.NOT_FOUND, 'no region')


def test_the_threshold_is_a_share():
    with pytest.raises(BadRequestError, match=r'selection.min_presence in 0\.\.1'):
        get_preset('onboard').override({'selection': {'min_presence': 2.0}})
