"""The stages of the instruction reader, one by one, without a parser."""

import json
import math

import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.instruction.amounts import amounts
from refdiff_ros.language.instruction.attachment import best, candidates
from refdiff_ros.language.instruction.clauses import clauses
from refdiff_ros.language.instruction.cli import lines
from refdiff_ros.language.instruction.closed_classes import is_body
from refdiff_ros.language.instruction.frames import base_form, FRAMES, Goal
from refdiff_ros.language.instruction.groups import groups
from refdiff_ros.language.instruction.openings import is_question, Mood, read_opening
from refdiff_ros.language.instruction.prepositions import Kind, preposition_at
from refdiff_ros.language.instruction.reader import read_instruction
from refdiff_ros.language.instruction.results import Action, Instruction, Reference, Role
from refdiff_ros.language.instruction.segments import cut
from refdiff_ros.language.instruction.sentence import parse_sentence
from refdiff_ros.language.instruction.slips import is_one_slip, mended
from refdiff_ros.language.instruction.speech import listen
from refdiff_ros.language.instruction.verbs import verb_at


def words(text):
    return ' '.join(word.text for word in listen(text).words)


@pytest.mark.parametrize('text, meant', [
    ("don't take it", 'do not take it'), ("where's the cup", 'where is the cup'),
    ("the dog's bowl", "the dog's bowl"), ('gimme that', 'give me that'),
    ('uh take the um cup', 'take the cup'), ('take the the cup', 'take the cup'),
    ('put it in the in the box', 'put it in the box'), ('grap the cup', 'grasp the cup'),
    ('put teh cup on teh tray', 'put the cup on the tray'), ('sand the edge', 'sand the edge'),
    ('take the cup no wait the mug', 'take the mug'), ('take the red no the blue cup',
                                                       'take the blue cup'),
    ('there is no cup', 'there is no cup'), ('so like take it', 'so take it'),
    ('I would like the cup', 'I would like the cup'), ('take 2 2 cups', 'take 2 2 cups'),
])
def test_speech_is_heard_as_it_was_meant(text, meant):
    assert words(text) == meant


def test_what_is_heard_keeps_its_place_in_the_text():
    heard = listen('take the uh red teh cup')
    assert heard.phrase(heard.words[1:3]) == 'the red'
    assert [heard.text[word.start:word.end] for word in heard.words][-2:] == ['teh', 'cup']
    untouched = listen('the mug, #3')
    assert untouched.phrase(untouched.words) == 'the mug, #3'


@pytest.mark.parametrize('typed, meant, slip', [
    ('grap', 'grab', True), ('palce', 'place', True), ('putt', 'put', True), ('giv', 'give', True),
    ('sand', 'hand', False), ('pat', 'put', False), ('grab', 'grab', False),
    ('plate', 'place', True), ('moooe', 'move', False)])
def test_one_slip_is_a_letter_left_out_changed_swapped_or_doubled(typed, meant, slip):
    assert is_one_slip(typed, meant) is slip


@pytest.mark.parametrize('text, mood, negated, rest', [
    ('could you please take it', Mood.COMMAND, False, 'take it'),
    ('would you mind taking it', Mood.COMMAND, False, 'taking it'),
    ('do not ever take it', Mood.COMMAND, True, 'take it'),
    ('do not forget to take it', Mood.COMMAND, False, 'take it'),
    ('if you do not mind take it', Mood.COMMAND, False, 'take it'),
    ('i would like the cup', Mood.WANT, False, 'the cup'),
    ('i would like you to go', Mood.COMMAND, False, 'go'),
    ('where is the cup', Mood.WHERE, False, 'the cup'),
    ('stay away from the cup', Mood.NAME, True, 'the cup'),
    ('stop touching it', Mood.COMMAND, True, 'touching it'),
    ('the cup', Mood.COMMAND, False, 'the cup'),
])
def test_an_opening_says_what_follows(text, mood, negated, rest):
    lower = text.split()
    found = read_opening(lower, 0, len(lower))
    assert (found.mood, found.negated, ' '.join(lower[found.end:])) == (mood, negated, rest)


