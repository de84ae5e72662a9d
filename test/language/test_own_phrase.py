"""What an expression says of its object's looks, by rules and by the shipped parser."""

import pytest

from refdiff_ros.language.expression import load_parser, parse, root_alone

CASES = [
    ('the mug on the left', 'the mug'), ('the leftmost red mug', 'the red mug'),
    ('the bottom mug', 'the mug'), ('the mug in the middle', 'the mug'),
    ('the second can from the right', 'the can'), ('the largest blue plate', 'the blue plate'),
    ('the ball on the plate', 'the ball'), ('the mug next to the blue box', 'the mug'),
    ('the bottle in front of the green bowl', 'the bottle'),
    ('pick up the red mug behind the can', 'the red mug'),
    ('the red mug left of the blue box', 'the red mug'),
    ('the second mug from the left', 'the mug'), ('the red mug', 'the red mug'),
    ('a small kettle with a black lid', 'a small kettle with a black lid'),
    ('the lamp that is behind the sofa', 'the lamp'), ('woman in red', 'woman in red'),
    ('the spoon on the far right', 'the spoon'), ('the vase at the back', 'the vase'),
    ('the vase in front', 'the vase'), ('the front right tile', 'the tile'),
    ('the last jar on the right', 'the jar'), ('the tallest green vase', 'the green vase'),
    ('the stool closest to the camera', 'the stool'), ('the nearest chair', 'the chair'),
    ('the stool closest to the door', 'the stool'), ('the stool nearest the door', 'the stool'),
    ('left spoon', 'spoon'), ('spoon left', 'spoon'), ('spoon, bottom right', 'spoon'),
    ('the fork in the top right corner of the picture', 'the fork'),
    ('the tile in the middle of the table', 'the tile'), ('the vase in the back row', 'the vase'),
    ('hand me the third brown egg from the left please', 'the brown egg'),
    ('the 2nd widest shelf', 'the shelf'), ('the shiniest spoon', 'the shiniest spoon'),
    ('the most expensive lamp on the left', 'the most expensive lamp'),
    ('the stool right next to the lamp', 'the stool'), ('the cat lying on the rug', 'the cat'),
    ('the pen to the left of the left cup', 'the pen'), ('the pen between two cups', 'the pen'),
    ('the yellow one on the left hand side', 'the yellow one'), ('yellow', 'yellow'),
    ('on the left the yellow kite', 'the yellow kite'), ('slice of cake on the left',
                                                         'slice of cake'),
    ('bottom left', ''), ('third from the left', ''), ('biggest', ''),
]


@pytest.mark.parametrize('text, phrase', CASES)
def test_looks_without_places(text, phrase):
    for nlp in (None, load_parser()):
        for root in ('rules', 'dependency', 'subject'):
            assert parse(text, nlp, root).phrase == phrase, (nlp, root)


@pytest.mark.parametrize('text, phrase, root', [
    ('the second red mug from the left', 'the red mug', 'mug'), ('left spoon', 'spoon', 'spoon'),
    ('the mug in front of the mug', 'the mug', 'mug'),
])
def test_the_phrase_stands_as_an_expression_of_its_own(text, phrase, root):
    alone = root_alone(parse(text, root='rules'))
    assert (alone.text, alone.root, alone.phrase) == (phrase, root, phrase)
    assert alone.directions == alone.relations == alone.ordinals == ()


def test_without_a_phrase_nothing_stands_alone():
    assert root_alone(parse('bottom left', root='rules')) is None


@pytest.mark.parametrize('text, other, phrase, directions', [
    ('the pen next to the left blue cup', 'the left blue cup', 'the blue cup', ('left',)),
    ('the pen on the largest book', 'the largest book', 'the book', ()),
    ('take the pen behind the cup on the left', 'the cup', 'the cup', ()),
])
def test_the_other_noun_phrase_of_a_relation_is_an_expression(text, other, phrase, directions):
    relation, = parse(text, load_parser(), 'rules').relations
    assert relation.other == other
    parsed = parse(relation.other, load_parser(), 'rules')
    assert (parsed.phrase, parsed.root_directions) == (phrase, directions)
