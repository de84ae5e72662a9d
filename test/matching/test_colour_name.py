import colorsys

import numpy as np
import pytest

from refdiff_ros.matching import colour_name as module
from refdiff_ros.matching.colour_name import colour_name, ColourNames, NAMES
from refdiff_ros.sim.shapes import COLOURS


def _name(red, green, blue):
    pixel = np.array([[[red, green, blue]]], np.uint8)
    return colour_name(pixel, np.ones((1, 1), bool))


@pytest.mark.parametrize('name, rgb', COLOURS.items())
def test_the_simulators_colours_have_their_names(name, rgb):
    found = _name(*(round(255 * part) for part in rgb))
    # A brown that a dim light would make of orange is not named.
    assert found == ('' if name == 'brown' else name)


@pytest.mark.parametrize('light', np.linspace(0.35, 1, 8))
@pytest.mark.parametrize('name, rgb', COLOURS.items())
def test_no_light_makes_another_colour_of_it(name, rgb, light):
    assert _name(*(round(255 * light * part) for part in rgb)) in (name, '')


@pytest.mark.parametrize('rgb', [
    (128, 128, 128), (130, 150, 60), (60, 150, 150), (190, 150, 140), (120, 70, 30)])
def test_what_is_between_has_no_name(rgb):
    assert _name(*rgb) == ''


def test_every_hue_gives_a_known_name_or_none():
    names = {_name(*(255 * part for part in colorsys.hsv_to_rgb(hue, 1, 0.9)))
             for hue in np.linspace(0, 1, 181)}
    assert names <= {*NAMES, ''}
    assert {'red', 'orange', 'yellow', 'green', 'blue', 'purple', ''} <= names


def test_the_median_counts_and_what_is_outside_does_not():
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, :10] = (200, 20, 20)
    mask = np.zeros((20, 20), bool)
    mask[2:18, 1:12] = True  # 8 of its 10 columns are red
    assert colour_name(image, mask) == 'red'
    assert colour_name(image, ~mask) == 'black'
    assert colour_name(image, np.zeros((20, 20), bool)) == ''


def test_a_large_picture_is_named_like_a_small_one():
    image = np.zeros((600, 800, 3), np.uint8)
    image[100:500, 200:600] = (25, 55, 190)
    assert colour_name(image, image[..., 2] > 0) == 'blue'


def test_a_colour_is_found_once_for_each_mask(monkeypatch):
    image = np.zeros((10, 10, 3), np.uint8)
    image[:5] = 200, 20, 20
    upper = np.zeros((10, 10), bool)
    upper[:5] = True
    names = ColourNames(image, np.stack([upper, ~upper]))
    assert [names[row] for row in (0, 1)] == ['red', 'black']
    monkeypatch.setattr(module, 'colour_name', None)
    assert [names[row] for row in (1, 0)] == ['black', 'red']


def test_colours_found_ahead_are_not_looked_for_again():
    image = np.full((40, 60, 3), (200, 30, 30), np.uint8)
    masks = np.zeros((2, 40, 60), bool)
    masks[:, 5:20, 5:20] = True
    names = ColourNames(image, masks)
    names.prefetch(np.array([1]))
    image[:] = (30, 60, 200)
    assert (names[0], names[1]) == ('blue', 'red')
