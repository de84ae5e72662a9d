"""Intersection over union of masks, and the figures made of it: mIoU, oIoU, Pr@t, recall.

By hand, since figures and bootstrap are made of the same whole pixels, and since an empty answer
to an empty truth is right here.

Letters: N cases or proposals, H W image height and width.
"""

from collections.abc import Sequence

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.results import describe_array

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def overlap(mask: np.ndarray, truth: np.ndarray) -> tuple[int, int]:
    """Intersection and union of two masks, in pixels.

    Example:
        >>> overlap(np.array([[True, True, False]]), np.array([[False, True, True]]))
        (1, 3)

    Args:
        mask, truth: (H, W) bool.

    Raises:
        BadRequestError: another type, or two sizes.
    """
    _check(mask, truth)
    return int(np.count_nonzero(mask & truth)), int(np.count_nonzero(mask | truth))


def iou(intersection: int, union: int) -> float:
    """Intersection over union, 0..1; 1 for an empty answer to an empty truth, which is right.

    Example:
        >>> iou(1, 4), iou(0, 0)
        (0.25, 1.0)
    """
    return intersection / union if union else 1.0


def require_overlap(intersection: int, union: int, value: float) -> None:
    """Refuse figures that no two masks have.

    Args:
        intersection, union: pixels.
        value: the IoU.

    Raises:
        BadRequestError: an intersection outside 0..union, or an IoU outside 0..1.
    """
    if not 0 <= intersection <= union or not 0 <= value <= 1:
        raise BadRequestError('expected 0 <= intersection <= union and an IoU in 0..1, got '
                              f'{intersection}, {union} and {value}')


def best_iou(proposals: np.ndarray, truth: np.ndarray) -> float:
    """IoU of the proposal that covers `truth` best, 0..1: what a perfect choice would reach.

    Example:
        >>> truth = np.array([[True, True, False, False]])
        >>> best_iou(np.array([[[True, True, True, True]], [[True, False, False, False]]]), truth)
        0.5

    Args:
        proposals: (N, H, W) bool.
        truth: (H, W) bool.

    Returns:
        The best IoU; 0 without proposals.

    Raises:
        BadRequestError: another type, or two sizes.
    """
    if proposals.ndim != 3:
        raise BadRequestError(
            f'expected proposals (N, H, W) bool, got {describe_array(proposals)}')
    return max((iou(*overlap(proposal, truth)) for proposal in proposals), default=0.0)


def mean_iou(intersections: np.ndarray, unions: np.ndarray) -> float:
    """mIoU, the mean over cases of intersection over union: each case counts the same.

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
    values = _ious(intersections, unions)
    return float(values.mean()) if len(values) else float('nan')


def overall_iou(intersections: np.ndarray, unions: np.ndarray) -> float:
    """oIoU, all intersections over all unions, the paper's main figure: large regions count more.

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
    shared, covered = _counts(intersections, unions)
    if not len(covered):
        return float('nan')
    return float(shared.sum() / covered.sum()) if covered.sum() else 1.0


def precision_at(intersections: np.ndarray, unions: np.ndarray, threshold: float) -> float:
    """Pr@t, the share of cases whose IoU is `threshold` or more.

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
    values = _ious(intersections, unions)
    return float((values >= threshold).mean()) if len(values) else float('nan')


def recall(best_ious: np.ndarray | Sequence[float], threshold: float) -> float:
    """Recall of proposals: the share of true masks that one covers with an IoU of `threshold`.

    Example:
        >>> recall([0.9, 0.4, 0.75, 0.0], 0.75)
        0.5

    Args:
        best_ious: (N,) of N true masks, each the IoU of the best proposal (`best_iou`).
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


def _counts(
    intersections: np.ndarray, unions: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Checked (N,) float64 pixel counts of N cases.

    Raises:
        BadRequestError: two lengths, or counts that no two masks have.
    """
    shared, covered = np.asarray(intersections, float), np.asarray(unions, float)
    if shared.ndim != 1 or shared.shape != covered.shape:
        raise BadRequestError('expected as many intersections as unions, each (N,), '
                              f'got {shared.shape} and {covered.shape}')
    # Written so that NaN fails as well.
    if not np.all((shared >= 0) & (shared <= covered)):
        raise BadRequestError('expected 0 <= intersection <= union in every case, '
                              'got others: count both with `overlap`')
    return shared, covered


def _ious(intersections: np.ndarray, unions: np.ndarray) -> np.ndarray:
    """(N,) float64 IoU of N cases, as `iou`.

    Raises:
        BadRequestError: as in `_counts`.
    """
    shared, covered = _counts(intersections, unions)
    return np.where(covered > 0, shared / np.maximum(covered, 1), 1.0)


def _check(mask: np.ndarray, truth: np.ndarray) -> None:
    for name, value in (('mask', mask), ('truth', truth)):
        if not isinstance(value, np.ndarray) or value.dtype != bool or value.ndim != 2:
            raise BadRequestError(f'expected a {name} (H, W) bool, got {describe_array(value)}')
    if mask.shape != truth.shape:
        raise BadRequestError(f'expected a mask of the truth\'s size {truth.shape}, '
                              f'got {mask.shape}: compare them at the image\'s size')
