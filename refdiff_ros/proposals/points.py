"""The points at which a segmentor is asked for masks: a regular grid, or the part that counts.

Most of a picture of a table is table, and SAM draws nothing of use there. What stands out of a
smooth background, a cubic surface in each colour channel, is asked about first.

Letters: n points along a side, r cells along a side of a small picture.
"""

import numpy as np
from PIL import Image

from refdiff_ros.presets import ProposalConfig

_DEGREE, _ROUNDS = 3, 6
# Cells of the small picture along a side of a point's own cell.
_CELLS = 3


def prompt_points(image_rgb: np.ndarray, config: ProposalConfig) -> np.ndarray:
    """Where a picture is asked about: (K, 2) x and y in the unit square, row by row.

    Args:
        image_rgb: (H, W, 3) uint8.
        config: `points_per_side` and `points_kept` are used.
    """
    grid = point_grid(config.points_per_side)
    count = max(1, round(config.points_kept * len(grid)))
    if count == len(grid):
        return grid
    far = standing_out(image_rgb, config.points_per_side)
    return grid[np.sort(np.argsort(-far, kind='stable')[:count])]


def point_grid(points_per_side: int) -> np.ndarray:
    """Centres of a regular grid of cells over the unit square, row by row: (n*n, 2) x and y."""
    offset = 1 / (2 * points_per_side)
    side = np.linspace(offset, 1 - offset, points_per_side)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def standing_out(image_rgb: np.ndarray, points_per_side: int) -> np.ndarray:
    """How far each cell of the grid departs from a smooth background: (n*n,), colour steps.

    The background is fitted by iteratively reweighted least squares to the sum of distances, so
    that objects do not bend it as long as they cover less than half of the picture. A cell has
    the second largest distance of its nine parts: one part alone may be noise.
    """
    side = points_per_side * _CELLS
    small = Image.fromarray(image_rgb).resize((side, side), Image.Resampling.BOX)
    colours = np.asarray(small, np.float64).reshape(-1, 3)  # (r*r, 3)
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    design = np.stack([x**i * y**j for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)],
                      axis=-1).reshape(side * side, -1)
    weights = np.ones(len(colours))
    for _ in range(_ROUNDS):
        # Normal equations: ten unknowns, and coordinates within half a unit of zero.
        weighted = design.T * weights
        surface = design @ np.linalg.solve(weighted @ design, weighted @ colours)
        far = np.linalg.norm(colours - surface, axis=1)
        weights = 1 / np.maximum(far, np.median(far) + 1e-6)
    parts = far.reshape(points_per_side, _CELLS, points_per_side, _CELLS).swapaxes(1, 2)
    return np.sort(parts.reshape(-1, _CELLS ** 2), axis=1)[:, -2]
