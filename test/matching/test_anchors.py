import numpy as np
import pytest

from refdiff_ros.language.expression import parse
from refdiff_ros.matching.anchors import find_anchors, placing_relations


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
