"""What really happened, and what many episodes come to."""

import math

import numpy as np
import pytest

from refdiff_ros.pick.tally import faults, shares, Trial, wilson
from refdiff_ros.pick.verdict import disturbed, Verdict, verdict

_TABLE = (None, None, None)


@pytest.mark.parametrize('target, refused, raised, peak, on, expected', [
    (1, False, (0, 0.15, 0), (0, 0.15, 0), _TABLE, Verdict.RIGHT),
    (1, False, (0.15, 0, 0), (0.15, 0, 0), _TABLE, Verdict.WRONG),
    (1, False, (0, 0, 0), (0, 0.1, 0), _TABLE, Verdict.DROPPED),
    (1, False, (0, 0.02, 0), (0, 0.02, 0), _TABLE, Verdict.MISSED),
    (1, True, (0, 0, 0), (0, 0, 0), _TABLE, Verdict.REFUSED),
    (None, True, (0, 0, 0), (0, 0, 0), _TABLE, Verdict.RIGHTLY_REFUSED),
    (None, False, (0, 0, 0.15), (0, 0, 0.15), _TABLE, Verdict.WRONG),
    # The box under the mug was gripped: the mug is only carried.
    (1, False, (0.15, 0.15, 0), (0.15, 0.15, 0), (None, 0, None), Verdict.WRONG),
    (0, False, (0.15, 0.15, 0), (0.15, 0.15, 0), (None, 0, None), Verdict.RIGHT)])
def test_the_verdict_goes_by_heights(target, refused, raised, peak, on, expected):
    assert verdict(target, refused, np.array(raised), np.array(peak), on) is expected


@pytest.mark.parametrize('rows, expected', [
    ([1], Verdict.RIGHT), ([0], Verdict.DISTURBED), ([1, 2], Verdict.RIGHT)])
def test_what_moves_beside_the_object_is_told(rows, expected):
    # The third stands on the second, which is lifted.
    raised = np.array((0.0, 0.15, 0.15))
    assert verdict(1, False, raised, raised, (None, None, 1), rows) is expected


def test_what_moved_or_leans_is_disturbed_and_a_ball_may_turn():
    start, up = np.zeros((4, 3)), np.tile([0.0, 0.0, 1.0], (4, 1))
    now, leaning = start.copy(), up.copy()
    now[0, 0] = 0.03
    leaning[1] = leaning[2] = [np.sin(0.2), 0.0, np.cos(0.2)]
    balls = np.array([False, False, True, False])
    assert disturbed(start, now, up, leaning, balls).tolist() == [True, True, False, False]


def _trial(seed, outcome, kind='plain'):
    return Trial(seed, 'the mug', kind, 'mug' if kind != 'absent' else '', outcome, 'LIFTED', '',
                 math.nan, 1.0)


def test_wilsons_interval_is_that_of_the_textbook():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 5) == pytest.approx((0.0, 0.4345), abs=1e-4)


def test_shares_are_apart_for_what_is_there_and_what_is_not():
    found = shares([_trial(0, Verdict.RIGHT), _trial(1, Verdict.WRONG),
                    _trial(2, Verdict.RIGHTLY_REFUSED, 'absent')])
    assert found['present']['episodes'] == 2 and found['absent']['episodes'] == 1
    assert found['present']['RIGHT']['share'] == 0.5
    assert found['absent']['RIGHTLY_REFUSED']['count'] == 1


def test_a_failure_is_groundings_where_the_true_mask_was_lifted():
    ours = [_trial(0, Verdict.WRONG), _trial(1, Verdict.MISSED), _trial(2, Verdict.RIGHT),
            _trial(3, Verdict.WRONG, 'absent')]
    true = [_trial(0, Verdict.RIGHT), _trial(1, Verdict.DROPPED), _trial(2, Verdict.MISSED),
            _trial(3, Verdict.RIGHTLY_REFUSED, 'absent')]
    assert faults(ours, true) == {'failures': 2, 'grounding': 1, 'grasping': 1, 'luck': 1}