@pytest.mark.parametrize('text, question', [
    ('what colour is it', True), ('is it red', True), ('did you see it', True),
    ('can opener', False), ('do it', False), ('the cup', False)])
def test_a_question_is_told_from_a_noun_phrase(text, question):
    lower = text.split()
    assert is_question(lower, 0, len(lower)) is question


@pytest.mark.parametrize('text, relation, kind, length', [
    ('to the left of the cup', 'left of', Kind.SIDE, 4), ('on the left', 'on', Kind.INSIDE, 1),
    ('on top of it', 'on', Kind.INSIDE, 3), ('into it', 'in', Kind.TOWARDS, 1),
    ('out of it', 'in', Kind.SOURCE, 2), ('nearest the cup', 'next to', Kind.MODIFIER, 1),
    ('closer to it', 'next to', Kind.BESIDE, 2)])
def test_the_longest_preposition_is_found(text, relation, kind, length):
    lower = text.split()
    found = preposition_at(lower, 0, len(lower))
    assert (found.relation, found.kind, found.length) == (relation, kind, length)
    assert preposition_at(['nearest', 'cup'], 0, 2) is None


@pytest.mark.parametrize('text, verb, rest', [
    ('hand me the cup', 'hand', 'me the cup'), ('hand mixer', None, ''),
    ('pick up the cup', 'pick', 'the cup'), ('turn on the lamp', 'turn', 'the lamp'),
    ('pick and place the cup', 'place', 'the cup'), ('let go of it', 'release', 'it'),
    ('go open the door', 'open', 'the door'), ('open box on the left', None, ''),
    ('open oven', 'open', 'oven'), ('place cup left of bowl', 'place', 'cup left of bowl'),
    ('place mat on the table', None, ''), ('nudge the cup', 'nudge', 'the cup'),
    ('stop next to it', 'stop', 'next to it'), ('light on the table', None, ''),
    ('push left the box', 'push', 'the box'),
])
def test_a_verb_is_told_from_a_noun(text, verb, rest):
    sentence = parse_sentence(text, None)
    found = verb_at(sentence, 0, len(sentence.lower))
    if verb is None:
        assert found is None
    else:
        assert found.frame.verb == verb
        assert ' '.join(sentence.lower[found.end:]) == rest


def test_verbs_are_found_in_every_inflection_and_say_what_they_need():
    assert [base_form(word) for word in ('putting', 'moved', 'takes', 'thrown', 'mugs')] == [
        'put', 'move', 'take', 'throw', 'mugs']
    assert (FRAMES['put'].goal, FRAMES['take'].goal, FRAMES['pick'].goal) == (
        Goal.NEEDED, Goal.TO, Goal.NONE)


@pytest.mark.parametrize('text, parts', [
    ('take it and put it down', ['take it', 'and put it down']),
    ('take the fork and the knife', ['take the fork and the knife']),
    ('Take it. Then stop!', ['take it', 'then stop']),
    ('grab mug put it away please', ['grab mug', 'put it away']),
    ('take it, not the cup', ['take it', 'not the cup']),
    ('take it without touching the cup', ['take it', 'without touching the cup']),
    ('the cup that is not red', ['the cup that is not red']),
    ('take it if it is red', ['take it', 'if it is red']),
    ('take the cup of Mr. Brown', ['take the cup of mr brown']),
])
def test_a_sentence_is_cut_into_clauses(text, parts):
    sentence = parse_sentence(text, None)
    assert [' '.join(sentence.words(span)) for span in clauses(sentence)] == parts


def pieces(text):
    sentence = parse_sentence(text, None)
    return sentence, cut(sentence, 0, len(sentence.lower))


@pytest.mark.parametrize('text, parts', [
    ('the red and white cup on the left',
     'noun: the red and white cup | preposition: on the left'),
    ('the cup that is on the tray in the box',
     'noun: the cup | clause: that is on the tray | preposition: in the box'),
    ('the pot whose lid is broken on the stove',
     'noun: the pot | clause: whose lid is broken | preposition: on the stove'),
    ('box of nuts and bolts and the cup',
     'noun: box of nuts and bolts | and: and | noun: the cup'),
    ('it back over there', 'noun: it | adverb: back | adverb: over there'),
    ('me that cup', 'noun: me | noun: that cup'),
    ('it 10 cm to the left', 'noun: it | preposition: to the left'),
    ('it between the cup and the pot', 'noun: it | preposition: between the cup and the pot'),
])
def test_words_are_cut_into_phrases(text, parts):
    sentence, segments = pieces(text)
    assert ' | '.join(f'{one.kind}: {" ".join(sentence.words((one.start, one.end)))}'
                      for one in segments) == parts


