import numpy as np
import pytest

from refdiff_ros.language.expression import parse
from refdiff_ros.matching.anchors import best_match, find_anchors, placing_relations


@pytest.mark.parametrize('text, relations', [
    ('the mug on the plate', (('on', 'the plate'),)), ('the mug on the wooden table', ()),
    ('the mug in the room', ()), ('the mug next to the table', (('next to', 'the table'),)),
    ('the mug', ()),
])
def test_what_everything_is_on_tells_nothing_apart(text, relations):
    assert placing_relations(parse(text, root='rules')) == relations


def test_each_noun_phrase_is_matched_without_its_place_and_keeps_it():
    asked = []

    def match(alone):
        asked.append(alone.text)
        return np.zeros(2)

    found, notes = find_anchors(
        parse('the pen on the largest book next to the left cup', root='rules'), None, match)
    assert asked == ['the book', 'the cup'] and notes == ()
    assert [one.relation for one in found] == ['on', 'next to']
    book, cup = (one.anchors[0].expression for one in found)
    assert (book.superlatives, cup.root_directions) == (('largest',), ('left',))


def test_between_has_two_anchors_or_one_of_several():
    for text, asked in (('the pen between the book and the red cup', ['the book', 'the red cup']),
                        ('the pen between two books', ['two books'])):
        found, _ = find_anchors(parse(text, root='rules'), None, lambda alone: np.zeros(2))
        assert [anchor.expression.text for anchor in found[0].anchors] == asked


def test_a_relation_without_a_noun_is_left_out_with_a_note():
    found, notes = find_anchors(
        parse('the pen behind the second largest', root='rules'), None, lambda alone: np.zeros(2))
    assert found == () and "'behind' did not count" in notes[0]


def test_the_anchor_that_is_found_worst_counts_with_its_best_proposal():
    matches = {'the book': np.array([0.2, np.nan, 0.5]), 'the red cup': np.array([0.4, 0.1, 0.3])}
    found, _ = find_anchors(parse('the pen between the book and the red cup', root='rules'), None,
                            lambda alone: matches[alone.text])
    assert best_match(found) == pytest.approx(0.4)
    assert best_match(()) is None
    nowhere, _ = find_anchors(parse('the pen behind the cup', root='rules'), None,
                              lambda alone: np.full(2, np.nan))
    assert best_match(nowhere) is None
