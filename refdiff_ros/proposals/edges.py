"""A mask's border, moved to the edge that the picture itself has there.

A segmentor draws its masks on a grid that is coarser than the picture, so that an object's edge is
known to about a cell of it. Within half a cell of the border, each pixel goes to the side whose
colour around it is nearer. Nothing further away changes.

All proposals are moved once, on a picture that is as small as that allows, since CLIP and the
decision see more in true outlines. The answer's masks are then moved by half as much and by a
quarter in the picture itself.

Letters: H W image height and width, h w the part of it around the mask.
"""

import math
from typing import Any

import numpy as np

from refdiff_ros.masks.boxes import window
from refdiff_ros.optional import require_package
from refdiff_ros.stages import stage

# Each pass with half the cells of the one before.
_PASSES, _PASSES_OF_ALL = 2, 1
# Pictures with larger cells are looked at smaller, with cells of this many pixels: those of an
# answer as exactly as its last pass can be, those of all proposals as cheaply.
_LARGEST_CELL, _LARGEST_CELL_OF_ALL = 8.0, 3.4
# In cells: how far the border may move; how far the colours of a side are gathered, twice; how
# far neighbours decide alike; how far the mask itself counts.
_BAND, _REACH, _ALIKE, _PRIOR = 0.5, 0.6, 0.25, 0.5
# What colours count beside the mask itself.
_WEIGHT = 3.0
# Differences of colour, squared, below which both sides look the same.
_NOISE = 400.0
# Shadows and lamps change how light a thing is, and its colour less.
_CHROMA = 4.0
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
_RED, _, _BLUE = np.eye(3, dtype=np.float32)
# Rows of colours to luma and chroma, and a channel of ones, with which weights are summed.
_MIX = np.zeros((4, 4), np.float32)
_MIX[:3, :3] = [_LUMA, (_RED - _LUMA) * _CHROMA, (_BLUE - _LUMA) * _CHROMA]
_MIX[3, 3] = 1.0
_SUM_OF_THREE = np.array([[1, 1, 1, 0]], np.float32)
_LEAST_PIXELS, _LEAST_WEIGHT = 6, 1e-4


@stage('edges')
def proposals_along_edges(image_rgb: np.ndarray, masks: np.ndarray, cell_px: float) -> float:
    """Give all masks of a frame the picture's own edges, as far as that is cheap.

    Args:
        image_rgb: (H, W, 3) uint8.
        masks: (N, H, W) bool, changed in place.
        cell_px: side of a cell of the grid on which they were drawn, pixels, above 0.

    Returns:
        Side of a cell as fine as these edges are, pixels, for `along_edges`.

    Raises:
        MissingPackageError: OpenCV is not installed.
    """
    for mask in masks:
        _move(image_rgb, mask, cell_px, _LARGEST_CELL_OF_ALL, _PASSES_OF_ALL)
    return float(cell_px / 2 ** _PASSES_OF_ALL)


@stage('edges')
def along_edges(image_rgb: np.ndarray, mask: np.ndarray, cell_px: float) -> np.ndarray:
    """A mask with the picture's own edges.

    Args:
        image_rgb: (H, W, 3) uint8.
        mask: (H, W) bool.
        cell_px: side of a cell of the grid on which the mask was drawn, pixels, above 0.

    Returns:
        (H, W) bool, a mask of its own; `mask` as it is where hardly anything would be left.

    Raises:
        MissingPackageError: OpenCV is not installed.
    """
    result = mask.copy()
    _move(image_rgb, result, cell_px, _LARGEST_CELL, _PASSES)
    return result


