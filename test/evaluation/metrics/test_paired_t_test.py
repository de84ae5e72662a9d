"""Student's paired t-test, against worked examples."""

import doctest

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics import paired_t_test as module
from refdiff_ros.evaluation.metrics.paired_t_test import paired_t_test

# Student, The Probable Error of a Mean, Biometrika 6 (1908): hours of sleep gained by ten patients
# with each of two drugs. Fisher (1925) gives t = 4.06 with 9 degrees of freedom.
DEXTRO = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
LAEVO = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def test_students_own_example():
    t, p = paired_t_test(DEXTRO, LAEVO)
    assert t == pytest.approx(4.0621, abs=1e-4)
    assert p == pytest.approx(0.002833, abs=1e-6)
    assert paired_t_test(LAEVO, DEXTRO) == pytest.approx((-t, p))


def test_with_two_pairs_p_is_that_of_cauchy():
    # One degree of freedom: p = 1 - 2/pi * atan(t); here d = (1, 3), t = 2.
    t, p = paired_t_test([0, 0], [1, 3])
    assert t == pytest.approx(2) and p == pytest.approx(1 - 2 / np.pi * np.arctan(2))


@pytest.mark.parametrize('before, after', [
    ([], []), ([1], [2]), ([1, 2], [1, 2]), ([1, 2, 3], [2, 3, 4])])
def test_without_two_pairs_that_differ_there_is_no_t(before, after):
    assert paired_t_test(before, after) == (None, None)


@pytest.mark.parametrize('before, after', [
    ([1, 2], [1]), ([[1]], [[2]]), ([1, np.nan], [1, 2]), ([1, 2], [np.inf, 2])])
def test_what_makes_no_pairs_is_refused(before, after):
    with pytest.raises(BadRequestError, match='expected'):
        paired_t_test(before, after)


def test_the_examples_of_the_docstring_hold():
    assert doctest.testmod(module).failed == 0
