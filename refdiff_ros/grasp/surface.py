"""The visible surface of a region: which depth readings to believe, and depth where none is.

Depth cameras fail in ways that a mean does not survive: no reading (0, NaN), readings between
the object and what lies behind it along the rim ("flying pixels"), and holes on dark or shiny
parts. What is believed here is inside the mask, away from its rim, not seen edge-on, and near a
smooth surface through its neighbours.

Letters: H W mask height and width, M pixels of the mask.
"""

from dataclasses import dataclass

import numpy as np

from refdiff_ros.grasp.config import GraspConfig
from refdiff_ros.grasp.lens import rays
from refdiff_ros.grasp.outline import Outline
from refdiff_ros.masks import box_xyxy, pixels_vu
from refdiff_ros.optional import require_package
from refdiff_ros.results import Camera

# A normal distribution's standard deviation over its median absolute deviation.
_MAD_TO_SIGMA = 1.4826
# How far on either side of an outline depth is compared, and what counts as something nearer.
_BESIDE_PX = 3.0
_STEP_M = 0.02
# Readings that a plane is fitted to; more do not make it better.
_FIT_POINTS = 10_000


@dataclass(frozen=True)
class Surface:
    """Depth of a region.

    Attributes:
        depth_m: (H, W) float64 metres inside the mask, 0 outside: believed readings, and
            elsewhere in the mask the nearest believed one.
        usable: (H, W) bool, pixels whose reading is believed.
        fraction: 0..1, share of the mask's pixels with a finite positive reading that was not
            rejected as an outlier (the rim is counted as it reads).
    """

    depth_m: np.ndarray
    usable: np.ndarray
    fraction: float


def visible_surface(mask: np.ndarray, depth_m: np.ndarray, camera: Camera,
                    config: GraspConfig | None = None) -> Surface | None:
    """Believed depth inside a mask, None with fewer than `config.min_points` readings.

    Args:
        mask: (H, W) bool.
        depth_m: (H, W) float metres along the optical axis; 0, negative, NaN and infinite
            values are no reading.
        camera: intrinsics.
        config: what is believed.
    """
    config = config or GraspConfig()
    # Everything happens within the mask's box; its rim must be seen as a rim there.
    window = bounding_window(mask, config.erosion_px + 2)
    surface = _surface(mask[window], depth_m[window], camera, config)
    if surface is None:
        return None
    whole_depth, whole_usable = np.zeros(mask.shape), np.zeros(mask.shape, bool)
    whole_depth[window], whole_usable[window] = surface.depth_m, surface.usable
    return Surface(whole_depth, whole_usable, surface.fraction)


def bounding_window(mask: np.ndarray, margin_px: int = 0) -> tuple[slice, slice]:
    """Rows and columns of a (H, W) mask's box with a margin, within the image."""
    box = box_xyxy(mask)
    if box is None:
        return slice(0, 0), slice(0, 0)
    left, top, right, bottom = box
    return (slice(max(top - margin_px, 0), bottom + 1 + margin_px),
            slice(max(left - margin_px, 0), right + 1 + margin_px))


def _surface(mask: np.ndarray, depth_m: np.ndarray, camera: Camera,
             config: GraspConfig) -> Surface | None:
    valid = mask & np.isfinite(depth_m) & (np.nan_to_num(depth_m) > 0)
    if valid.sum() < config.min_points:
        return None
    depth = np.where(valid, depth_m, 0).astype(np.float64)
    valid = valid & ~_outliers(depth, valid, config)
    fraction = float(valid.sum() / mask.sum())
    steep = _edge_on(depth, valid, camera, config)
    for rim_px in range(config.erosion_px, -1, -1):
        # A thin object has no inside; its rim is then all there is.
        usable = valid & erode(mask, rim_px) & ~steep
        if usable.sum() >= max(config.min_points, 0.2 * valid.sum()):
            break
    if usable.sum() < config.min_points:
        usable = valid
    if usable.sum() < config.min_points:
        return None
    return Surface(fill_nearest(depth, usable, mask), usable, fraction)


