"""One test a rule; none of these expressions stands in test/data/referring_expressions.jsonl."""

import pytest
import spacy

from refdiff_ros.language.expression import parse
from refdiff_ros.language.object_phrase import object_phrase
from refdiff_ros.language.root_rules import (
    compound_ends_with_its_noun,
    conjuncts,
    direction_gives_the_noun_it_modifies,
    ing_gives_the_noun_before,
    part_gives_the_whole,
    root_is_in_the_first_phrase,
    verb_gives_its_noun,
)
from refdiff_ros.language.tokens import spell_out, Token
from refdiff_ros.language.words import split_words, Word
from refdiff_ros.presets import get_preset


def tokens(*rows):
    """Tokens from (text, pos, dep, head row)."""
    return [Token(Word(text, 10 * at, 10 * at + len(text)), pos, dep, head)
            for at, (text, pos, dep, head) in enumerate(rows)]


def phrase(text):
    return ' '.join(word.text for word in object_phrase(split_words(text), text))


@pytest.mark.parametrize('text, expected', [
    ('fetch the broom', 'the broom'), ('please grab that old boot', 'that old boot'),
    ('could you give me the tongs, please', 'the tongs'), ('hand me a fork', 'a fork'),
    ('hand over the ladle', 'the ladle'), ('point to the oldest tree', 'the oldest tree'),
    ('pick up the pear and drop it', 'the pear'), ('go over to the piano', 'the piano'),
    ('hey robot, lift the crate', 'the crate'), ('pick and stack the tiles', 'the tiles'),
    ('would you mind passing me the jam', 'the jam'), ('this is a photo of my goat', 'my goat'),
    ('find the comb for me', 'the comb'),
])
def test_commands_are_stripped(text, expected):
    assert phrase(text) == expected


@pytest.mark.parametrize('text', [
    'hand lotion', 'hand of the clock', 'open window', 'point of the knife', 'can of paint',
    'can near the jar', 'place mat', 'stop light', 'robot arm', 'cutting machine', 'pick',
    'lift by the stairs', 'close friend', 'hand',
])
def test_nouns_that_are_verbs_too_stay(text):
    assert phrase(text) == text


@pytest.mark.parametrize('text, expected', [
    ('put the pear in the basket', 'the pear'), ('move the stool to the left', 'the stool'),
    ('take the cork out of the flask', 'the cork'), ('give the rope to me', 'the rope'),
    ('put the fork on the tray into the sink', 'the fork on the tray'),
    ('lift the pan by its handle', 'the pan'),
    ('pick up the pear in the basket', 'the pear in the basket'),
])
def test_where_an_object_goes_does_not_describe_it(text, expected):
    assert phrase(text) == expected


def test_a_relation_is_read_from_what_describes_the_object_alone():
    assert parse('put the pear in the basket', root='rules').relations == ()
    assert [r.other for r in parse('pick up the pear in the basket', root='rules').relations] == [
        'the basket']


def test_a_verb_gives_its_subject():
    row = verb_gives_its_noun(tokens(
        ('goat', 'NOUN', 'nsubj', 2), ('is', 'AUX', 'aux', 2), ('grazing', 'VERB', 'ROOT', 2)), 2)
    assert row == 0


def test_a_verb_without_a_subject_gives_the_noun_before_and_else_its_object():
    assert verb_gives_its_noun(tokens(
        ('goat', 'NOUN', 'dep', 1), ('seated', 'VERB', 'ROOT', 1)), 1) == 0
    assert verb_gives_its_noun(tokens(
        ('paint', 'VERB', 'ROOT', 0), ('the', 'DET', 'det', 2), ('door', 'NOUN', 'obj', 0)),
        0) == 2


def test_a_word_in_ing_gives_the_noun_before():
    row = ing_gives_the_noun_before(tokens(
        ('goat', 'NOUN', 'compound', 1), ('grazing', 'NOUN', 'ROOT', 1)), 1)
    assert row == 0
    ring = tokens(('gold', 'NOUN', 'compound', 1), ('ring', 'NOUN', 'ROOT', 1))
    assert ing_gives_the_noun_before(ring, 1) == 1


def test_a_root_beyond_the_first_phrase_gives_that_phrases_noun():
    row = root_is_in_the_first_phrase(tokens(
        ('comb', 'NOUN', 'dep', 2), ('near', 'ADP', 'case', 2), ('soap', 'NOUN', 'ROOT', 2)), 2)
    assert row == 0


def test_a_compound_ends_with_its_noun():
    row = compound_ends_with_its_noun(tokens(
        ('piano', 'NOUN', 'ROOT', 0), ('stool', 'NOUN', 'dep', 0), ('left', 'ADJ', 'dep', 0)), 0)
    assert row == 1


