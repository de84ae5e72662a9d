"""Places, ranks, sizes and relations on tiny masks with hand-made scores."""

from dataclasses import replace

import numpy as np
import pytest

from refdiff_ros.config import SpatialConfig
from refdiff_ros.language.expression import parse
from refdiff_ros.matching.anchors import Anchor, placing_relations, RelationAnchors
from refdiff_ros.matching.spatial import adjust, Layout, Matches, nth, place_fit, says_where

GEOMETRY = SpatialConfig(kind='geometry')
# Four objects of 6x6 pixels and one of 3x3 on a picture of 48x64: (row, column) of a corner.
CORNERS = {'a': (10, 4), 'b': (30, 22), 'c': (20, 36), 'd': (14, 52), 'small': (40, 44)}
NAMES = list(CORNERS)


def squares(corners=CORNERS):
    masks = np.zeros((len(corners), 48, 64), bool)
    for name, mask in zip(corners, masks, strict=True):
        row, column = corners[name]
        side = 3 if name == 'small' else 6
        mask[row:row + side, column:column + side] = True
    return masks


# a, b and c are mugs, d is surely none; the small one is a mug.
MUGS = np.array([0.30, 0.29, 0.31, 0.10, 0.28])


def winner(text, match=MUGS, masks=None, relations=(), config=GEOMETRY, depth_m=None, names=NAMES):
    masks = squares() if masks is None else masks
    found = adjust(Matches(match, match), Layout(masks, depth_m=depth_m),
                   parse(text, root='rules'),
                   relations, config)
    assert (found.change <= 1e-6).all()
    return names[int(np.argmax(match + found.change))]


def anchor(text, **scores):
    """The anchor `text`, with the scores of some objects; the others' are low."""
    match = np.array([scores.get(name, 0.1) for name in NAMES])
    return Anchor(parse(text, root='rules'), match)


def test_nth_by_hand():
    key, everybody = np.array([30.0, 10.0, 20.0]), np.ones(3)
    np.testing.assert_allclose(nth(key, everybody), [1, 0, 0], atol=1e-3)
    np.testing.assert_allclose(nth(key, everybody, 2), [0, 0, 1], atol=1e-3)
    np.testing.assert_allclose(nth(key, everybody, 4), [0, 0, 0], atol=1e-3)
    # The first counts half: the next one is first with a probability of 1/2.
    np.testing.assert_allclose(nth(key, np.array([0.5, 1, 1])), [1, 0, 0.5], atol=1e-3)
    np.testing.assert_allclose(nth(np.zeros(2), np.ones(2)), [0.5, 0.5])


@pytest.mark.parametrize('text, name', [
    ('the mug on the left', 'a'), ('the leftmost mug', 'a'), ('the rightmost mug', 'small'),
    ('the top mug', 'a'), ('the bottom mug', 'small'), ('the mug in front', 'small'),
    ('the mug at the back', 'a'), ('the front left mug', 'b'), ('the top right mug', 'c'),
    ('the nearest mug', 'small'),
])
def test_directions_choose_among_what_fits_the_description(text, name):
    assert winner(text) == name


def test_the_middle_one_of_a_row():
    three = np.array([0.30, 0.29, 0.31, 0.10, 0.10])
    assert winner('the mug in the middle', three) == 'b'
    assert winner('the middle mug', np.array([0.30, 0.1, 0.31, 0.29, 0.1])) == 'c'


def test_the_middle_of_two_is_what_is_nearest_the_centre():
    assert winner('the mug in the middle', np.array([0.30, 0.1, 0.29, 0.1, 0.1])) == 'c'


@pytest.mark.parametrize('text, name', [
    ('the first mug from the left', 'a'), ('the second mug from the left', 'b'),
    ('the third mug from the left', 'c'), ('the second mug from the right', 'c'),
    ('the 3rd mug from the right', 'b'), ('the second mug', 'b'), ('the last mug', 'small'),
    ('the last mug on the left', 'a'), ('the second lowest mug', 'b'),
])
def test_ordinals_count_what_fits_the_description(text, name):
    assert winner(text) == name


@pytest.mark.parametrize('text, name', [
    ('the smallest mug', 'small'), ('the shortest mug', 'small'), ('the narrowest mug', 'small'),
    ('the littlest mug', 'small'),
])
def test_the_least_of_a_size(text, name):
    assert winner(text) == name


@pytest.mark.parametrize('text, name', [
    ('the largest mug', 'big'), ('the biggest mug', 'big'), ('the tallest mug', 'tall'),
    ('the widest mug', 'wide'), ('the longest mug', 'wide'), ('the second largest mug', 'wide'),
])
def test_the_most_of_a_size(text, name):
    masks = np.zeros((4, 48, 64), bool)
    masks[3, 30:, :28] = True  # no mug
    masks[0, 2:12, 2:12] = True
    masks[1, 20:34, 4:7] = True
    masks[2, 40:44, 30:48] = True
    match = np.array([0.30, 0.30, 0.31, 0.1])
    assert winner(text, match, masks, names=['big', 'tall', 'wide', 'none']) == name


