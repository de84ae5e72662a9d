"""Eq. 8: mask proposals from the correlation map itself, with no segmentor.

Letters: N proposals, H W image height and width.
"""

from collections.abc import Sequence

import numpy as np


def weight_free_proposals(correlation: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Eq. (8): one mask per threshold, the places where c is at least mu.

    Args:
        correlation: (H, W) float, the map c of Eq. 5, in 0..1.
        thresholds: the values mu, in 0..1.

    Returns:
        (N, H, W) bool, N thresholds.
    """
    mu = np.asarray(thresholds, correlation.dtype)
    return correlation[None] >= mu[:, None, None]  # (N, H, W)