def hidden_share(outline: Outline, surface: Surface, depth_m: np.ndarray) -> float:
    """Share of an outline, 0..1, beyond which something nearer to the camera begins.

    There the outline is that of what hides the object, and the object may go on behind it.

    Args:
        outline: of the region.
        surface: its visible surface.
        depth_m: (H, W) metres of the whole image.
    """
    height, width = depth_m.shape

    def at(image: np.ndarray, offset_px: float) -> np.ndarray:
        u, v = np.rint(outline.points + offset_px * outline.normals).astype(int).T
        inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
        values = image[np.clip(v, 0, height - 1), np.clip(u, 0, width - 1)]
        return np.where(inside & np.isfinite(values) & (values > 0), values, np.nan)

    step = at(surface.depth_m, -_BESIDE_PX) - at(depth_m, _BESIDE_PX)
    # Comparing with NaN, where a side has no reading, gives False.
    return float(np.mean(step > _STEP_M))


def back_project(u: np.ndarray, v: np.ndarray, depth_m: np.ndarray, camera: Camera) -> np.ndarray:
    """(..., 3) metres in the optical frame of pixels (u, v) at depth z, through the lens."""
    depth_m = np.asarray(depth_m)
    return np.concatenate(
        [rays(u, v, camera) * depth_m[..., None], depth_m[..., None]], -1)


def erode(mask: np.ndarray, pixels: int) -> np.ndarray:
    """The mask without its outer `pixels`; the image's border does not count as outside."""
    if pixels == 0:
        return mask
    cv2 = require_package('cv2', 'grasp')
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT,
                     borderValue=1).astype(bool))


def fill_nearest(depth_m: np.ndarray, usable: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W): in the mask the depth of the nearest usable pixel, 0 outside."""
    cv2 = require_package('cv2', 'grasp')
    _, labels = cv2.distanceTransformWithLabels(
        (~usable).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    values = np.zeros(labels.max() + 1)
    values[labels[usable]] = depth_m[usable]
    return np.where(mask, values[labels], 0.0)


def robust_fit(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients of `values` by `design`, least squares reweighted by Tukey's biweight.

    Args:
        design: (M, C), its last column the constant 1.
        values: (M,).

    Returns:
        (C,). It starts from the median of `values`, so that the first residuals are not what
        outliers made them.
    """
    fit = np.zeros(design.shape[1])
    fit[-1] = np.median(values)
    for _ in range(6):
        residual = np.abs(values - design @ fit)
        scale = max(_MAD_TO_SIGMA * np.median(residual), 1e-9)
        weights = np.clip(1 - (residual / (4 * scale)) ** 2, 0, None) ** 2
        if np.count_nonzero(weights) < design.shape[1]:
            break
        weighted = design * weights[:, None]
        fit = np.linalg.lstsq(weighted.T @ design, weighted.T @ values, rcond=None)[0]
    return fit


def _outliers(depth: np.ndarray, valid: np.ndarray, config: GraspConfig) -> np.ndarray:
    """Readings far from a plane in inverse depth that is fitted robustly to the region.

    A plane in the world is linear in inverse depth over the picture, whatever the perspective.
    What a curved object deviates from it is part of the spread that the limit is taken from.
    """
    v, u = pixels_vu(valid)
    inverse = 1 / depth[v, u]  # (M,)
    design = np.stack([u - u.mean(), v - v.mean(), np.ones(len(u))], 1)  # (M, 3)
    design[:, :2] /= max(np.abs(design[:, :2]).max(), 1.0)
    stride = max(len(u) // _FIT_POINTS, 1)
    model = 1 / np.maximum(design @ robust_fit(design[::stride], inverse[::stride]), 1e-6)
    residual = np.abs(depth[v, u] - model)
    limit = max(config.mad_limit * _MAD_TO_SIGMA * np.median(residual), config.min_deviation_m)
    rejected = np.zeros(valid.shape, bool)
    rejected[v, u] = residual > limit
    return rejected


def _edge_on(depth: np.ndarray, valid: np.ndarray, camera: Camera,
             config: GraspConfig) -> np.ndarray:
    """Readings whose surface is seen at more than `max_slant` from its normal.

    At such a slant the depth changes by z tan(slant) / f from one pixel to the next, which on a
    real object is the last pixel of its rim, and otherwise a reading between two surfaces.
    """
    steepest = np.zeros(depth.shape)
    for axis, focal in ((0, camera.fy), (1, camera.fx)):
        for shift in (1, -1):
            neighbour = np.roll(depth, shift, axis)
            both = valid & np.roll(valid, shift, axis)
            change = np.where(both, np.abs(depth - neighbour), 0) * focal
            steepest = np.maximum(steepest, change / np.maximum(depth, 1e-6))
    return np.asarray(valid & (steepest > np.tan(min(config.max_slant, np.pi / 2 - 1e-3))))
