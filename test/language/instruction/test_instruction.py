"""The reader on whole sentences: both lists, and what must never be taken for an order."""

from pathlib import Path
import sys

import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.expression import load_parser, parse
from refdiff_ros.language.instruction.reader import read_instruction
from refdiff_ros.language.instruction.results import Action, NoObjectReason, Role

# Behind the built workspace, which the source folder must not shadow.
sys.path.append(str(Path(__file__).parents[3]))

from training.parser.instruction_report import (
    accuracy,
    DEVELOPMENT,
    differences,
    HELD_OUT,
    main,
    ORDERS,
    ORDERS_HELD_OUT,
    read_list,
)

ROLES = {role.value for role in Role}
ORDER_KINDS = {'pick', 'place', 'attachment', 'hand', 'other', 'go'}


@pytest.fixture(scope='module')
def nlp():
    return load_parser()


def roles(text, nlp=None):
    """The steps as (action, {role: expressions}), and what is forbidden."""
    found = read_instruction(text, nlp)
    steps = [(step.action.value, {role.value: [one.expression or one.said for one in step.of(role)]
                                  for role in Role if step.of(role)}) for step in found.steps]
    return steps, [one.expression or one.said for one in found.forbidden]


def test_the_lists_are_long_enough_and_share_no_sentence():
    rows, held_out = read_list(DEVELOPMENT), read_list(HELD_OUT)
    assert len(rows) >= 150 and len(held_out) >= 60
    texts = [row['text'] for row in (*rows, *held_out)]
    assert len(set(texts)) == len(texts)
    assert {row['kind'] for row in rows} == {row['kind'] for row in held_out}


@pytest.mark.parametrize('path, with_parser, floor', [
    (DEVELOPMENT, True, 98), (HELD_OUT, True, 93.5),  # measured: 100 and 95.7
    (DEVELOPMENT, False, 97), (HELD_OUT, False, 94),  # measured: 100 and 96.5
    (ORDERS, True, 96), (ORDERS_HELD_OUT, True, 92),  # measured: 98.8 and 98.2
    (ORDERS, False, 95), (ORDERS_HELD_OUT, False, 92),  # measured: 97.5 and 98.2
])
def test_as_many_sentences_are_read_right_as_measured(path, with_parser, floor, nlp):
    table = accuracy(read_list(path), nlp if with_parser else None)
    assert table['all']['right'] >= floor, table


@pytest.mark.parametrize('path', [DEVELOPMENT, HELD_OUT])
def test_no_sentence_that_only_forbids_gives_a_step(path, nlp):
    rows = [row for row in read_list(path) if row.get('no_object') == 'forbidden']
    assert len(rows) >= 4
    for row in rows:
        for parser in (nlp, None):
            found = read_instruction(row['text'], parser)
            assert not found.steps and found.forbidden, row['text']
            assert found.no_object.reason is NoObjectReason.FORBIDDEN


@pytest.mark.parametrize('before', [
    'do not {}', "don't {}", 'please never {}', 'you must not {}', 'do not ever {}',
    'could you please not {}', 'I do not want you to {}', 'be careful not to {}',
    'under no circumstances {}'])
def test_an_order_that_is_negated_is_none(before):
    for row in [*read_list(DEVELOPMENT), *read_list(HELD_OUT)]:
        if row['kind'] in ORDER_KINDS:
            found = read_instruction(before.format(row['text']))
            assert not found.steps and found.forbidden, found


def test_references_point_at_their_words_and_the_engine_can_read_them(nlp):
    for row in [*read_list(DEVELOPMENT)[::4], *read_list(HELD_OUT)[::2]]:
        found = read_instruction(row['text'])
        for reference in (*found.references, *found.forbidden):
            assert found.text[slice(*reference.span)] == reference.said
            if reference.expression:
                expression = parse(reference.expression, nlp, root='rules')
                assert expression.root.lower() not in ('a', 'the', 'on', 'up', 'it', 'and')


@pytest.mark.parametrize('expression, root', [
    ('the blue one', 'one'), ('a red', 'red'), ('the yellow', 'yellow'), ('the orange', 'orange'),
    ('the second one from the right', 'one')])
def test_a_colour_that_stands_for_its_object_has_a_root(expression, root, nlp):
    steps, _ = roles(f'pick up {expression}', nlp)
    assert steps == [('pick', {'pick': [expression]})]
    assert parse(expression, nlp, root='rules').root == root


def test_one_takes_the_noun_of_what_it_is_told_apart_from(nlp):
    found = read_instruction('put the red block on the blue one', nlp)
    place = found.steps[0].of(Role.PLACE)[0]
    assert (place.expression, place.said) == ('the blue block', 'the blue one')
    # A mug is not told apart from what is only blue.
    assert roles('put the mug on the blue one', nlp)[0][0][1]['place'] == ['the blue one']


def test_a_pronoun_has_its_antecedent_or_needs_the_last_answer(nlp):
    found = read_instruction('grab the mug and put it on the plate', nlp)
    it = found.references[1]
    assert (it.said, it.expression, it.pronoun, it.antecedent) == ('it', 'the mug', True, 0)
    assert not it.needs_last_answer
    alone = read_instruction('pick it up', nlp).references[0]
    assert (alone.expression, alone.needs_last_answer) == ('', True)
    # What is pointed at is never what was said.
    assert read_instruction('take the mug and move that away', nlp).references[1].needs_last_answer