def test_depth_tells_true_sizes_and_what_is_nearer():
    depth_m = np.full((48, 64), 1.0, np.float32)
    depth_m[:, 30:] = 3.0
    depth_m[40:] = 0.0  # no reading under the small one
    without = np.array([0.30, 0.29, 0.31, 0.10, 0.10])
    assert winner('the largest mug', without, depth_m=depth_m[:, ::-1].copy()) in 'ab'
    masks = squares({'a': (10, 4), 'c': (20, 36), 'b': (30, 22), 'd': (14, 52)})
    match = np.array([0.30, 0.31, 0.29, 0.1])
    names = ['a', 'c', 'b', 'd']
    assert winner('the largest mug', match, masks, depth_m=depth_m, names=names) == 'c'
    assert winner('the mug at the back', match, masks, depth_m=depth_m, names=names) == 'c'
    assert winner('the mug at the back', match, masks, names=names) == 'a'


@pytest.mark.parametrize('text, other, name', [
    ('the mug left of the box', {'b': 0.3}, 'a'),
    ('the mug right of the box', {'c': 0.3}, 'small'),
    ('the mug next to the box', {'d': 0.3}, 'c'), ('the mug behind the box', {'small': 0.3}, 'c'),
    ('the mug in front of the box', {'c': 0.3}, 'small'),
    ('the mug above the box', {'small': 0.3}, 'c'), ('the mug under the box', {'c': 0.3}, 'small'),
])
def test_relations_choose_by_the_anchor_that_fits_best(text, other, name):
    (relation, phrase), = placing_relations(parse(text, root='rules'))
    box = RelationAnchors(relation, (anchor(phrase, **other),))
    assert winner(text, relations=[box]) == name


def test_an_anchor_has_directions_of_its_own():
    text = 'the mug right of the right box'
    box = anchor('the right box', a=0.31, b=0.30)
    assert winner(text, relations=[RelationAnchors('right of', (box,))]) in ('c', 'small')
    # Left of the left box there is none but what is left of the right one.
    box = anchor('the right box', b=0.31, d=0.30)
    assert winner('the mug next to the right box',
                  relations=[RelationAnchors('next to', (box,))]) == 'c'


def test_between_two_phrases_and_between_two_of_a_kind():
    mugs = np.array([0.29, 0.30, 0.1, 0.1, 0.31])
    ends = (anchor('the box', a=0.3), anchor('the can', c=0.3))
    assert winner('the mug between the box and the can', mugs,
                  relations=[RelationAnchors('between', ends)]) == 'b'
    boxes = RelationAnchors('between', (anchor('the boxes', a=0.3, c=0.3),))
    assert winner('the mug between the boxes', mugs, relations=[boxes]) == 'b'


def scene_of_plates(hole):
    """A ball on a plate, a ball beside it and a ball just behind; the plate with a hole or not."""
    masks = np.zeros((4, 48, 64), bool)
    masks[0, 24:36, 10:40] = True  # the plate
    masks[1, 24:30, 20:26] = True  # on it
    masks[2, 28:34, 48:54] = True  # beside
    masks[3, 16:22, 30:36] = True  # behind
    if hole:
        masks[0] &= ~masks[1]
    return masks


@pytest.mark.parametrize('hole', [True, False])
@pytest.mark.parametrize('text, name', [
    ('the ball on the plate', 'on'), ('the ball in the plate', 'on'),
    ('the ball behind the plate', 'behind')])
def test_on_a_plate_whose_mask_may_leave_out_what_lies_on_it(hole, text, name):
    names = ['plate', 'on', 'beside', 'behind']
    balls, plates = np.array([0.1, 0.29, 0.31, 0.30]), np.array([0.3, 0.1, 0.1, 0.1])
    relation, = parse(text, root='rules').relations
    plate = Anchor(parse('the plate', root='rules'), plates)
    assert winner(text, balls, scene_of_plates(hole),
                  [RelationAnchors(relation.relation, (plate,))], names=names) == name


def test_the_plate_under_the_ball():
    masks = np.concatenate([scene_of_plates(True), scene_of_plates(True)[:1]])
    masks[4] = False
    masks[4, 38:46, 44:62] = True  # another plate
    plates, balls = np.array([0.30, 0.1, 0.1, 0.1, 0.31]), np.array([0.1, 0.3, 0.1, 0.1, 0.1])
    ball = RelationAnchors('under', (Anchor(parse('the ball', root='rules'), balls),))
    assert winner('the plate under the ball', plates, masks, [ball],
                  names=['plate', 'on', 'beside', 'behind', 'other']) == 'plate'


def test_on_the_table_tells_nothing_apart():
    assert not says_where(parse('the mug on the table', root='rules'), GEOMETRY)


def test_an_object_of_another_kind_does_not_win_by_its_place():
    # d is far right, and no mug.
    assert winner('the mug on the right', np.array([0.30, 0.29, 0.31, 0.10, 0.05])) == 'c'


