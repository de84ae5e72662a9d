import pytest
import spacy
from spacy.language import Language

from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.expression import parse


@Language.component('last_word_is_root')
def _last_word_is_root(doc):
    """A real pipeline with a known tree: every word hangs on the last, the second is a subject."""
    last = len(doc) - 1
    for token in doc:
        token.head = doc[last]
        token.dep_ = 'ROOT' if token.i == last else 'nsubj' if token.i == 1 else 'dep'
        token.pos_ = 'VERB' if token.text == 'stands' else 'NOUN'
    return doc


@pytest.fixture(scope='module')
def nlp():
    pipeline = spacy.blank('en')
    pipeline.add_pipe('last_word_is_root')
    pipeline.meta['name'] = 'known_tree'
    return pipeline


@pytest.mark.parametrize('text, root', [
    ('mug', 'mug'), ('the red mug', 'mug'), ('the red mug on the left', 'mug'),
    ('left mug', 'mug'), ('mug left of the box', 'mug'), ('the mug behind the red box', 'mug'),
    ('mug right behind the bowl', 'mug'), ('person wearing a hat', 'person'),
    ('the building in front of the car', 'building'), ('MUG', 'MUG'), ('red one', 'one'),
    ('box between the mug and the bowl', 'box'), ("dog's bowl", 'bowl'),
    ('woman in red on the right side of the picture', 'woman'), ('🥤 cup!', 'cup'),
    ('the café table', 'table'), ('2nd plate from the left', 'plate'), ('three mugs', 'mugs'),
])
def test_rules_find_the_head_of_a_noun_phrase(text, root):
    expression = parse(text)
    assert expression.root == root and expression.has_noun
    assert text.strip()[slice(*expression.root_span)] == root
    assert expression.parser == 'rules' and 'no spaCy' in expression.notes[0]


@pytest.mark.parametrize('text, root', [
    ('blue', 'blue'), ('second from left', 'left'), ('bottom left', 'left'),
    ('biggest', 'biggest'),
])
def test_an_expression_without_a_noun_is_answered_with_a_note(text, root):
    expression = parse(text)
    assert expression.root == root and not expression.has_noun
    assert 'no object noun' in expression.notes[-1]


@pytest.mark.parametrize('text, directions', [
    ('the leftmost mug', ['left']), ('mug on the right', ['right']),
    ('upper left box', ['top', 'left']), ('lower box', ['bottom']),
    ('box in the center of the table', ['middle']), ('mug in front', ['front']),
    ('the rear plate', ['back']), ('mug on the left side of the picture', ['left']),
    ('bright mug', []), ('mug right next to the plate', []), ('mug to the left of the box', []),
    ('copyright sign', []), ('mug in front of the box', []), ('mug on top of the box', []),
])
def test_directions_are_read_word_by_word(text, directions):
    assert list(parse(text).root_directions) == directions


def test_a_direction_of_another_object_is_not_the_roots():
    expression = parse('cup next to the left plate')
    assert expression.root_directions == ()
    assert [(d.direction, d.modifies, d.of_root) for d in expression.directions] == [
        ('left', 'plate', False)]


@pytest.mark.parametrize('text, relations', [
    ('the mug behind the red box', [('behind', 'the red box')]),
    ('mug to the left of the plate', [('left of', 'the plate')]),
    ('mug left of the plate', [('left of', 'the plate')]),
    ('cup beside the bowl that is blue', [('next to', 'the bowl')]),
    ('cup on top of the box next to the can', [('on', 'the box'), ('next to', 'the can')]),
    ('box between the mug and the bowl', [('between', 'the mug and the bowl')]),
    ('mug in front of the left box', [('in front of', 'the left box')]),
    ('cup by the plate on the left', [('next to', 'the plate')]),
    ('woman in red', []), ('mug on the left', []), ('mug at the top right of the picture', []),
])
def test_relations_name_the_other_object(text, relations):
    assert [(r.relation, r.other) for r in parse(text).relations] == relations


def test_a_pipeline_gives_the_trees_root(nlp):
    expression = parse('red mug here', nlp)
    assert (expression.root, expression.root_span) == ('here', (8, 12))
    assert expression.parser == 'spacy:en_known_tree' and expression.notes == ()


def test_the_authors_reading_takes_the_first_subject_or_root_where_its_letters_first_stand(nlp):
    # The second word is 'mug', and its letters stand first inside 'smug'.
    expression = parse('smug mug stands', nlp, root='subject')
    assert (expression.root, expression.root_span) == ('mug', (1, 4))


def test_a_verb_root_is_no_object_noun(nlp):
    expression = parse('a mug stands', nlp)
    assert expression.root == 'stands' and not expression.has_noun


@pytest.mark.parametrize('text, match', [
    ('', 'got an empty one'), (' \t\n', 'got an empty one'), ('\x00\x07', 'got an empty one'),
    ('x' * 1001, 'at most 1000 characters, got more'), ('?!', 'in words'), ('🥤', 'in words'),
    (None, 'as str, got NoneType'),
])
def test_what_is_no_expression_says_why(text, match):
    with pytest.raises(BadRequestError, match=match):
        parse(text)


def test_control_characters_are_dropped_and_line_breaks_are_spaces():
    assert parse('red\x00 mug\non the left').text == 'red mug on the left'