@pytest.mark.parametrize('text, expected', [
    ('put the mug in the box and close it', ['the box']),
    ('go to the table and wipe it', ['the table']),
    ('take the fork and the knife and wash them', ['the fork', 'the knife']),
    ('pick up the cup and place on the tray', ['the cup']),
])
def test_what_a_pronoun_stands_for(text, expected, nlp):
    last = read_instruction(text, nlp).steps[-1]
    named = [one for one in last.references if one.role in (Role.PICK, Role.OBJECT)]
    assert [one.expression for one in named] == expected
    assert all(one.pronoun and one.antecedent is not None for one in named)


def test_an_open_attachment_gives_the_other_reading_too(nlp):
    step = read_instruction('put the ball behind the box in the bowl', nlp).steps[0]
    assert [one.expression for one in step.references] == ['the ball behind the box', 'the bowl']
    assert [[(one.role.value, one.relation, one.expression) for one in other]
            for other in step.alternatives] == [
        [('pick', '', 'the ball'), ('place', 'behind', 'the box in the bowl')]]
    assert read_instruction('put it on the tray in the box', nlp).steps[0].alternatives == ()


@pytest.mark.parametrize('text, reason, sentence', [
    ('stop', 'not_mentioned', 'is to stop'), ('faster', 'not_mentioned', 'name one'),
    ('open the gripper', 'own_body', 'robot itself'),
    ('what is this', 'question', 'in words'), ('pick up', 'missing', 'with which object'),
    ("don't touch the mug", 'forbidden', "'the mug' is to be left alone"),
    ('raise your hand and put it on the table', 'own_body', 'robot itself'),
])
def test_without_an_object_a_sentence_says_why(text, reason, sentence, nlp):
    found = read_instruction(text, nlp)
    assert found.steps == () and found.action is None and found.references == ()
    assert found.no_object.reason.value == reason
    assert text in found.no_object.sentence and sentence in found.no_object.sentence


def test_what_was_guessed_or_left_out_is_noted(nlp):
    assert read_instruction('grap the cup', nlp).notes == ("'grap' was read as 'grasp'",)
    found = read_instruction('take the mug, I mean the cup', nlp)
    assert found.notes == ("'the mug' was taken back",)
    found = read_instruction('pick up the cup if it is clean', nlp)
    assert found.notes == ("a condition was not read: 'if it is clean'",)
    assert found.steps[0].references[0].expression == 'the cup'


def test_contrasts_name_what_is_meant_and_what_is_not(nlp):
    for text in ("don't take the red mug but the blue one",
                 "don't take the red mug, take the blue one",
                 'take the blue mug, not the red mug'):
        steps, forbidden = roles(text, nlp)
        assert steps == [('pick', {'pick': ['the blue mug']})] or text.startswith("don't") and (
            steps == [('pick', {'pick': ['the blue one']})]), text
        assert forbidden == ['the red mug']


def test_a_place_before_its_verb_belongs_to_it(nlp):
    assert roles('on the tray put the mug', nlp)[0] == [
        ('place', {'pick': ['the mug'], 'place': ['the tray']})]
    assert roles('in the drawer grasp the spoon', nlp)[0] == [
        ('pick', {'pick': ['the spoon'], 'source': ['the drawer']})]
    assert roles('from your point of view, grab the left cup', nlp)[0] == [
        ('pick', {'pick': ['the left cup']})]


def test_a_place_alone_answers_the_question_where(nlp):
    found = read_instruction('on the tray', nlp)
    assert (found.action, found.references[0].role) == (Action.REFER, Role.PLACE)
    asked = read_instruction('put the mug', nlp)
    assert asked.steps[0].missing == (Role.PLACE,)


def test_the_parser_that_answered_is_named(nlp):
    assert read_instruction('take the mug', nlp).parser == 'spacy:en_ewt_expressions+rules'
    assert read_instruction('take the mug').parser == 'rules'


def test_any_words_are_read_or_refused_with_a_reason(nlp):
    words = 'put the red it not and on to left pick up me , . can them of box one with is'.split()
    for row in range(400):
        text = ' '.join(words[(row * 7 + at * at * (row % 11 + 1)) % len(words)]
                        for at in range(1 + row % 9))
        try:
            found = read_instruction(text, nlp if row % 8 == 0 else None)
        except BadRequestError as error:
            assert 'in words' in str(error)
        else:
            assert found.steps or found.no_object.sentence


@pytest.mark.parametrize('text, match', [
    ('', 'got an empty one'), ('?!', 'an instruction in words'), ('x' * 1001, 'at most 1000'),
    (None, 'as str, got NoneType')])
def test_what_is_no_instruction_says_why(text, match):
    with pytest.raises(BadRequestError, match=match):
        read_instruction(text)


def test_the_report_counts_what_is_wrong(tmp_path, capsys):
    row = {'text': 'take the mug', 'kind': 'x', 'action': 'pick', 'pick': 'the mug'}
    found = read_instruction('take the mug')
    assert differences(row, found) == []
    assert differences({**row, 'pick': 'mug', 'accept': [{'pick': 'the cup'}]}, found) == [
        "pick: expected ['mug'], got ['the mug']"]
    assert 'actions' in differences({**row, 'action': 'hand'}, found)[0]
    path = tmp_path / 'own.jsonl'
    path.write_text('{"text": "take the mug", "kind": "x", "action": "hand", "pick": "the mug"}\n')
    main(['--list', str(path), '--rules', '--errors'])
    printed = capsys.readouterr().out
    assert '| all | 1 | 0.0 | 0.0 | 0.0 |' in printed and "'take the mug': actions" in printed
