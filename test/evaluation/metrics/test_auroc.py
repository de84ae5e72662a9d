"""AUROC against counted pairs."""

import math

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.auroc import auroc


def test_it_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    figure, kind = rng.integers(0, 8, 60) / 8, rng.random(60) < 0.4
    pairs = [(0.5 if a == b else float(a > b)) for a in figure[kind] for b in figure[~kind]]
    assert auroc(figure, kind) == pytest.approx(np.mean(pairs))
    assert auroc([0.9, 0.4, 0.6, 0.1], [True, True, False, False]) == 0.75


def test_one_kind_alone_has_none():
    assert math.isnan(auroc([0.5, 0.6], [True, True])) and math.isnan(auroc([], []))


@pytest.mark.parametrize('figure, kind', [([0.5], [True, False]), ([math.nan], [True])])
def test_what_cannot_be_ordered_is_refused(figure, kind):
    with pytest.raises(BadRequestError, match='finite figures'):
        auroc(figure, kind)
