"""Answers as messages: what a caller who must choose is told."""

import math

import numpy as np

from refdiff_ros.results import Question, ReferringExpression, Scores, Segmentation, Status
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.messages import referring_mask


def _answer(status, rivals=(), **changes):
    masks = np.zeros((3, 6, 8), bool)
    for row, mask in enumerate(masks):
        mask[:, 3 * row:3 * row + 2] = True
    mask = masks[0] if status.has_mask else np.zeros((6, 8), bool)
    values = np.array([0.5, 0.45, 0.4], np.float32)
    result = Segmentation(
        status, 'why', ReferringExpression('the mug', 'mug', (4, 7)), mask, 0.5, 0.42, 0, rivals,
        masks, Scores(values, values, values), None, **changes)
    return Answer(status, 'why', 'the mug', segmentation=result)


def test_each_candidate_is_described_and_the_question_asks_for_one():
    question = Question('Do you mean the left one, the middle one or the right one?',
                        ('the left mug', 'the right mug', 'the middle mug'),
                        ({'side': 'left'}, {'side': 'right'}, {'side': 'middle'}), (0, 2, 1))
    answer = _answer(Status.AMBIGUOUS, (2, 1), calibrated=True, presence=0.9, question=question,
                     fits=(0.9, 0.8, 0.7))
    msg = referring_mask(answer)
    assert msg.question == question.text and msg.calibrated
    assert (round(msg.confidence, 6), round(msg.presence, 6)) == (0.42, 0.9)
    assert [(each.description, each.box.x_offset) for each in msg.candidates] == [
        ('the left mug', 0), ('the right mug', 6), ('the middle mug', 3)]
    assert [each.number for each in msg.candidates] == [1, 3, 2]
    assert [round(each.probability, 6) for each in msg.candidates] == [0.9, 0.8, 0.7]
    assert [each.description for each in referring_mask(answer, 2).candidates] == [
        'the left mug', 'the right mug']


def test_a_found_region_needs_no_words():
    msg = referring_mask(_answer(Status.FOUND))
    assert msg.question == '' and [each.description for each in msg.candidates] == ['']
    assert not msg.calibrated and math.isnan(msg.presence)
    assert msg.candidates[0].number == 0 and math.isnan(msg.candidates[0].probability)


def test_a_refusal_shows_no_candidate_but_tells_how_sure_it_is():
    msg = referring_mask(_answer(Status.NOT_FOUND, calibrated=True, presence=0.1))
    assert list(msg.candidates) == [] and msg.calibrated
    assert round(msg.presence, 6) == 0.1 and math.isnan(msg.score)


def test_without_an_answer_nothing_is_claimed():
    msg = referring_mask(Answer(Status.BUSY, 'full', 'the mug'))
    assert not msg.calibrated and math.isnan(msg.presence) and msg.question == ''
