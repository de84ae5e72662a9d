"""Where proposals lie and how large they are, as far as their masks and depth tell.

Lengths are shares of the image's width, in both directions, so that they do not depend on its
resolution. Letters: N regions, H W image height and width, h w a coarser grid.
"""

from dataclasses import dataclass, replace

import numpy as np

# Masks are measured on a grid of about this many rows or columns.
_GRID = 128
# The lowest part of a mask, by which an object stands.
_FOOT = 0.15
# Differences that can just be told apart: of places (widths), of distance and size (logarithms).
PLACE_TOLERANCE = 0.02
_DEPTH_TOLERANCE = 0.02
_SIZE_TOLERANCE = 0.08
_EPSILON = 1e-6


@dataclass(frozen=True)
class Regions:
    """N regions, measured.

    Attributes:
        masks: (N, h, w) bool, coarse.
        column, line: (N,) of the centroids, from the upper left.
        foot: (N,) line of the lowest row.
        width, height: (N,) of the bounding boxes.
        area: (N,) in squared widths.
        depth_m: (N,) distance where they stand; None where most have no reading.
    """

    masks: np.ndarray
    column: np.ndarray
    line: np.ndarray
    foot: np.ndarray
    width: np.ndarray
    height: np.ndarray
    area: np.ndarray
    depth_m: np.ndarray | None

    def __len__(self) -> int:
        return len(self.masks)

    def take(self, rows: np.ndarray) -> 'Regions':
        """The regions `rows`."""
        return replace(self, **{name: value[rows] for name, value in vars(self).items()
                                if value is not None})

    def nearness(self) -> np.ndarray:
        """(N,) how near the viewer, in units that can just be told apart; by depth if known."""
        if self.depth_m is not None:
            return np.asarray(-np.log(self.depth_m) / _DEPTH_TOLERANCE)
        return self.foot / PLACE_TOLERANCE

    def place(self, direction: str) -> np.ndarray:
        """(N,) how far to a side ('left', 'top', 'front', ...), in units as in `nearness`."""
        along = {
            'left': -self.column, 'right': self.column, 'top': -self.line, 'bottom': self.line}
        if direction in along:
            return along[direction] / PLACE_TOLERANCE
        return self.nearness() if direction == 'front' else -self.nearness()

    def size(self, measure: str) -> np.ndarray:
        """(N,) 'area', 'height', 'width' or 'length' as a logarithm, in units as in `nearness`.

        True sizes with depth, else apparent ones.
        """
        power, value = {
            'area': (2, self.area), 'height': (1, self.height), 'width': (1, self.width),
            'length': (1, np.hypot(self.width, self.height))}[measure]
        size = np.log(np.maximum(value, _EPSILON))
        if self.depth_m is not None:
            size = size + power * np.log(self.depth_m)
        return np.asarray(size / _SIZE_TOLERANCE)

    def from_centre(self) -> np.ndarray:
        """(N,) distance of the centroid from the image's centre, in units as in `nearness`."""
        rows, columns = self.masks.shape[1:]
        away = np.hypot(self.column - 0.5, self.line - rows / columns / 2)
        return np.asarray(away / PLACE_TOLERANCE)


def measure(masks: np.ndarray, depth_m: np.ndarray | None = None) -> Regions:
    """Measure regions.

    Args:
        masks: (N, H, W) bool; an empty one lies in the upper left corner.
        depth_m: (H, W) float32 metres; 0, NaN and infinities mean no reading.
    """
    stride = max(1, min(masks.shape[1:]) // _GRID)
    coarse = masks[:, ::stride, ::stride]  # (N, h, w)
    by_row, by_column = coarse.sum(axis=2), coarse.sum(axis=1)  # (N, h), (N, w)
    rows, columns = coarse.shape[1:]
    pixels = np.maximum(by_row.sum(axis=1), 1)
    top, foot = _extent(np.asarray(by_row > 0))
    left, right = _extent(np.asarray(by_column > 0))
    depth = None if depth_m is None else _depths(coarse, depth_m[::stride, ::stride])
    return Regions(
        masks=coarse,
        column=by_column @ (np.arange(columns) + 0.5) / pixels / columns,
        line=by_row @ (np.arange(rows) + 0.5) / pixels / columns,
        foot=foot / columns, width=(right - left) / columns, height=(foot - top) / columns,
        area=by_row.sum(axis=1) / columns ** 2, depth_m=depth)


def feet(masks: np.ndarray) -> np.ndarray:
    """(N, h, w) bool: the lowest rows of each mask, by which an object stands."""
    top, end = _extent(np.asarray(masks.any(axis=2)))  # (N,)
    first = end - np.maximum(1, np.round(_FOOT * (end - top)))
    return np.asarray(masks & (np.arange(masks.shape[1])[:, None] >= first[:, None, None]))


def _extent(filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, n) bool: first place that is filled and the one after the last; 0, 0 without any."""
    any_filled = filled.any(axis=1)
    first = np.where(any_filled, filled.argmax(axis=1), 0)
    end = np.where(any_filled, filled.shape[1] - filled[:, ::-1].argmax(axis=1), 0)
    return first, end


def _depths(masks: np.ndarray, depth_m: np.ndarray) -> np.ndarray | None:
    """(N,) where each stands; the median for those without a reading, None if they are most."""
    known = np.isfinite(depth_m) & (depth_m > 0)  # (h, w)
    found = np.full(len(masks), np.nan)
    for row, (mask, foot) in enumerate(zip(masks, feet(masks), strict=True)):
        # Where something stands, not its middle: what is tall leans towards a camera above it.
        readings = depth_m[foot & known]
        readings = readings if len(readings) else depth_m[mask & known]
        if len(readings):
            found[row] = np.median(readings)
    read = np.isfinite(found)
    if 2 * read.sum() <= len(found):
        return None
    return np.where(read, found, np.median(found[read]))
