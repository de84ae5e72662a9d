"""The door: what passes as one referring expression, and what is refused with a sentence."""

from contextlib import suppress
from itertools import product
import json
from pathlib import Path

import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.instruction.door import (
    NotOneExpressionError,
    one_expression,
    parse_one,
    PICKS,
)
from refdiff_ros.language.instruction.results import Action, DialogueAct

DATA = Path(__file__).parents[2] / 'data'
NOUNS = ('the red mug', 'the banana', 'the blue box next to the can',
         'the second can from the left', 'the mug on the plate')
FORBIDDING = (
    'not {}', 'anything but {}', "don't touch {}", 'do not pick up {}', 'never move {}',
    'please do not take {}', 'leave {} alone', 'everything except {}', 'hands off {}',
    'ignore {}', 'stay away from {}', "I don't want {}", 'avoid {}', 'you must not lift {}',
    'no, not {}', 'any object other than {}', 'stop touching {}', 'without touching {}',
    'can you not grab {}', 'forget about {}', 'nobody should touch {}', '{} must not be moved',
    'pick up anything but {}', 'whatever you do, do not grab {}', "don't you dare touch {}",
    'it is not {}', 'rather than {}', 'make sure you do not move {}', 'keep your hands off {}',
    '{} stays there', "let's not take {}", 'I said not {}', 'dont grab {}', 'DO NOT TOUCH {}!',
    'be careful not to touch {}', 'under no circumstances touch {}', 'that is not {}',
    'take anything except {}', "you shouldn't touch {}", 'skip {}')


def refused(text, **options):
    with pytest.raises(NotOneExpressionError) as caught:
        one_expression(text, **options)
    return caught.value


@pytest.mark.parametrize('form, noun', list(product(FORBIDDING, NOUNS)))
def test_what_is_forbidden_is_never_grounded(form, noun):
    """200 texts; what passes, if anything does, is another object."""
    try:
        passed = one_expression(form.format(noun))
    except BadRequestError:
        return
    pytest.fail(f'{form.format(noun)!r} grounds {passed.text!r}')


@pytest.mark.parametrize('text, sentence', [
    ('put the mug on the plate', 'where something goes'), ('put the mug down', 'where something'),
    ('the mug and the plate', 'more than one object'), ('both mugs', 'more than one object'),
    ('pick up all the cubes', 'more than one object'), ('what colour is the mug', 'in words'),
    ('stop', 'is to stop'), ('Stop! Take the mug.', 'stop word'), ('yes', 'with yes'),
    ('2', 'with a number'), ('on the tray', 'where something goes'), ('thank you', 'name one'),
    ('take the mug and then the box', 'more than one object'), ('pick it up', 'name it'),
    ('take the mug, not the box', 'left alone'), ('take the mug if it is clean', 'condition'),
    ('wipe the table with the sponge', "'the sponge'"), ('lift the cube 10 cm', 'how far'),
    ('take the mug, then open the box', '2 things'), ('pick up the', 'does not say'),
    ('give the ball to the man', 'who gets it'), ('go to the chair', 'where something goes'),
])
def test_what_is_no_single_expression_is_refused_with_a_sentence(text, sentence):
    error = refused(text)
    assert sentence in str(error) and error.instruction.text == text


@pytest.mark.parametrize('text, passed', [
    ('the mug left of the box', 'the mug left of the box'), ('left one', 'left one'),
    ('the second can from the left', 'the second can from the left'), ('right', 'right'),
    ('the banana on the plate', 'the banana on the plate'), ('THE RED MUG', 'THE RED MUG'),
    ('guy in the white shirt holding a bat', 'guy in the white shirt holding a bat'),
    ('the vase that has purple flowers in it', 'the vase that has purple flowers in it'),
    ('a man wearing glasses and a tie', 'a man wearing glasses and a tie'),
    ('bananas on the left', 'bananas on the left'), ('pick up the red mug', 'the red mug'),
    ('could you hand me the small box', 'the small box'), ('where is the can', 'the can'),
    ('pick up the rde mgu', 'the red mug'), ('the bananna 🍌', 'the banana'),
    ('the bow next to the rug', 'the bow next to the rug'),
])
def test_one_expression_passes(text, passed):
    assert one_expression(text).text == passed


def test_what_was_mended_is_in_the_notes_of_the_parsed_expression():
    parsed = parse_one('the rde mug', None, 'rules')
    assert (parsed.text, parsed.root) == ('the red mug', 'mug')
    assert "'rde' was read as 'red'" in parsed.notes


def test_a_caller_that_only_picks_refuses_other_orders():
    assert one_expression('grab the mug', actions=PICKS).text == 'the mug'
    assert 'asks to open' in str(refused('open the drawer', actions=PICKS))
    assert refused('hand me the mug', actions=PICKS).instruction.action is Action.HAND


def test_the_error_carries_what_a_follower_can_follow():
    instruction = refused('put the red can on the plate, then hand me the mug').instruction
    assert [step.action for step in instruction.steps] == [Action.PLACE, Action.HAND]
    assert instruction.act is DialogueAct.ORDER


def test_nearly_all_expressions_of_the_list_pass():
    rows = [json.loads(line) for line in
            (DATA / 'referring_expressions.jsonl').read_text(encoding='utf-8').splitlines()]
    named = [row['text'] for row in rows if row['style'] != 'robot']
    passed = 0
    for text in named:
        with suppress(NotOneExpressionError):
            passed += bool(one_expression(text).text)
    # Measured: all but 9, which name two objects, a number, or 'not the laptop'.
    assert passed >= len(named) - 9


@pytest.mark.parametrize('text', ['', '?!', 'x' * 1001])
def test_what_has_no_words_is_a_bad_request(text):
    with pytest.raises(BadRequestError):
        one_expression(text)
