"""Overlay pictures: what must be seen where, and that no answer or image size breaks them."""

from dataclasses import replace

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.pictures import overlay
from refdiff_ros.results import Question, ReferringExpression, Scores, Segmentation, Status


def _answer(status=Status.FOUND, size_hw=(240, 320), correlation=None, text='the red mug',
            rivals=(), notes=()):
    mask = np.zeros(size_hw, bool)
    rival = mask.copy()
    height, width = size_hw
    mask[height // 2:3 * height // 4, width // 4:width // 2] = True
    rival[height // 2:3 * height // 4, 5 * width // 8:3 * width // 4] = True
    values = np.array([0.3, 0.29], np.float32)
    if not status.has_mask:
        mask = np.zeros(size_hw, bool)
    return Segmentation(
        status=status, reason='say which one', mask=mask, score=0.3, confidence=0.5, index=0,
        expression=ReferringExpression(text, text[-3:], (len(text) - 3, len(text))),
        rivals=rivals, proposals=np.stack([mask, rival]),
        scores=Scores(values, values, values), correlation=correlation, notes=notes)


def _grey(size_hw=(240, 320)):
    return np.full((*size_hw, 3), 128, np.uint8)


def test_the_image_itself_is_left_alone():
    image = _grey()
    drawn = overlay.draw(image, _answer(), grasp_region(_answer().mask))
    assert (image == 128).all()
    assert drawn.shape == image.shape and drawn.dtype == np.uint8


def test_mask_is_tinted_and_outlined_and_the_rest_is_not():
    drawn = overlay.draw(_grey(), _answer()).astype(int)
    tint = drawn[150, 120]
    assert tint[2] > tint[0] + 20  # light blue
    assert np.abs(drawn[230, 10] - 128).max() == 0
    assert np.abs(drawn[120, 120] - (86, 180, 233)).max() < 40  # the mask's top edge


def test_grasp_adds_rectangle_and_contacts():
    answer = _answer()
    without = overlay.draw(_grey(), answer)
    drawn = overlay.draw(_grey(), answer, grasp_region(answer.mask))
    changed = np.abs(drawn.astype(int) - without).max(-1) > 60
    changed[:60] = False  # the caption
    rows, columns = changed.nonzero()
    # The frame lies just outside the mask (rows 120..179, columns 80..159).
    assert 110 < rows.min() < 120 and 179 < rows.max() < 190
    assert 70 < columns.min() < 80 and 159 < columns.max() < 170


def test_the_question_stands_in_the_place_of_the_reason():
    answer = _answer(Status.AMBIGUOUS, rivals=(1,))
    question = Question('Do you mean the left one or the right one?', ('a', 'b'), ({}, {}))
    asked = overlay.draw(_grey(), replace(answer, question=question))
    same = overlay.draw(_grey(), replace(answer, reason=question.text))
    assert (asked[:60] == same[:60]).all()
    assert (asked[:60] != overlay.draw(_grey(), answer)[:60]).any()


def test_the_candidates_of_a_question_have_its_numbers():
    answer = replace(_answer(Status.AMBIGUOUS, rivals=(1,)), question=Question(
        'Do you mean the left one or the right one?', ('a', 'b'), ({}, {})))
    drawn = overlay.draw(_grey(), answer).astype(int)
    swapped = overlay.draw(_grey(), replace(
        answer, question=replace(answer.question, order=(1, 0)))).astype(int)
    plain = overlay.draw(_grey(), replace(answer, question=None)).astype(int)
    for mask in answer.proposals:
        u, v = overlay.inner_point(mask)
        near = slice(v - 12, v + 13), slice(u - 12, u + 13)
        assert (drawn[near] != plain[near]).any() and (drawn[near] != swapped[near]).any()


def test_a_confidence_that_is_not_calibrated_is_called_so():
    size_hw = (480, 640)
    plain, calibrated = (overlay.draw(_grey(size_hw), replace(_answer(size_hw=size_hw),
                                                               calibrated=each))
                         for each in (False, True))
    # The longer line has more text to its right.
    assert (plain[:30, 330:] > 200).sum() > (calibrated[:30, 330:] > 200).sum()


def test_attention_heats_only_where_it_is():
    correlation = np.zeros((240, 320), np.float32)
    correlation[200:220, 200:220] = 1
    drawn = overlay.draw(_grey(), _answer(correlation=correlation)).astype(int)
    assert np.abs(drawn[230, 10] - 128).max() == 0
    assert np.abs(drawn[210, 210] - 128).max() > 30


def test_ambiguous_outlines_the_rival_too():
    found = overlay.draw(_grey(), _answer(Status.AMBIGUOUS)).astype(int)
    rivals = overlay.draw(_grey(), _answer(Status.AMBIGUOUS, rivals=(1,))).astype(int)
    assert np.abs(rivals[150, 200] - found[150, 200]).max() > 60  # the rival's left edge


def test_each_status_is_told_in_words_of_its_own():
    captions = [overlay.draw(_grey(), _answer(status))[:40] for status in (
        Status.FOUND, Status.NOT_FOUND, Status.AMBIGUOUS)]
    assert not np.array_equal(captions[0][:, 10:], captions[1][:, 10:])
    assert not np.array_equal(captions[1][:, 10:], captions[2][:, 10:])


def test_notes_get_a_line_each():
    plain = overlay.draw(_grey(), _answer())
    noted = overlay.draw(_grey(), _answer(notes=('the weights are random',)))
    assert (noted[:60].mean(-1) < 100).sum() > (plain[:60].mean(-1) < 100).sum() + 320 * 8


@pytest.mark.parametrize('size_hw', [(1, 1), (8, 8), (3, 400), (400, 3), (60, 90), (1080, 1920)])
def test_every_size_is_drawn(size_hw):
    answer = _answer(size_hw=size_hw, correlation=np.ones(size_hw, np.float32))
    drawn = overlay.draw(_grey(size_hw), answer, grasp_region(answer.mask))
    assert drawn.shape == (*size_hw, 3)


@pytest.mark.parametrize('text', ['a' * 10_000 + ' mug', 'die Tasse ☕ mug', 'two\nlines mug'])
def test_any_expression_fits(text):
    assert overlay.draw(_grey(), _answer(text=text)).shape == (240, 320, 3)


def test_attention_image_rises_in_brightness():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(2, 0)
    grey = overlay.attention_image(ramp).astype(float) @ (0.299, 0.587, 0.114)
    assert (np.diff(grey[0]) > 0).all()


def test_attention_image_of_values_that_are_no_numbers():
    drawn = overlay.attention_image(np.array([[np.nan, -1, 2]], np.float32))
    assert np.array_equal(drawn[0, 0], drawn[0, 1])
    assert drawn[0, 2].sum() > drawn[0, 1].sum()


def test_wrong_sizes_are_refused():
    with pytest.raises(BadRequestError, match=r'expected an RGB image \(240, 320, 3\)'):
        overlay.draw(_grey((240, 321)), _answer())
    with pytest.raises(BadRequestError, match=r'expected a correlation map'):
        overlay.attention_image(np.zeros((4, 4), np.uint8))