def test_a_direction_is_no_object():
    _, segments = pieces('it on the far left to the left of the cup in front of me')
    assert [one.direction for one in segments if one.kind == 'preposition'] == [True, False, True]


@pytest.mark.parametrize('text, number', [
    ('the fork , the knife and the cup', 3), ('the cup next to a plate and a fork', 1),
    ('the cup next to the plate and the fork', 2), ('the cup on the tray and below it', 1)])
def test_objects_are_parted_by_and(text, number):
    sentence, segments = pieces(text)
    assert len(groups(sentence, segments)) == number


@pytest.mark.parametrize('verb, text, place', [
    ('put', 'the cup on the plate next to the bowl', 'on the plate'),
    ('put', 'the cup next to the plate in the bowl', 'in the bowl'),
    ('put', 'the cup on the table in the box', 'in the box'),
    ('put', 'the cup in the box on the table', 'in the box'),
    ('put', 'the cup on the plate to the left of the bowl', 'on the plate'),
    ('move', 'the cup on the plate to the left of the bowl', 'to the left of the bowl'),
    ('put', 'it on the towel in the box', 'on the towel'),
    ('take', 'the cup on the plate to the sink', 'to the sink'),
    ('push', 'the cup on the plate behind the bowl', 'behind the bowl'),
])
def test_the_verb_and_the_prepositions_say_which_phrase_is_the_place(verb, text, place):
    sentence, segments = pieces(text)
    among = candidates(sentence, segments, FRAMES[verb])
    chosen = segments[best(sentence, segments, among, FRAMES[verb])]
    assert ' '.join(sentence.words((chosen.start, chosen.end))) == place
    assert candidates(sentence, segments, FRAMES['pick']) == []


def test_the_robots_own_parts_are_no_objects():
    assert is_body(['your', 'left', 'hand']) and not is_body(['my', 'hand'])
    assert not is_body(['the', 'hand', 'mixer'])


@pytest.mark.parametrize('role, expression, relation, pronoun, match', [
    (Role.PLACE, 'the tray', '', False, 'expected a relation'),
    (Role.PICK, 'the tray', 'on', False, 'for nothing else'),
    (Role.PICK, '', '', False, 'expected an expression')])
def test_a_reference_that_cannot_be_is_refused(role, expression, relation, pronoun, match):
    with pytest.raises(BadRequestError, match=match):
        Reference(role, expression, 'the tray', (0, 8), relation, pronoun)


def test_an_instruction_has_steps_or_a_reason_and_true_spans():
    with pytest.raises(BadRequestError, match='a reason why there are none'):
        Instruction('take it', ())
    step = read_instruction('take the cup').steps[0]
    with pytest.raises(BadRequestError, match="span to point at 'the cup', got ' the cu'"):
        Instruction('xtake the cup', (step,))


def test_a_reading_is_told_to_a_person():
    told = '\n'.join(lines(read_instruction(
        'take the cup and put it next to the red box in the sink')))
    assert told == (
        "order\n1. pick (take)\n   pick: 'the cup'\n"
        "2. place (put)\n   pick: 'the cup' (said: 'it')\n"
        "   place: next to 'the red box in the sink'")
    assert 'place: not said' in '\n'.join(lines(read_instruction('put the cup')))
    assert "'it': the last answer" in '\n'.join(lines(read_instruction('take it')))
    assert "leave alone: 'the cup'" in '\n'.join(lines(read_instruction('never touch the cup')))


def test_actions_and_roles_are_written_as_their_names():
    assert json.dumps([Action.PICK, Role.PLACE]) == '["pick", "place"]'


