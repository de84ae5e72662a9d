"""Carries masks from frame to frame by dense optical flow.

OpenCV's flow by polynomial expansion (Farneback, "Two-Frame Motion Estimation Based on Polynomial
Expansion", SCIA 2003) says for each pixel of a picture where it was in the one before. Steps are
chained into one map back to the picture in which the masks were found, and the masks are looked up
through it once, so that they do not blur with the number of steps. Where flow there and back does
not end where it began (Sundaram et al., "Dense Point Trajectories by GPU-Accelerated Large
Displacement Optical Flow", ECCV 2010, its equation 5), a pixel's origin is unsure; the share of a
mask that is sure is what its confidence is lowered by.

Letters: H W height and width of a picture, h w those of the smaller one that flow is computed on.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package

# Longer side of the pictures that flow is computed on, pixels.
SIDE = 320
# Of the flow, chosen on simulated tabletops in motion (`bench/following.py`): from a true mask, a
# mean IoU of .89 over 3 s; .79 with OpenCV's DIS flow (medium), in about the same time.
_FLOW = {'pyr_scale': 0.5, 'levels': 4, 'winsize': 9, 'iterations': 2, 'poly_n': 5,
         'poly_sigma': 1.1, 'flags': 0}
# Of the check there and back: relative part, and pixels squared. The source's 0.01 and 0.5 call
# masks lost that are right (mean IoU .8 where a fourth is kept); with these, what is kept is a
# little below the IoU.
_RELATIVE, _ABSOLUTE = 0.05, 2.0
# An object of which less than this share is kept counts as lost.
LOST_BELOW = 0.4
_OUTSIDE = -1e4  # where a pixel that came into the picture was before


@dataclass(frozen=True)
class FlowStep:
    """Motion between two pictures.

    Attributes:
        back: (h, w, 2) float32, what to add to a pixel of the later picture, x and y, to have its
            place in the earlier one.
        sure: (h, w) bool, where flow there and back agree.
    """

    back: np.ndarray
    sure: np.ndarray


@dataclass(frozen=True)
class Carried:
    """Masks in a later picture.

    Attributes:
        masks: (N, H, W) bool.
        kept: (N,) 0..1, the share of each mask's area that is there and whose origin is sure.
    """

    masks: np.ndarray
    kept: np.ndarray


def small_grey(image_rgb: np.ndarray) -> np.ndarray:
    """(h, w) uint8 of a picture (H, W, 3) uint8; its longer side is 320 pixels or less."""
    cv2 = _cv2()
    height, width = image_rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size_wh = max(8, round(width * scale)), max(8, round(height * scale))
    small = image_rgb if scale == 1 else cv2.resize(
        image_rgb, size_wh, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def flow_step(earlier: np.ndarray, later: np.ndarray) -> FlowStep:
    """Motion between two pictures (h, w) uint8 of one size.

    Raises:
        BadRequestError: the sizes differ.
        MissingPackageError: OpenCV is not installed.
    """
    if earlier.shape != later.shape:
        raise BadRequestError(
            f'expected pictures of one size, got {earlier.shape} and {later.shape}')
    cv2 = _cv2()
    back = cv2.calcOpticalFlowFarneback(later, earlier, None, **_FLOW)
    there = cv2.calcOpticalFlowFarneback(earlier, later, None, **_FLOW)
    returned = cv2.remap(there, _grid(later.shape) + back, None, cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_CONSTANT, borderValue=(_OUTSIDE, _OUTSIDE))
    missed = np.square(returned + back).sum(-1)
    allowed = _RELATIVE * (np.square(returned).sum(-1) + np.square(back).sum(-1)) + _ABSOLUTE
    return FlowStep(back, missed <= allowed)


class MaskFlow:
    """Masks that were found in one picture, carried on step by step.

    Args:
        masks: (N, H, W) bool.
        shape: (h, w) of the pictures that steps are computed on.
    """

    def __init__(self, masks: np.ndarray, shape: tuple[int, int]):
        self._masks = masks
        self._areas = masks.sum((1, 2))
        self._places = _grid(shape)  # (h, w, 2): of each pixel, its place in the first picture
        self._sure = np.ones(shape, np.float32)

    def step(self, step: FlowStep) -> None:
        """Go on to the next picture."""
        cv2 = _cv2()
        grid = _grid(step.sure.shape) + step.back
        self._places = cv2.remap(
            self._places, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
            borderValue=(_OUTSIDE, _OUTSIDE))
        self._sure = cv2.remap(self._sure, grid, None, cv2.INTER_LINEAR) * step.sure

    def carried(self) -> Carried:
        """The masks in the picture that was reached."""
        cv2 = _cv2()
        height, width = self._masks.shape[1:]
        small_hw = self._sure.shape
        scale = np.array([width / small_hw[1], height / small_hw[0]], np.float32)
        places = cv2.resize((self._places + 0.5) * scale - 0.5, (width, height),
                            interpolation=cv2.INTER_LINEAR)
        sure = cv2.resize(self._sure, (width, height), interpolation=cv2.INTER_LINEAR)
        masks = np.stack([cv2.remap(
            mask.astype(np.uint8) * 255, places, None, cv2.INTER_LINEAR) > 127
            for mask in self._masks]) if len(self._masks) else self._masks
        kept = [sure[mask].sum() / max(area, mask.sum(), 1)
                for mask, area in zip(masks, self._areas, strict=True)]
        return Carried(masks, np.array(kept, np.float64))


def _grid(shape: tuple[int, int]) -> np.ndarray:
    """(h, w, 2) float32: each pixel's x and y."""
    rows, columns = np.indices(shape, np.float32)
    return np.stack([columns, rows], axis=-1)


@cache
def _cv2() -> Any:
    return require_package('cv2', 'ros')
