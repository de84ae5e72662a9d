"""COCO's run-length encoding: hand-made runs, and what pycocotools makes of the same masks."""

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.rle import decode_rle, encode_rle

_MASK = np.array([[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]], bool)


def test_a_mask_by_hand_in_both_forms():
    # 9 pixels, 2 in, 2 out, then 2 in (as before: +0) and 5 out (3 more than before).
    assert encode_rle(_MASK) == {'size': [4, 5], 'counts': '92203'}
    for counts in ('92203', b'92203', [9, 2, 2, 2, 5]):
        assert np.array_equal(decode_rle({'size': [4, 5], 'counts': counts}), _MASK)


@pytest.mark.parametrize('mask', [
    np.ones((3, 2), bool), np.zeros((3, 2), bool), np.eye(7, dtype=bool),
    np.random.default_rng(0).random((61, 47)) < 0.5,
    np.arange(300 * 400).reshape(300, 400) > 70_000])
def test_a_mask_survives(mask):
    encoded = encode_rle(mask)
    assert np.array_equal(decode_rle(encoded), mask)
    pycocotools = pytest.importorskip('pycocotools.mask')
    theirs = pycocotools.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encoded == {'size': theirs['size'], 'counts': theirs['counts'].decode()}


@pytest.mark.parametrize('size, counts, message', [
    ([8, 5], '92203', '8 x 5 = 40 pixels .* got 20'),
    ([2, 5], '92203', 'got 20'),
    ([4, 5], '', 'got 0'),
    ([4, 5], [9, 2], 'got 11'),
    ([4, 5], [9, -2, 13], 'whole numbers'),
    ([4, 5], [9.5, 2], 'whole numbers'),
    ([4, 5], 'o', 'cut off'),
    ([4, 5], '9 2', 'compressed form'),
    ([4, 5], 'o' * 20, 'compressed form'),
    ([4, 5], None, 'string or'),
    ([4], '92203', r'size \[height, width\]'),
    ([0, 5], [0], r'size \[height, width\]'),
    ([1 << 20, 1 << 20], [1 << 40], r'size \[height, width\]')])
def test_what_is_no_mask_is_told(size, counts, message):
    with pytest.raises(BadRequestError, match=message):
        decode_rle({'size': size, 'counts': counts})


def test_other_things_are_refused():
    with pytest.raises(BadRequestError, match='COCO RLE'):
        decode_rle([1, 2])
    with pytest.raises(BadRequestError, match='bool'):
        encode_rle(_MASK.astype(np.uint8))


def test_a_size_that_no_picture_has_takes_no_memory():
    with pytest.raises(BadRequestError, match='at most 64 megapixels, got one of 20000x20000'):
        decode_rle({'size': [20_000, 20_000], 'counts': [4 * 10**8]})
