"""Eq. (9) and Eq. (1): how well each proposal fits the correlation map, and both scores in one.

Letters: N proposals, H W image height and width.
"""

from collections.abc import Sequence

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.masks import window
from refdiff_ros.presets import Mode, SelectionConfig
from refdiff_ros.results import describe_array
from refdiff_ros.stages import stage

Window = tuple[slice, slice]


@stage('scoring')
def generative(
    correlation: np.ndarray, masks: np.ndarray, windows: Sequence[Window] | None = None,
) -> np.ndarray:
    """Eq. (9): mean of c inside each proposal minus its mean outside.

    The outside mean comes from the whole map's sum, so that only what is in a proposal's box is
    read. Where a side has no pixels Eq. (9) is 0/0; its mean is taken as 0.

    Args:
        correlation: (H, W) float, the map c of Eq. (5).
        masks: (N, H, W) bool.
        windows: rows and columns of each one's box, if the caller knows them.

    Returns:
        (N,) float32, in -1..1 for c in 0..1.

    Raises:
        BadRequestError: the shapes or types do not fit.
    """
    if masks.ndim != 3 or masks.dtype != bool or masks.shape[1:] != correlation.shape:
        raise BadRequestError(
            f'expected masks (N, {correlation.shape[0]}, {correlation.shape[1]}) bool, '
            f'got {describe_array(masks)}')
    # Float64: with few pixels outside, the outside sum is a small difference of large ones.
    c = correlation.astype(np.float64)
    inside_sum, inside = np.zeros(len(masks), np.float64), np.zeros(len(masks), np.int64)
    for row, place in enumerate(map(window, masks) if windows is None else windows):
        part = masks[row][place]
        inside_sum[row], inside[row] = c[place][part].sum(), np.count_nonzero(part)
    outside = c.size - inside
    outside_sum = c.sum() - inside_sum
    mean_inside = inside_sum / np.maximum(inside, 1)
    mean_outside = np.where(outside > 0, outside_sum / np.maximum(outside, 1), 0.0)
    return np.asarray((mean_inside - mean_outside).astype(np.float32))


def otsu(generative_score: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The root of Otsu's criterion: Eq. (9) times sqrt(w * (1 - w)), w a mask's share.

    Eq. (9) alone is largest for the few brightest pixels. This is largest for the region that best
    parts the map in two (N. Otsu, IEEE Trans. SMC 9(1), 1979).

    Args:
        generative_score: (N,), Eq. (9).
        masks: (N, H, W) bool.

    Returns:
        (N,) float32.
    """
    share = masks.mean(axis=(1, 2))
    return np.asarray((generative_score * np.sqrt(share * (1 - share))).astype(np.float32))


@stage('scoring')
def combine(
    generative_score: np.ndarray,
    discriminative_score: np.ndarray,
    mode: Mode,
    config: SelectionConfig,
) -> np.ndarray:
    """Eq. (1): s = alpha*G + (1 - alpha)*D, or D + alpha*G as the authors' code adds them.

    Args:
        generative_score: (N,), unused in mode DS.
        discriminative_score: (N,), unused in modes G and GS.
        mode: which of the two scores count.
        config: alpha and the kind of combination.

    Returns:
        (N,) float32; NaN where a score that counts is NaN.
    """
    if not mode.discriminative:
        return generative_score.astype(np.float32)
    if not mode.generative:
        return discriminative_score.astype(np.float32)
    alpha = config.alpha
    if config.combination == 'additive':
        return (discriminative_score + alpha * generative_score).astype(np.float32)
    return (alpha * generative_score + (1 - alpha) * discriminative_score).astype(np.float32)
