"""The smallest upright box around a mask."""

import numpy as np


def box_xyxy(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """First and last column and row of a mask, the last ones included.

    Args:
        mask: (H, W) bool.

    Returns:
        x of the first column, y of the first row, x of the last column, y of the last row, in
        pixels; None for an empty mask.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1])
    # Along columns NumPy is slow: only the rows that hold something are looked at.
    columns = np.flatnonzero(mask[top:bottom + 1].any(axis=0))
    return int(columns[0]), top, int(columns[-1]), bottom
