"""Recall of proposals: how many true masks a perfect choice among them could answer."""

import numpy as np

from refdiff_ros.errors import BadRequestError


def recall(best_ious: np.ndarray, threshold: float) -> float:
    """The share of true masks that some proposal covers with an IoU of `threshold` or more.

    Example:
        >>> recall([0.9, 0.4, 0.75, 0.0], 0.75)
        0.5

    Args:
        best_ious: (N,) of N true masks, each the IoU of the best proposal (`overlap.best_iou`).
        threshold: in (0, 1].

    Returns:
        0..1; NaN without masks.

    Raises:
        BadRequestError: IoUs outside 0..1, or another threshold.
    """
    values = np.asarray(best_ious, float)
    if not 0 < threshold <= 1:
        raise BadRequestError(f'expected a threshold in (0, 1], got {threshold}')
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise BadRequestError(f'expected IoUs (N,) in 0..1, got {best_ious}')
    return float((values >= threshold).mean()) if len(values) else float('nan')