def test_parts_of_an_object_are_no_candidates():
    masks = np.concatenate([squares(), squares()[:1]])
    masks[5, :, 7:] = False  # the left half of a
    match = np.append(MUGS, 0.295)
    names = [*NAMES, 'part']
    assert winner('the second mug from the left', match, masks, names=names) == 'b'
    assert winner('the leftmost mug', match, masks, names=names) == 'a'
    found = adjust(Matches(match, match), Layout(masks),
                   parse('the leftmost mug', root='rules'), (), GEOMETRY)
    assert found.change[5] == found.change[0]


def test_filtered_proposals_neither_count_nor_win():
    match = MUGS.copy()
    match[0] = np.nan
    found = adjust(Matches(match, match), Layout(squares()),
                   parse('the leftmost mug', root='rules'), (), GEOMETRY)
    assert np.isnan(found.change[0])
    assert NAMES[int(np.nanargmax(match + found.change))] == 'b'


def test_each_part_can_be_switched_off():
    for text, part in (('the leftmost mug', 'direction'), ('the second mug', 'ordinal'),
                       ('the smallest mug', 'superlative'), ('the mug on the box', 'relation')):
        expression = parse(text, root='rules')
        others = tuple(p for p in GEOMETRY.parts if p != part)
        assert says_where(expression, replace(GEOMETRY, parts=(part,)))
        assert not says_where(expression, replace(GEOMETRY, parts=others))
    assert not says_where(parse('the leftmost mug', root='rules'), SpatialConfig())
    assert not says_where(parse('the red mug', root='rules'), GEOMETRY)


def test_weight_temperature_and_floor_bound_the_change():
    expression = parse('the leftmost mug', root='rules')
    change = {}
    for name, config in {
            'plain': GEOMETRY, 'half': replace(GEOMETRY, weight=0.5),
            'unit': replace(GEOMETRY, temperature_of='score', temperature=2.0)}.items():
        change[name] = adjust(
            Matches(MUGS, MUGS), Layout(squares()), expression, (), config).change
    np.testing.assert_allclose(change['half'], change['plain'] / 2, rtol=1e-5)
    assert change['plain'].min() == pytest.approx(0.5 * MUGS.std() * np.log(0.02), rel=1e-3)
    assert change['unit'].min() == pytest.approx(2 * np.log(0.02), rel=1e-3)


def test_where_all_is_alike_the_least_spread_says_how_far_kinds_are_apart():
    """All five are mugs, and differ by less than two views of one mug do."""
    alike = np.array([0.474, 0.460, 0.466, 0.467, 0.450])
    masks = squares()

    def change(config):
        return adjust(Matches(alike, alike), Layout(masks), parse('the third mug from the left',
                                                         root='rules'), (), config).change
    unbound, bound = change(GEOMETRY), change(replace(GEOMETRY, least_spread=0.1))
    # Without it the spread is some 0.01, and what is 0.02 behind is hardly a mug.
    assert unbound.min() > -0.04 and NAMES[int(np.argmax(alike + unbound))] == 'd'
    assert NAMES[int(np.argmax(alike + bound))] == 'c'
    assert bound[NAMES.index('c')] > -0.01 and np.delete(bound, NAMES.index('c')).max() < -0.15


def test_equal_scores_leave_the_choice_to_places():
    assert winner('the second mug from the left', np.full(5, 0.2)) == 'b'


def test_notes_say_what_decided():
    expression = parse('the leftmost mug', root='rules')
    found = adjust(Matches(MUGS, MUGS), Layout(squares()), expression, (), GEOMETRY)
    assert found.notes == ('places were compared (left) and decided: proposal 0 instead of 2',)
    kept = adjust(Matches(MUGS[::-1], MUGS[::-1]), Layout(squares()[::-1]),
                  parse('the second mug from the right', root='rules'), (), GEOMETRY)
    assert 'best match kept its place' in kept.notes[0] and 'number 2 by right' in kept.notes[0]


def test_what_is_hardly_described_hardly_counts():
    # By their scores all are mugs; a calibration knows better of a and c.
    alike = np.full(5, 0.2)
    described = np.array([0.05, 0.9, 0.1, 0.8, np.nan])
    alike[4] = np.nan
    found = adjust(Matches(alike, alike, described), Layout(squares()),
                   parse('the second mug from the left', root='rules'), (), GEOMETRY)
    probability = described * place_fit(found.change, alike, GEOMETRY)
    assert NAMES[int(np.nanargmax(probability))] == 'd' and np.isnan(probability[4])
    assert probability[3] == pytest.approx(0.8 * (0.9 * 0.9 * 0.95 + 0.1 * (
        0.95 * 0.1 + 0.05 * 0.9)), rel=0.02)  # b before it, and not a and c; or one of these alone
    assert found.notes == (
        'places were compared (number 2 by left) and decided: proposal 3 instead of 1',)


def test_one_region_leaves_nothing_to_compare():
    found = adjust(Matches(MUGS[:1], MUGS[:1]), Layout(squares()[:1]),
                   parse('left mug', root='rules'), (), GEOMETRY)
    assert found.change is None and 'fewer than two separate regions' in found.notes[0]
