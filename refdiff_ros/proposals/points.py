"""The point prompts of a segmentor."""

import numpy as np


def point_grid(points_per_side: int) -> np.ndarray:
    """Centres of a regular grid of cells over the unit square, row by row: (n*n, 2) x and y."""
    offset = 1 / (2 * points_per_side)
    side = np.linspace(offset, 1 - offset, points_per_side)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
