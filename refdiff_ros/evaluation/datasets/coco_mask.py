"""Masks of COCO annotations: polygons and run-length encodings.

Polygons are rasterised by pycocotools itself; runs are laid out by `rle`, since pycocotools
writes beyond its memory where a compressed string is damaged.

Letters: H W image height and width.
"""

from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.rle import decode_rle
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
    size = encoded.get('size')
    if not isinstance(size, list | tuple) or tuple(size) != tuple(size_hw):
        raise BadRequestError(f"expected a mask of the image's size {list(size_hw)} (height, "
                              f'width), got {size!r:.40}')
    return decode_rle(encoded)


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
