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
    rows: np.ndarray = np.asarray(mask.any(axis=1))
    if not rows.any():
        return None
    top, bottom = _first_and_last(rows)
    # Along columns NumPy is slow: only the rows that hold something are looked at.
    columns: np.ndarray = np.asarray(mask[top:bottom + 1].any(axis=0))
    left, right = _first_and_last(columns)
    return left, top, right, bottom


def _first_and_last(flags: np.ndarray) -> tuple[int, int]:
    """Places of the first and of the last true one of (L,) bool, of which one is."""
    return int(flags.argmax()), len(flags) - 1 - int(flags[::-1].argmax())


def window(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a mask's box, as slices; empty ones for an empty mask (H, W) bool."""
    box = box_xyxy(mask)
    if box is None:
        return slice(0, 0), slice(0, 0)
    left, top, right, bottom = box
    return slice(top, bottom + 1), slice(left, right + 1)


def pixels_vu(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`mask.nonzero()` of a mask (H, W) bool, looked for in its box alone: rows and columns."""
    rows, columns = window(mask)
    v, u = mask[rows, columns].nonzero()
    return v + rows.start, u + columns.start
