"""Questions about hand-made regions: true of each candidate, and only said where it is plain."""

import numpy as np
import pytest

from refdiff_ros.language.expression import parse
from refdiff_ros.matching.question import ask

SIZE = (96, 128)
RED, BLUE, GREEN, GREY = (200, 20, 20), (25, 55, 190), (25, 140, 40), (120, 120, 120)


def _boxes(*corners):
    """Masks (K, H, W) of boxes (x0, y0, x1, y1)."""
    masks = np.zeros((len(corners), *SIZE), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, corners, strict=True):
        mask[y0:y1, x0:x1] = True
    return masks


def _ask(corners, colours=None, text='the mug', depth_m=None):
    masks = _boxes(*corners)
    image = np.full((*SIZE, 3), GREY, np.uint8)
    for mask, colour in zip(masks, colours or [GREY] * len(masks), strict=True):
        image[mask] = colour
    return ask(masks, image, parse(text, root='rules'), depth_m)


def _row(*columns):
    return [(x, 40, x + 8, 60) for x in columns]


def test_two_beside_each_other_are_left_and_right():
    asked = _ask(_row(90, 10))
    assert asked.text == 'Do you mean the left one or the right one?'
    assert asked.descriptions == ('the right mug', 'the left mug')
    assert asked.told == ({'side': 'right'}, {'side': 'left'})
    assert asked.numbers == (2, 1)  # the left one is named first


def test_three_have_a_middle_one():
    asked = _ask(_row(50, 10, 90))
    assert asked.text == 'Do you mean the left one, the middle one or the right one?'
    assert asked.descriptions == ('the middle mug', 'the left mug', 'the right mug')


def test_five_are_counted():
    asked = _ask(_row(60, 0, 90, 30, 115))
    assert asked.text == 'Which of the five do you mean, counting from the left?'
    assert asked.descriptions[0] == 'the third mug from the left'
    assert asked.descriptions[1] == 'the first mug from the left'
    assert asked.numbers == (3, 1, 4, 2, 5)


def test_what_stands_behind_is_told_by_depth_and_else_by_the_picture():
    corners = [(50, 70, 70, 90), (54, 10, 74, 30)]
    assert _ask(corners).text == 'Do you mean the upper one or the lower one?'
    # Depth alone says that the upper one is farther away, and not just higher up.
    depth = np.repeat(np.linspace(2, 1, SIZE[0], dtype=np.float32)[:, None], SIZE[1], axis=1)
    asked = _ask(corners, depth_m=depth)
    assert asked.text == 'Do you mean the back one or the front one?'
    assert asked.descriptions == ('the front mug', 'the back mug')
    assert asked.numbers == (2, 1)
    level = np.ones(SIZE, np.float32)
    assert 'tells them apart' in _ask(corners, depth_m=level).text


def test_what_is_mostly_above_is_not_called_left():
    asked = _ask([(40, 0, 50, 10), (52, 80, 62, 90)])
    assert asked.told == ({'height': 'upper'}, {'height': 'lower'})


def test_in_one_place_colours_tell_apart_unless_they_are_alike():
    corners = [(50, 40, 58, 60), (58, 40, 66, 60)]
    asked = _ask(corners, [RED, BLUE])
    assert asked.text == 'Do you mean the red one or the blue one?'
    assert asked.descriptions == ('the red mug', 'the blue mug')
    assert _ask(corners, [RED, RED]).told == ({}, {})
    assert _ask(corners, [RED, GREY]).told == ({}, {})  # grey has no name


def test_in_one_place_sizes_tell_apart_where_they_differ_plainly():
    asked = _ask([(50, 40, 70, 60), (50, 44, 60, 52)])
    assert sorted(words['size'] for words in asked.told) == ['larger', 'smaller']
    assert asked.descriptions == ('the largest mug', 'the smallest mug')
    assert _ask([(50, 40, 70, 60), (52, 41, 71, 59)]).told == ({}, {})


def test_where_nothing_differs_that_is_said():
    asked = _ask([(50, 40, 70, 60)] * 2)
    assert asked.text.startswith('2 regions fit equally, and neither place nor colour nor size')
    assert asked.descriptions == ('candidate 1', 'candidate 2')


def test_several_properties_are_joined_where_one_does_not_do():
    asked = _ask([(0, 0, 20, 20), (100, 0, 120, 20), (0, 70, 20, 90), (100, 70, 120, 90)])
    assert asked.text == ('Do you mean the upper left one, the lower left one, the upper right '
                          'one or the lower right one?')
    mixed = _ask([(10, 40, 18, 60), (18, 40, 26, 60), (90, 40, 98, 60)], [RED, BLUE, RED])
    assert mixed.descriptions == ('the left red mug', 'the left blue mug', 'the right mug')


@pytest.mark.parametrize('text, description', [
    ('take the red mug behind the box', 'the left red mug behind the box'),
    ('mug to the right of the plate', 'the left mug right of the plate'),
    ('the second mug', 'the left mug'), ('left', 'the left one')])
def test_descriptions_repeat_what_was_asked(text, description):
    assert _ask(_row(10, 90), text=text).descriptions[0] == description


def test_a_large_picture_is_asked_about_like_a_small_one():
    masks = np.zeros((2, 480, 640), bool)
    masks[0, 200:280, 50:150] = masks[1, 200:280, 450:550] = True
    asked = ask(masks, np.zeros((480, 640, 3), np.uint8), parse('the mug', root='rules'))
    assert asked.text == 'Do you mean the left one or the right one?'


def test_very_many_candidates_are_no_trouble():
    rng = np.random.default_rng(0)
    corners = [(x, y, x + 6, y + 6) for x, y in rng.integers(0, 90, (150, 2))]
    asked = _ask(corners)
    assert asked.text.startswith('150 regions fit equally') and len(asked.descriptions) == 150
