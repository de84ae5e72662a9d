"""Eq. (8): mask proposals from the correlation map itself, with no segmentor.

Letters: N proposals, T thresholds, H W image height and width.
"""

from collections.abc import Sequence

import numpy as np

from refdiff_ros.masks import window
from refdiff_ros.optional import require_package

# Parts of fewer pixels than this share of the image are specks.
_SMALLEST_PART = 1 / 2000


def weight_free_proposals(correlation: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Eq. (8): one mask per threshold, the places where c is at least mu.

    Args:
        correlation: (H, W) float, the map c of Eq. (5), in 0..1.
        thresholds: the values mu, in 0..1.

    Returns:
        (N, H, W) bool, N thresholds.
    """
    mu = np.asarray(thresholds, correlation.dtype)
    return correlation[None] >= mu[:, None, None]  # (N, H, W)


def keep_largest_parts(masks: np.ndarray) -> None:
    """Leave the largest connected part (8 neighbours) of each mask.

    Args:
        masks: (N, H, W) bool, changed in place; an empty mask stays empty.

    Raises:
        MissingPackageError: OpenCV is not installed.
    """
    label = require_package('cv2', 'grasp').connectedComponentsWithStats
    for mask in masks:
        part = mask[window(mask)]
        if not part.size:
            continue
        count, labels, figures, _ = label(part.view(np.uint8), connectivity=8)
        if count > 2:
            part[:] = labels == 1 + int(figures[1:, 4].argmax())  # the largest area


def connected_parts(masks: np.ndarray) -> np.ndarray:
    """Each connected part (8 neighbours) of each mask as a mask of its own, without repeats.

    Args:
        masks: (T, H, W) bool.

    Returns:
        (N, H, W) bool, parts of the first mask first. Specks of less than 1/2000 of the image
        are left out.

    Raises:
        MissingPackageError: OpenCV is not installed.
    """
    label = require_package('cv2', 'grasp').connectedComponentsWithStats
    smallest = max(1, _SMALLEST_PART * masks[0].size) if len(masks) else 1
    parts: dict[bytes, np.ndarray] = {}
    for mask in masks:
        count, labels, figures, _ = label(mask.astype(np.uint8), connectivity=8)
        for number in range(1, count):
            if figures[number, 4] >= smallest:  # its area
                part = labels == number  # (H, W)
                parts.setdefault(np.packbits(part).tobytes(), part)
    return np.stack(list(parts.values())) if parts else np.zeros((0, *masks.shape[1:]), bool)
