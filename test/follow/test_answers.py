"""Answers matched among the candidates alone."""

import numpy as np
import pytest

from refdiff_ros.follow.answers import is_stop, match, Meaning, options_of, Seen
from refdiff_ros.follow.results import Candidate, FollowQuestion, QuestionKind


def _candidate(left, description, top=20, number=0):
    mask = np.zeros((60, 120), bool)
    mask[top:top + 10, left:left + 10] = True
    return Candidate(mask, description, number)


def _question(*candidates, kind=QuestionKind.WHICH_ONE):
    options = options_of(candidates, [None] * len(candidates)) if candidates else ()
    return FollowQuestion(1, 0, kind, 'Which one?', options)


_MUGS = _question(_candidate(80, 'the right red mug'), _candidate(10, 'the left red mug'))
_COLOURS = _question(_candidate(10, 'the yellow mug'), _candidate(80, 'the blue mug'))
_THREE = _question(*(_candidate(left, f'candidate {left}') for left in (10, 50, 90)))


@pytest.mark.parametrize('question, text, number', [
    (_MUGS, 'left', 1), (_MUGS, 'the left one', 1), (_MUGS, 'The LEFT red mug!', 1),
    (_MUGS, 'leftmost', 1), (_MUGS, 'right', 2), (_MUGS, 'the one on the right please', 2),
    (_MUGS, '1', 1), (_MUGS, 'number two', 2), (_MUGS, 'the second one', 2),
    (_MUGS, 'first', 1), (_COLOURS, 'yellow', 1), (_COLOURS, 'I mean the blue one', 2),
    (_COLOURS, 'the blue mug', 2), (_THREE, 'the middle one', 2), (_THREE, 'third', 3)])
def test_the_questions_words_name_one_candidate(question, text, number):
    answer = match(text, question)
    assert answer.meaning is Meaning.OPTION, answer
    assert answer.option.number == number


@pytest.mark.parametrize('text, meaning', [
    ('stop', Meaning.STOP), ('Stop!', Meaning.STOP), ('never mind', Meaning.CANCEL),
    ('neither', Meaning.CANCEL), ('yes', Meaning.YES), ('no', Meaning.NO),
    ('the red one', Meaning.NOTHING), ('the mug', Meaning.NOTHING),
    ('green', Meaning.NOTHING), ('the left blue mug', Meaning.NOTHING), ('', Meaning.NOTHING)])
def test_what_names_none_is_no_choice(text, meaning):
    answer = match(text, _MUGS)
    assert answer.meaning is meaning
    assert (answer.reason != '') is (meaning is Meaning.NOTHING)


@pytest.mark.parametrize('text, meaning', [
    ('yes please', Meaning.YES), ('ok do it', Meaning.YES), ('no, wait there', Meaning.NO),
    ('the left one', Meaning.NOTHING)])
def test_yes_and_no_are_heard_at_the_beginning(text, meaning):
    assert match(text, _question(kind=QuestionKind.YES_NO)).meaning is meaning


def test_options_are_counted_from_the_left_and_carry_their_box():
    first, second = _MUGS.options
    assert first.label == 'the left red mug' and first.box_xyxy == (10, 20, 20, 30)
    assert second.number == 2 and 'right' in second.words and 'left' not in second.words


def test_options_have_the_numbers_of_the_question():
    question = _question(_candidate(10, 'the back mug', 5, number=2),
                         _candidate(50, 'the front mug', 40, number=1))
    assert [option.label for option in question.options] == ['the front mug', 'the back mug']
    assert match('2', question).option.label == 'the back mug'
    assert match('the left one', question).option.label == 'the back mug'


@pytest.mark.parametrize('text, number', [
    ('the bigger one', 2), ('smallest', 1), ('the nearer one', 1), ('the one at the back', 2)])
def test_candidates_are_compared_in_space(text, number):
    candidates = _candidate(10, 'the red mug'), _candidate(80, 'the red mug')
    seen = Seen((0.0, 0.1, 0.05), 0.08, 0.1), Seen((0.1, 0.2, 0.05), 0.11, 0.2)
    question = FollowQuestion(1, 0, QuestionKind.WHICH_ONE, 'Which?',
                              options_of(candidates, seen))
    assert match(text, question).option.number == number
    alike = [Seen(one.middle_m, 0.1, 0.1) for one in seen]
    question = FollowQuestion(1, 0, QuestionKind.WHICH_ONE, 'Which?',
                              options_of(candidates, alike))
    assert match(text, question).meaning is Meaning.NOTHING


def test_things_behind_each_other_are_not_left_and_right():
    question = _question(_candidate(50, 'the front mug', 40), _candidate(53, 'the back mug', 5))
    assert match('left', question).meaning is Meaning.NOTHING
    assert match('the nearer one', question).option.label == 'the front mug'


def test_stop_words_are_those_alone():
    assert is_stop(' STOP. ') and not is_stop('stop the music')
