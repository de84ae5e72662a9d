"""Pointing: whether the root token's map c (Eq. (5)) peaks on the object that is meant."""

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.results import describe_array


def pointing(correlation: np.ndarray, truth: np.ndarray) -> float:
    """Whether the maximum of `correlation` lies in `truth`.

    Example:
        >>> pointing(np.array([[0.1, 0.9, 0.3]]), np.array([[False, True, True]]))
        1.0

    Args:
        correlation: (H, W) floating point.
        truth: (H, W) bool.

    Returns:
        1 or 0. Where several pixels share the maximum, the share of them that lies in `truth`:
        a flat map earns no more than chance.

    Raises:
        BadRequestError: another type or size, or a map that is not finite.
    """
    if truth.dtype != bool or truth.ndim != 2 or correlation.shape != truth.shape:
        raise BadRequestError('expected a map and a truth (H, W) bool of one size, got '
                              f'{describe_array(correlation)} and {describe_array(truth)}')
    if not np.isfinite(correlation).all():
        raise BadRequestError('expected a finite map, got NaN or infinities in it')
    return float(truth[correlation == correlation.max()].mean())
