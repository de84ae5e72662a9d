"""Masks of PhraseCut's polygons, rasterised as its own evaluation does.

Letters: H W image height and width.
"""

from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package


def polygon_mask(instances: Any, size_hw: tuple[int, int]) -> np.ndarray:
    """The union of all polygons of all instances, their outlines included.

    Published figures were computed with Pillow's polygons on coordinates cut to whole pixels, so
    this is what the truth is.

    Args:
        instances: per instance its polygons, each [[x, y], ...]; single points are left out.
        size_hw: the image's height and width.

    Returns:
        (H, W) bool.

    Raises:
        BadRequestError: no polygon of two or more points.
    """
    draw = require_package('PIL.ImageDraw', 'datasets')
    image = require_package('PIL.Image', 'datasets').new('L', size_hw[::-1])
    pen, drawn = draw.Draw(image), False
    try:
        for polygon in (polygon for instance in instances for polygon in instance):
            points = [(int(x), int(y)) for x, y in polygon]
            if len(points) > 1:
                pen.polygon(points, fill=1, outline=1)
                drawn = True
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequestError('expected polygons [[x, y], ...] of each instance, got '
                              f'{instances!r:.80}: {error}') from error
    if not drawn:
        raise BadRequestError(
            f'expected a polygon of two or more points, got {instances!r:.80}')
    return np.array(image, bool)