def test_a_direction_gives_the_noun_it_modifies():
    row = direction_gives_the_noun_it_modifies(tokens(
        ('goat', 'NOUN', 'dep', 1), ('left', 'NOUN', 'ROOT', 1)), 1)
    assert row == 0
    bare = tokens(('top', 'ADJ', 'amod', 1), ('left', 'NOUN', 'ROOT', 1))
    assert direction_gives_the_noun_it_modifies(bare, 1) == 1


@pytest.mark.parametrize('text, expected', [
    ('piece of cheese', 'cheese'), ('a pair of old boots', 'boots'), ('one of the goats', 'goats'),
    ('herd of wild goats near the barn', 'goats'), ('jar of olives', 'jar'),
    ('cup of tea', 'cup'), ('slice', 'slice'),
])
def test_a_part_gives_the_whole(text, expected):
    found = tokens(*((word.text, '', '', None) for word in split_words(text)))
    first = next(row for row, token in enumerate(found) if token.lower not in ('a', 'the'))
    assert found[part_gives_the_whole(found, first)].word.text == expected
    assert parse(text, root='rules').root == expected


@pytest.mark.parametrize('text, expected', [
    ('the goat and the barn', ('goat', 'barn')),
    ('comb, soap and brush', ('comb', 'soap', 'brush')),
    ('red and blue kite', ()), ('goat, brown ears', ()), ('goat near the barn and the tree', ()),
])
def test_coordination_gives_all_conjuncts(text, expected):
    assert parse(text, root='rules').conjuncts == expected


def test_conjuncts_start_at_the_root():
    found = tokens(
        ('goat', 'NOUN', 'ROOT', 0), ('and', 'CCONJ', 'cc', 2), ('hen', 'NOUN', 'conj', 0))
    assert conjuncts(found, 0) == ('goat', 'hen')


def test_with_and_without_are_spelled_out_where_they_stand():
    text = 'goat w/ horns w/o bell'
    assert [(w.text, w.start, w.end) for w in spell_out(split_words(text), text)][1:4:2] == [
        ('with', 5, 6), ('without', 14, 17)]
    assert parse('goat w/ bell', root='rules').root == 'goat'


@pytest.mark.parametrize('text', [
    'upper left', 'purple', 'third from the left', 'longest', '#4', 'nearest to the camera'])
def test_no_object_noun_is_said(text):
    expression = parse(text, root='rules')
    assert not expression.has_noun and 'no object noun' in expression.notes[-1]


@pytest.mark.parametrize('text, ordinals, superlatives', [
    ('second goat from the left', (2,), ()), ('4th hen', (4,), ()), ('the last barn', (-1,), ()),
    ('the oldest goat', (), ('oldest',)), ('most expensive piano', (), ('most expensive',)),
    ('the chest in the forest', (), ()), ('the hen near the second largest barn', (), ()),
    ('the goat closest to the first barn', (), ()), ('the smallest goat on the last hill', (),
                                                     ('smallest',)),
])
def test_ordinals_and_superlatives(text, ordinals, superlatives):
    expression = parse(text, root='rules')
    assert (expression.ordinals, expression.superlatives) == (ordinals, superlatives)


@pytest.mark.parametrize('text, relations', [
    ('goat led by a farmer', []), ('goat parked by the barn', [('next to', 'the barn')]),
    ('goat closest to us', []), ('goat closest to the barn', [('next to', 'the barn')]),
    ('go to the goat behind the barn', [('behind', 'the barn')]),
    ('the goat nearest the barn', [('next to', 'the barn')]), ('the nearest goat', []),
    ('goat in the front row', []),
    ('stop in front of the barn', []),
])
def test_relations_leave_out_agents_viewers_and_goals(text, relations):
    found = parse(text, root='rules').relations
    assert [(r.relation, r.other) for r in found] == relations


def test_the_orange_is_a_fruit_where_it_describes_nothing():
    assert parse('the orange near the jar', root='rules').root == 'orange'
    assert parse('the orange jar', root='rules').root == 'jar'


def test_a_direction_word_is_not_the_goals():
    expression = parse('move the left stool to the right', root='rules')
    assert [(d.direction, d.modifies) for d in expression.directions] == [('left', 'stool')]


def test_the_span_is_that_of_the_text_whatever_the_parser_tokenises():
    nlp = spacy.blank('en')
    expression = parse("please hand me the farmer's  hat, left", nlp, root='rules')
    assert (expression.root, expression.root_span) == ('hat', (29, 32))
    assert expression.parser == 'spacy:en_pipeline+rules'


def test_the_other_readings_do_not_change():
    assert parse('pick up the fork').root == parse('pick up the fork', root='subject').root
    assert parse('pick up the fork').ordinals == ()


@pytest.mark.parametrize('preset, root', [
    ('paper', 'dependency'), ('released', 'subject'), ('onboard', 'rules')])
def test_each_preset_reads_the_root_its_way(preset, root):
    assert get_preset(preset).root == root
