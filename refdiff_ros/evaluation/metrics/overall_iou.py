"""oIoU, the paper's main figure: large regions count for more."""

import numpy as np

from refdiff_ros.evaluation.metrics.overlap import as_counts


def overall_iou(intersections: np.ndarray, unions: np.ndarray) -> float:
    """The sum of all cases' intersections over the sum of their unions.

    Example:
        >>> overall_iou([1, 30], [2, 98])
        0.31

    Args:
        intersections, unions: (N,) pixels of N cases.

    Returns:
        0..1; 1 when every answer and truth is empty, NaN without cases.

    Raises:
        BadRequestError: two lengths, or counts that no two masks have.
    """
    shared, covered = as_counts(intersections, unions)
    if not len(covered):
        return float('nan')
    return float(shared.sum() / covered.sum()) if covered.sum() else 1.0
