"""mIoU: every case counts the same, however large its region is."""

import numpy as np

from refdiff_ros.evaluation.metrics.overlap import ious


def mean_iou(intersections: np.ndarray, unions: np.ndarray) -> float:
    """The mean over cases of intersection over union.

    Example:
        >>> mean_iou([1, 30], [2, 120])
        0.375

    Args:
        intersections, unions: (N,) pixels of N cases.

    Returns:
        0..1; an empty answer to an empty truth counts 1. NaN without cases.

    Raises:
        BadRequestError: two lengths, or counts that no two masks have.
    """
    values = ious(intersections, unions)
    return float(values.mean()) if len(values) else float('nan')