def _move(
    image_rgb: np.ndarray, mask: np.ndarray, cell_px: float, largest_cell_px: float, passes: int,
) -> None:
    """Move the border of `mask` in place; a picture with larger cells is made smaller first."""
    cv2 = require_package('cv2', 'models')
    rows, columns = window(mask)
    if rows.start == rows.stop:
        return
    pad = math.ceil((_BAND + 2 * _REACH) * cell_px) + 2
    around = tuple(slice(max(0, place.start - pad), place.stop + pad)
                   for place in (rows, columns))
    inside, picture = mask[around].view(np.uint8), image_rgb[around]
    scale = min(1.0, largest_cell_px / cell_px)
    if scale < 1:
        size_wh = tuple(max(1, round(side * scale)) for side in inside.shape[::-1])
        inside, picture = (cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA)
                           for part in (inside, picture))
    moved = np.ascontiguousarray(inside)
    mixed = cv2.transform(picture.astype(np.float32), _MIX)  # (h, w, 4), the last of them 1
    for turn in range(passes):
        moved = _moved(cv2, mixed, moved, cell_px * scale / 2 ** turn)
    if cv2.countNonZero(moved) < _LEAST_PIXELS:
        return
    if scale < 1:
        # Only what moved: the rest keeps the edge that it had in the full picture.
        change = cv2.resize(moved.astype(np.float32) - inside, mask[around].shape[::-1],
                            interpolation=cv2.INTER_LINEAR)
        moved = np.where(np.abs(change) > 0.5, change > 0, mask[around])
    mask[around] = moved


def _moved(cv2: Any, picture: np.ndarray, inside: np.ndarray, cell_px: float) -> np.ndarray:
    """One pass: (h, w, 4) float32 mixed colours and (h, w) uint8 0 or 1 to the same, moved."""
    kernel = np.ones((2 * max(1, round(_BAND * cell_px)) + 1,) * 2, np.uint8)
    # Beyond the picture nothing is known, and nothing eats into what touches its border.
    kept = cv2.erode(inside, kernel)
    grown = cv2.dilate(inside, kernel)
    if cv2.countNonZero(kept) < _LEAST_PIXELS:
        kept = inside
    to_object, to_rest = (_distance(cv2, picture, side, cell_px) for side in (kept, 1 - grown))
    both = cv2.add(cv2.add(to_rest, to_object), _NOISE)
    like = cv2.divide(cv2.subtract(to_rest, to_object), both)  # (h, w) in -1..1
    like = _blurred(cv2, like, _ALIKE * cell_px)
    prior = _blurred(cv2, inside.astype(np.float32), _PRIOR * cell_px)
    on = cv2.addWeighted(like, _WEIGHT, prior, 2.0, -1.0) > 0
    return np.where(grown > kept, on.view(np.uint8), inside)


def _distance(cv2: Any, picture: np.ndarray, side: np.ndarray, cell_px: float) -> np.ndarray:
    """(h, w) squared distance of each pixel's colour from what `side` (h, w) has around it."""
    size_wh = side.shape[::-1]
    known = cv2.copyTo(picture, side)  # (h, w, 4), 0 elsewhere
    # Means change slowly: a coarser picture of them will do.
    coarser = max(1, round(cell_px / 2.5))
    if coarser > 1:
        known = cv2.resize(known, tuple(-(-length // coarser) for length in size_wh),
                           interpolation=cv2.INTER_AREA)
    known = _blurred(cv2, known, _REACH * cell_px / coarser)
    weight = cv2.add(cv2.extractChannel(known, 3), _LEAST_WEIGHT)
    mean = cv2.divide(known, cv2.merge([weight] * 4))
    if coarser > 1:
        mean = cv2.resize(mean, size_wh, interpolation=cv2.INTER_LINEAR)
    off = cv2.subtract(picture, mean)
    squared: np.ndarray = cv2.transform(cv2.multiply(off, off), _SUM_OF_THREE)
    return squared


def _blurred(cv2: Any, values: np.ndarray, reach_px: float) -> np.ndarray:
    """Two box means of a reach, at least a pixel; 0 outside."""
    kernel = (2 * max(1, round(reach_px)) + 1,) * 2
    for _ in range(2):
        values = cv2.blur(values, kernel, borderType=cv2.BORDER_CONSTANT)
    return values
