"""Eq. (6): the positional bias."""

import numpy as np
import pytest

from refdiff_ros.discriminative.positional_bias import (
    canonical_directions,
    find_directions,
    positional_bias,
)
from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import DiscriminativeConfig, get_preset
from refdiff_ros.results import DirectionWord, ReferringExpression

ALL = ('left', 'right', 'top', 'bottom', 'middle', 'front', 'back')


def expression(text, *words):
    return ReferringExpression(
        text=text, root=text, root_span=(0, len(text)),
        directions=tuple(DirectionWord(direction, direction, of_root=of_root)
                         for direction, of_root in words))


@pytest.mark.parametrize('direction, expected', [
    ('left', [[1, 0.5, 0], [1, 0.5, 0]]),
    ('right', [[0, 0.5, 1], [0, 0.5, 1]]),
    ('top', [[1, 1, 1], [0, 0, 0]]),
    ('bottom', [[0, 0, 0], [1, 1, 1]]),
    ('front', [[0, 0, 0], [1, 1, 1]]),
    ('back', [[1, 1, 1], [0, 0, 0]]),
])
def test_a_direction_falls_from_1_on_its_side_to_0_on_the_other(direction, expected):
    bias = positional_bias((2, 3), [direction])
    assert bias.dtype == np.float32
    np.testing.assert_allclose(bias, expected)


def test_middle_falls_towards_the_nearest_border():
    expected = [[0, 0, 0, 0, 0], [0, 0.5, 1, 0.5, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_allclose(positional_bias((3, 5), ['middle']), expected)
    # Of an even number of rows or columns, two are the centre.
    np.testing.assert_allclose(positional_bias((2, 4), ['middle'])[0], [0, 1, 1, 0])
    # Along the middle row of 13 columns, zero from 2/3 of the way to either border.
    row = positional_bias((3, 13), ['middle'], 'two_thirds')[1]
    np.testing.assert_allclose(
        row, [0, 0, 0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, 0, 0], atol=1e-6)


def test_no_direction_leaves_the_image_as_it_is():
    np.testing.assert_array_equal(positional_bias((2, 3), []), np.ones((2, 3)))


def test_directions_multiply_and_count_once():
    left, top = positional_bias((4, 5), ['left']), positional_bias((4, 5), ['top'])
    np.testing.assert_allclose(positional_bias((4, 5), ['top', 'left']), left * top)
    np.testing.assert_array_equal(positional_bias((4, 5), ['bottom', 'front']),
                                  positional_bias((4, 5), ['bottom']))


def test_the_released_ramp_is_zero_beyond_two_thirds():
    # 7 columns: the ramp takes 7 * 2 // 3 = 4 of them.
    np.testing.assert_allclose(
        positional_bias((1, 7), ['left'], 'two_thirds')[0], [1, 2 / 3, 1 / 3, 0, 0, 0, 0])
    np.testing.assert_allclose(
        positional_bias((1, 7), ['right'], 'two_thirds')[0], [0, 0, 0, 0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize('ramp', ['full', 'two_thirds'])
@pytest.mark.parametrize('direction', ALL)
def test_a_single_pixel_keeps_its_value(direction, ramp):
    assert positional_bias((1, 1), [direction], ramp)[0, 0] == 1


def test_unknown_names_are_refused():
    with pytest.raises(BadRequestError, match="expected directions of .*got \\['up'\\]"):
        positional_bias((2, 2), ['up'])
    with pytest.raises(BadRequestError, match="expected a ramp 'full' or 'two_thirds', got 'x'"):
        positional_bias((2, 2), ['left'], 'x')


def test_directions_have_one_spelling():
    assert canonical_directions(['front', 'left', 'bottom']) == ('left', 'bottom')
    assert canonical_directions(['left', 'front']) == ('left', 'bottom')


def test_the_paper_takes_every_direction_word_of_its_four():
    words = expression('x', ('top', True), ('left', False), ('middle', True))
    assert find_directions(words, get_preset('paper').discriminative) == ('left', 'top')


def test_onboard_takes_only_directions_of_the_object_meant():
    words = expression('x', ('front', True), ('left', False), ('middle', True))
    assert find_directions(words, get_preset('onboard').discriminative) == ('bottom', 'middle')


def test_the_released_preset_finds_the_first_substring_and_no_other():
    config = get_preset('released').discriminative
    assert find_directions(expression('the leftover pizza on the right'), config) == ('left',)
    assert find_directions(expression('Right bowl'), config) == ('right',)
    assert find_directions(expression('top bowl', ('top', True)), config) == ()


def test_directions_outside_the_configuration_are_ignored():
    config = DiscriminativeConfig(directions=('top',))
    assert find_directions(expression('x', ('left', True)), config) == ()
