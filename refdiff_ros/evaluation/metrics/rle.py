"""COCO's run-length encoding of masks, as a list of runs and as COCO's compressed string.

Runs go down the columns, column after column, and begin with pixels that are not in the mask.

The code is our own because damaged masks must be told: pycocotools 2.0.11 gives uninitialised
memory for runs that end before the last pixel, and writes beyond its memory for a damaged string.

Letters: H W mask height and width, R runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.pictures.header import check_pixels
from refdiff_ros.results import describe_array

_FIRST_CHARACTER = 48
_MAX_PIXELS = 1 << 30


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """A mask as `{'size': [H, W], 'counts': compressed string}`.

    Example:
        >>> encode_rle(np.array([[False, True], [False, True]]))
        {'size': [2, 2], 'counts': '22'}

    Args:
        mask: (H, W) bool.

    Raises:
        BadRequestError: another shape or type.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.ndim != 2:
        raise BadRequestError(f'expected a mask (H, W) bool, got {describe_array(mask)}')
    pixels = mask.ravel(order='F')  # (H*W,)
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [pixels.size]])).tolist()
    if pixels.size and pixels[0]:
        runs = [0, *runs]
    return {'size': list(mask.shape), 'counts': _compressed(runs)}


def decode_rle(rle: Mapping[str, Any]) -> np.ndarray:
    """The mask in `{'size': [H, W], 'counts': string or list of runs}`.

    Example:
        >>> decode_rle({'size': [2, 2], 'counts': [2, 2]}).tolist()
        [[False, True], [False, True]]

    Returns:
        (H, W) bool.

    Raises:
        BadRequestError: no such mapping, the runs do not cover exactly H x W pixels, or these
            are more than a picture may have.
    """
    if not isinstance(rle, Mapping) or not {'size', 'counts'} <= set(rle):
        raise BadRequestError('expected a COCO RLE mask {"size": [height, width], "counts": ...}, '
                              f'got {_shortened(rle)}')
    height, width = _size_hw(rle['size'])
    check_pixels(width, height)
    counts = rle['counts']
    if isinstance(counts, bytes):
        counts = counts.decode('ascii', 'replace')
    runs = _runs(counts) if isinstance(counts, str) else _checked(counts)
    if sum(runs) != height * width:
        raise BadRequestError(
            f'expected runs over {height} x {width} = {height * width} pixels (height x width), '
            f'got {sum(runs)}: size and counts belong to different masks')
    values = np.arange(len(runs)) % 2 == 1  # (R,)
    return np.repeat(values, runs).reshape(width, height).T.copy()  # (H, W)


def _compressed(runs: Sequence[int]) -> str:
    """Five bits a character, low ones first; from the fourth run on as a difference to the run
    of the same colour before it.
    """
    characters = []
    for k, run in enumerate(runs):
        value, more = run - (runs[k - 2] if k > 2 else 0), True
        while more:
            bits, value = value & 0x1f, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            characters.append(chr(bits + (0x20 if more else 0) + _FIRST_CHARACTER))
    return ''.join(characters)


def _runs(text: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - _FIRST_CHARACTER
        if not 0 <= bits < 0x40 or shift > 60:
            raise BadRequestError("expected a mask's counts in COCO's compressed form, got "
                                  f'{_shortened(text)}')
        value |= (bits & 0x1f) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise BadRequestError("expected a whole string of a mask's counts, got one that was cut "
                              f'off: {_shortened(text)}')
    return _checked(runs)


def _checked(runs: Any) -> list[int]:
    whole = isinstance(runs, Sequence) and all(
        isinstance(run, int) and not isinstance(run, bool) and run >= 0 for run in runs)
    if not whole:
        raise BadRequestError("expected a mask's counts as a string or as whole numbers of 0 or "
                              f'more, got {_shortened(runs)}')
    return list(runs)


def _size_hw(size: Any) -> tuple[int, int]:
    right = isinstance(size, Sequence) and len(size) == 2 and all(
        isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in size)
    if not right or size[0] * size[1] > _MAX_PIXELS:
        raise BadRequestError(
            f"expected a mask's size [height, width] in pixels, got {_shortened(size)}")
    return size[0], size[1]


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
