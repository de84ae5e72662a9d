"""Answers as messages: what a caller who must choose is told."""

import math

import numpy as np
import pytest
from rclpy.serialization import serialize_message

from refdiff_ros.masks import candidate_masks, mask_pixels
from refdiff_ros.results import Question, ReferringExpression, Scores, Segmentation, Status
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.messages import referring_mask, service_response


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


def _table(size_hw, side, count):
    """An ambiguous answer about `count` round things of `side` pixels beside each other."""
    height, width = size_hw
    down, right = np.mgrid[:height, :width]
    step = width / count
    masks = np.stack([
        np.hypot(down - height / 2, right - step * (place + 0.5)) < side / 2
        for place in range(count)])
    values = np.linspace(0.5, 0.4, count, dtype=np.float32)
    words = tuple(f'candidate {place + 1}' for place in range(count))
    result = Segmentation(
        Status.AMBIGUOUS, 'why', ReferringExpression('the ball', 'ball', (4, 8)), masks[0].copy(),
        0.5, 0.42, 0, tuple(range(1, count)), masks, Scores(values, values, values), None,
        question=Question('Which one?', words, ({},) * count))
    return Answer(Status.AMBIGUOUS, 'why', 'the ball', segmentation=result), masks


@pytest.mark.parametrize(('size_hw', 'side', 'count', 'most_bytes'), [
    ((480, 640), 190, 3, 400_000), ((1080, 1920), 230, 8, 3_000_000)])
def test_an_answer_of_several_is_little_more_than_its_mask(size_hw, side, count, most_bytes):
    answer, masks = _table(size_hw, side, count)
    msg = referring_mask(answer)
    assert size_hw[0] * size_hw[1] < len(serialize_message(msg)) <= most_bytes
    assert not msg.candidates[0].mask.data  # the chosen one is not repeated
    assert np.array_equal(candidate_masks(msg), masks)
    assert np.array_equal(mask_pixels(msg.mask), masks[0])


def test_an_answer_without_masks_can_be_read():
    answer, masks = _table((480, 640), 120, 3)
    full, short = service_response(answer), service_response(answer, without_masks=True)
    assert len(str(full)) > 1_000_000 and len(str(short)) < 5000
    assert [each.box for each in short.mask.candidates] == [
        each.box for each in full.mask.candidates]
    assert short.mask.area == masks[0].sum()


def test_without_an_answer_nothing_is_claimed():
    msg = referring_mask(Answer(Status.BUSY, 'full', 'the mug'))
    assert not msg.calibrated and math.isnan(msg.presence) and msg.question == ''
