"""Pr@t: how often the answer is good enough."""

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.overlap import ious

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def precision_at(intersections: np.ndarray, unions: np.ndarray, threshold: float) -> float:
    """The share of cases whose IoU is `threshold` or more.

    Example:
        >>> precision_at([5, 4, 9], [10, 10, 10], 0.5)
        0.6666666666666666

    Args:
        intersections, unions: (N,) pixels of N cases.
        threshold: in (0, 1]; usually one of `THRESHOLDS`.

    Returns:
        0..1; an empty answer to an empty truth has IoU 1. NaN without cases.

    Raises:
        BadRequestError: two lengths, counts that no two masks have, or another threshold.
    """
    if not 0 < threshold <= 1:
        raise BadRequestError(f'expected a threshold in (0, 1], got {threshold}')
    values = ious(intersections, unions)
    return float((values >= threshold).mean()) if len(values) else float('nan')