@pytest.mark.parametrize('text, distance_m, angle_rad', [
    ('move it 10 cm to the left', 0.1, None), ('push it 1.5 inches forward', 0.0381, None),
    ('lift it half a metre', 0.5, None), ('turn it by 90 degrees', None, math.pi / 2),
    ('turn it a quarter turn', None, math.pi / 2), ('move it twenty-five mm up', 0.025, None)])
def test_how_far_is_a_number(text, distance_m, angle_rad):
    found, = amounts(text)
    for value, expected in ((found.distance_m, distance_m), (found.angle_rad, angle_rad)):
        assert math.isnan(value) if expected is None else value == pytest.approx(expected)


@pytest.mark.parametrize('text', ['take the 5 cm cube', 'a box of 10 cm', 'that is 5 cm tall'])
def test_a_size_is_no_way(text):
    assert amounts(text) == ()


def test_a_vague_way_is_noted():
    found = read_instruction('move the cup a few centimetres to the left')
    assert math.isnan(found.steps[0].distance_m) and 'a few centimetres' in found.notes[0]


@pytest.mark.parametrize('text, act, number', [
    ('stop', 'stop', None), ('please stop it now', 'stop', None), ('hold on', 'stop', None),
    ('yes please', 'yes', None), ('no thanks', 'no', None), ('not that one', 'no', None),
    ('2', 'number', 2), ('number three', 'number', 3), ('the second one', 'number', 2),
    ('the last one', 'number', -1), ('the left one', 'answer', None), ('yellow', 'answer', None),
    ('on the tray', 'answer', None), ('the red mug', 'name', None), ('go on', 'resume', None),
    ('take the mug', 'order', None), ("don't touch it", 'forbid', None), ('why', 'question', None),
    ('stop! put it back', 'stop', None), ('thanks a lot', 'chat', None)])
def test_what_a_text_does_in_a_conversation(text, act, number):
    found = read_instruction(text)
    assert (found.act.value, found.number) == (act, number)


@pytest.mark.parametrize('text, verbs', [
    ('before you take the ball, move the box', ['move', 'take']),
    ('take the ball after moving the box', ['move', 'take']),
    ('once you have moved the box, take the ball', ['move', 'take']),
    ('take the ball, but first move the box', ['move', 'take']),
    ("don't take the ball until you have moved the box", ['move', 'take']),
    ('move the box before you take the ball', ['move', 'take'])])
def test_steps_stand_in_the_order_in_which_they_are_done(text, verbs):
    found = read_instruction(text)
    assert [step.verb for step in found.steps] == verbs and found.forbidden == ()


def test_a_pronoun_keeps_its_antecedent_when_steps_change_places():
    found = read_instruction('take the ball, but first move the box next to it')
    place, ball = found.references[1], found.references[2]
    assert (place.expression, found.references[place.antecedent]) == ('the ball', ball)


@pytest.mark.parametrize('text, receiver, action', [
    ('gimme the cup', 'me', 'hand'), ('get the cup for me', 'me', 'hand'),
    ('bring it here', 'me', 'hand'), ('we need the cup', 'us', 'hand'),
    ('give the cup to her', 'her', 'hand'), ('lift the cup for me', 'me', 'pick'),
    ('take the cup', '', 'pick')])
def test_who_gets_it(text, receiver, action):
    step = read_instruction(text).steps[0]
    assert (step.receiver, step.action.value) == (receiver, action)


@pytest.mark.parametrize('said, quantity', [
    ('both mugs', 'both'), ('the two cans', 'both'), ('all the cups', 'all'), ('the mugs', 'all'),
    ('the scissors', 'one'), ('one of the mugs', 'one'), ('a box of nails', 'one'),
    ('every ball', 'all'), ('the larger of the two bowls', 'one'), ('the glass', 'one')])
def test_how_many_are_meant(said, quantity):
    assert read_instruction(f'take {said}').references[0].quantity.value == quantity


@pytest.mark.parametrize('typed, meant', [
    ('bananna', 'banana'), ('yelow', 'yellow'), ('bwol', 'bowl'), ('rde', 'red'),
    ('screwdiver', 'screwdriver'), ('bow', None), ('needs', None), ('mug', None), ('xyzzy', None)])
def test_a_slip_is_the_nearest_known_word_and_a_real_word_none(typed, meant):
    assert mended(typed) == meant
