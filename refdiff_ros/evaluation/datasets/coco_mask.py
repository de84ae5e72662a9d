"""Masks of COCO annotations: polygons and run-length encodings.

Polygons are rasterised by pycocotools itself. Runs are laid out here, since pycocotools writes
beyond its memory where a compressed string is damaged.

Letters: H W image height and width.
"""

from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package

# Far outside every image; the rasteriser's memory grows with the length of an outline.
_FARTHEST_PX = 1e5


def coco_mask(segmentation: Any, size_hw: tuple[int, int]) -> np.ndarray:
    """The mask of one annotation; several polygons are united.

    Args:
        segmentation: polygons [[x, y, x, y, ...], ...], or a run-length encoding with 'size' and
            'counts', the latter as a list or compressed to a string.
        size_hw: the image's height and width.

    Returns:
        (H, W) bool.

    Raises:
        BadRequestError: none of these, or an encoding for an image of another size.
        MissingPackageError: pycocotools is not installed, and the annotation has polygons.
    """
    encoded = (segmentation if isinstance(segmentation, dict)
               else _encode(_polygons(segmentation), size_hw))
    counts = _runs(encoded, size_hw)
    columns = np.repeat(np.arange(len(counts)) % 2 == 1, counts)  # (W * H,)
    return np.ascontiguousarray(columns.reshape(size_hw[::-1]).T)  # (H, W)


def _encode(polygons: list[list[float]], size_hw: tuple[int, int]) -> dict[str, Any]:
    coco = require_package('pycocotools.mask', 'datasets')
    return coco.merge(coco.frPyObjects(polygons, *size_hw))


def _polygons(segmentation: Any) -> list[list[float]]:
    try:
        # Two points are no area; pycocotools would take the four numbers for a box.
        found = [np.array(polygon, float) for polygon in segmentation if len(polygon) >= 6]
    except (TypeError, ValueError):
        found = []
    # NaN is not below anything.
    sound = all(polygon.ndim == 1 and len(polygon) % 2 == 0
                and np.all(np.abs(polygon) < _FARTHEST_PX) for polygon in found)
    if not found or not sound:
        raise BadRequestError(
            'expected polygons [x, y, x, y, x, y, ...] in pixels or a run-length encoding, got '
            f'{segmentation!r:.80}')
    return [polygon.tolist() for polygon in found]


def _runs(segmentation: dict[str, Any], size_hw: tuple[int, int]) -> list[int]:
    """Lengths of runs, column by column, of pixels outside and inside in turn."""
    size, counts = segmentation.get('size'), segmentation.get('counts')
    if not isinstance(size, list | tuple) or tuple(size) != tuple(size_hw):
        raise BadRequestError(f"expected a mask of the image's size {list(size_hw)} (height, "
                              f'width), got {size!r:.40}')
    found = _decompress(counts) if isinstance(counts, str | bytes) else counts
    sound = isinstance(found, list) and all(isinstance(n, int) and n >= 0 for n in found)
    if not sound or sum(found) != size_hw[0] * size_hw[1]:
        raise BadRequestError(
            f'expected counts of {size_hw[0] * size_hw[1]} pixels in all, as a list or as '
            f"COCO's string, got {counts!r:.60}")
    return found


def _decompress(text: str | bytes) -> list[int]:
    """The counts in COCO's string: five bits a character, lowest first, from '0' on.

    Bit 5 says that the number goes on, bit 4 of its last character that it is negative. From the
    fourth number on it is the difference to the count two before.
    """
    counts: list[int] = []
    number = shift = 0
    for character in text.encode(errors='replace') if isinstance(text, str) else text:
        bits = character - ord('0')
        if not 0 <= bits < 64:
            return [-1]  # no count: refused by the caller
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    return counts if shift == 0 else [-1]
