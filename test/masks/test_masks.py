"""Masks out of answers: cut to a box, in full size as older bags have them, and left out."""

from types import SimpleNamespace as Message

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.masks import (
    box_xyxy,
    candidate_masks,
    mask_pixels,
    pixels_vu,
    smaller_shares,
    window,
)

NO_MASK = Message(height=0, width=0, step=0, data=b'')


def message(mask: np.ndarray, padding: int = 0) -> Message:
    rows = np.pad(mask.astype(np.uint8) * 255, ((0, 0), (0, padding)), constant_values=255)
    return Message(height=mask.shape[0], width=mask.shape[1], step=rows.shape[1],
                   data=rows.tobytes())


def candidate(mask: np.ndarray, pixels: Message) -> Message:
    left, top, right, bottom = box_xyxy(mask)
    return Message(mask=pixels, box=Message(
        x_offset=left, y_offset=top, width=right - left + 1, height=bottom - top + 1))


@pytest.fixture
def masks() -> np.ndarray:
    masks = np.zeros((3, 6, 8), bool)
    masks[0, 1:3, 2:5] = masks[1, 5, 7] = masks[2, :, 0] = True
    masks[0, 1, 2] = False
    return masks


def test_the_box_is_of_the_first_and_last_pixels(masks: np.ndarray) -> None:
    assert [box_xyxy(mask) for mask in masks] == [(2, 1, 4, 2), (7, 5, 7, 5), (0, 0, 0, 5)]
    assert box_xyxy(np.zeros((6, 8), bool)) is None


def test_pixels_are_found_as_numpy_finds_them(masks: np.ndarray) -> None:
    for mask in (*masks, np.zeros((6, 8), bool)):
        assert [each.tolist() for each in pixels_vu(mask)] == [
            each.tolist() for each in mask.nonzero()]
        assert mask[window(mask)].sum() == mask.sum()


def test_masks_that_were_cut_to_their_boxes_are_restored(masks: np.ndarray) -> None:
    cut = [NO_MASK, message(masks[1, 5:6, 7:8]), message(masks[2, 0:6, 0:1], padding=3)]
    answer = Message(mask=message(masks[0], padding=2), candidates=[
        candidate(mask, pixels) for mask, pixels in zip(masks, cut, strict=True)])
    assert np.array_equal(candidate_masks(answer), masks)


def test_masks_of_an_older_package_are_in_full_size(masks: np.ndarray) -> None:
    answer = Message(mask=message(masks[0]),
                     candidates=[candidate(mask, message(mask)) for mask in masks])
    assert np.array_equal(candidate_masks(answer), masks)


def test_an_answer_without_masks_says_how_to_get_them(masks: np.ndarray) -> None:
    answer = Message(mask=NO_MASK, candidates=[candidate(mask, NO_MASK) for mask in masks])
    with pytest.raises(BadRequestError, match='without_masks false'):
        candidate_masks(answer)


def test_an_answer_that_found_nothing_has_no_candidates(masks: np.ndarray) -> None:
    nothing = Message(mask=message(np.zeros((6, 8), bool)), candidates=[])
    assert candidate_masks(nothing).shape == (0, 6, 8)
    assert candidate_masks(Message(mask=NO_MASK, candidates=[])).shape == (0, 0, 0)


def test_what_does_not_fit_is_refused(masks: np.ndarray) -> None:
    short = message(masks[0])
    short.data = short.data[:-1]
    with pytest.raises(BadRequestError, match='8x6 pixels, got 47 bytes: the answer was cut off'):
        mask_pixels(short)
    # A mask of another size than its box, and a box that leaves the picture.
    wrong = candidate(masks[1], message(masks[1, 4:6, 6:8]))
    outside = candidate(masks[1], message(masks[1, 5:6, 7:8]))
    outside.box.x_offset = 8
    for each in (wrong, outside):
        answer = Message(mask=message(masks[0]), candidates=[each])
        with pytest.raises(BadRequestError, match="its box's size 1x1, inside the picture of 8x6"):
            candidate_masks(answer)


def test_shares_of_the_smaller_of_two_masks():
    masks = np.zeros((4, 8, 12), bool)
    masks[0, :, :8] = masks[1, :4, 6:] = masks[2, :4, 2:4] = True  # the last is empty
    shares = smaller_shares(masks)
    assert shares.shape == (4, 4) and np.array_equal(shares, shares.T)
    np.testing.assert_allclose(shares[0], [1, 8 / 24, 1, 0])
    np.testing.assert_allclose(shares[1], [8 / 24, 1, 0, 0])
    assert smaller_shares(masks[:0]).shape == (0, 0)


def test_shares_of_large_masks_are_those_of_small_ones():
    masks = np.zeros((2, 480, 640), bool)
    masks[0, 60:240, 90:300] = masks[1, 120:360, 180:420] = True
    exact = np.count_nonzero(masks[0] & masks[1]) / np.count_nonzero(masks[0])
    assert abs(smaller_shares(masks)[0, 1] - exact) < 0.01
