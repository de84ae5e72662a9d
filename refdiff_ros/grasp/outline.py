"""From a mask to the one part that a gripper acts on, and its outline below a pixel.

Letters: H W mask height and width, K points of an outline.
"""

from dataclasses import dataclass

import numpy as np

from refdiff_ros.errors import require
from refdiff_ros.masks import box_xyxy, window
from refdiff_ros.optional import require_package

# Standard deviation, in pixels of arc length, of the filter that turns the staircase of a
# rasterised edge into a line; a circle of radius r shrinks by its square over 2 r.
_SMOOTHING_PX = 1.5
# Points on either side, half a pixel apart, whose chord gives the tangent.
_NORMAL_REACH = 5
# An outline nearer to the centre of the image's border pixels than this is cut off by it.
_CUT_PX = 0.4
# The mask is enlarged by this factor before its border is traced.
_ENLARGE = 2


@dataclass(frozen=True)
class MainPart:
    """The largest connected part of a mask.

    Attributes:
        mask: (H, W) bool, that part alone, holes left open.
        parts: number of connected parts (8-neighbours) in the whole mask.
        left_out: pixels of the other parts.
    """

    mask: np.ndarray
    parts: int
    left_out: int


def main_part(mask: np.ndarray) -> MainPart:
    """The largest 8-connected part of a (H, W) bool mask; the first in raster order of a tie."""
    cv2 = require_package('cv2', 'grasp')
    place = window(mask)
    if not mask[place].size:
        return MainPart(mask, 0, 0)
    count, labels = cv2.connectedComponents(mask[place].astype(np.uint8), connectivity=8)
    if count <= 2:
        return MainPart(mask, count - 1, 0)
    areas = np.bincount(labels.ravel(), minlength=count)[1:]
    best = int(np.argmax(areas))
    largest = np.zeros_like(mask)
    largest[place] = labels == best + 1
    return MainPart(largest, count - 1, int(areas.sum() - areas[best]))


def border_polygon(mask: np.ndarray) -> np.ndarray:
    """Outer contour through the centres of the border pixels; filling it gives the mask back.

    Args:
        mask: (H, W) bool, one connected part.

    Returns:
        (K, 2) float32 pixels (u, v), clockwise or counter-clockwise as traced; straight runs
        keep their ends only.
    """
    cv2 = require_package('cv2', 'grasp')
    rows, columns = window(mask)
    contours, _ = cv2.findContours(
        mask[rows, columns].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE,
        offset=(columns.start, rows.start))
    longest = max(contours, key=len)
    return np.asarray(longest[:, 0, :].astype(np.float32))  # (K, 1, 2) -> (K, 2)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: one connected part with everything inside its outer contour."""
    cv2 = require_package('cv2', 'grasp')
    rows, columns = window(mask)
    box = np.zeros(mask[rows, columns].shape, np.uint8)
    outline = border_polygon(mask) - (columns.start, rows.start)
    cv2.fillPoly(box, [outline.astype(np.int32)], 1)
    filled = np.zeros_like(mask)
    filled[rows, columns] = box
    return filled


@dataclass(frozen=True)
class Outline:
    """A smooth outer outline, evenly spaced.

    Attributes:
        points: (K, 2) float64 pixels (u, v), on the mask's edge, half a pixel outside the
            centres of its border pixels.
        normals: (K, 2) float64 unit normals that point away from the region.
        cut: (K,) bool, points where the image's border cuts the region off, so that its true
            edge is not seen.
    """

    points: np.ndarray
    normals: np.ndarray
    cut: np.ndarray


def trace(mask: np.ndarray) -> Outline:
    """Trace the outer edge of one connected part.

    The border of a rasterised shape is a staircase that crosses the true edge on both sides; a
    Gaussian along the arc averages it, which places an edge of any slope within a small part of
    a pixel, where a hull of pixel centres or corners is off by up to 0.7.

    Args:
        mask: (H, W) bool, one connected part, at least one pixel.
    """
    cv2 = require_package('cv2', 'grasp')
    height, width = mask.shape
    u0, v0, u1, v1 = require(box_xyxy(mask), 'a mask with a pixel')
    box = mask[v0:v1 + 1, u0:u1 + 1].astype(np.uint8)
    box = np.pad(box.repeat(_ENLARGE, 0).repeat(_ENLARGE, 1), 1)
    contours, _ = cv2.findContours(box, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    chain = max(contours, key=len)[:, 0, :].astype(np.float64)  # (K, 1, 2) -> (K, 2)
    # From the padded, enlarged box to pixels of the image.
    chain = (chain - 1 + 0.5) / _ENLARGE - 0.5 + (u0, v0)
    points = _smooth(_resample(chain))
    normals = _outward_normals(points)
    # The chain runs through the centres of the enlarged pixels, half of one inside the edge.
    points = points + normals * 0.5 / _ENLARGE
    # Along the border the edge is at -0.5 (rounded at corners); one pixel away it is at 0.5.
    cut = np.any((points < _CUT_PX) | (points > np.array([width, height]) - 1 - _CUT_PX), 1)
    return Outline(points, normals, cut)


def _resample(chain: np.ndarray) -> np.ndarray:
    """Evenly spaced points, about half a pixel apart, along a closed chain."""
    closed = np.vstack([chain, chain[:1]])
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    count = max(round(arc[-1] * 2), 8)
    at = np.arange(count) * arc[-1] / count
    return np.stack([np.interp(at, arc, closed[:, 0]), np.interp(at, arc, closed[:, 1])], 1)


def _smooth(points: np.ndarray) -> np.ndarray:
    """Gaussian along a closed, evenly spaced chain; shorter chains get a narrower one."""
    count = len(points)
    step = np.hypot(*np.diff(points, axis=0).T).mean() if count > 1 else 1.0
    sigma = min(_SMOOTHING_PX, count * step / 40) / max(step, 1e-6)
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    kernel /= kernel.sum()
    index = (np.arange(count)[:, None] + np.arange(-reach, reach + 1)) % count
    return np.asarray(np.einsum('kru,r->ku', points[index], kernel))


def _outward_normals(points: np.ndarray) -> np.ndarray:
    # A chord of about five pixels: the steps of a nearly level edge are longer than the filter.
    reach = min(_NORMAL_REACH, max(len(points) // 16, 1))
    tangent = np.roll(points, -reach, axis=0) - np.roll(points, reach, axis=0)
    normals = np.stack([tangent[:, 1], -tangent[:, 0]], 1)
    normals /= np.maximum(np.hypot(normals[:, 0], normals[:, 1]), 1e-9)[:, None]
    following = np.roll(points, -1, axis=0)
    twice_area = np.sum(points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1])
    # With v down, a chain of positive area runs clockwise as seen and its right side is inside.
    return normals if twice_area > 0 else -normals
