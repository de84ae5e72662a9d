"""How far a confidence can be believed: reliability diagram, expected calibration error, Brier.

ECE after Naeini, Cooper and Hauskrecht, AAAI 2015; with bins of equal width, as is usual.
By hand, since the report draws the same bins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refdiff_ros.errors import BadRequestError

BINS = 10


@dataclass(frozen=True)
class Bin:
    """The cases whose confidence is in [low, high); the last bin has its upper bound too.

    Attributes:
        low, high: bounds, 0..1.
        count: cases.
        confidence: mean of theirs; NaN without any.
        right: share of them that are right; NaN without any.
    """

    low: float
    high: float
    count: int
    confidence: float
    right: float


def reliability_bins(
    confidence: Sequence[float], right: Sequence[float], bins: int = BINS,
) -> list[Bin]:
    """The reliability diagram: what share is right where how much is claimed.

    Args:
        confidence: (N,) 0..1.
        right: (N,) 0 or 1.
        bins: of equal width.

    Raises:
        BadRequestError: two lengths, or values out of range.
    """
    claimed, held = _checked(confidence, right)
    if bins < 1:
        raise BadRequestError(f'expected 1 bin or more, got {bins}')
    edges = np.linspace(0, 1, bins + 1)
    place = np.minimum((claimed * bins).astype(int), bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        means = (claimed[inside].mean(), held[inside].mean()) if inside.any() else (np.nan,) * 2
        found.append(Bin(float(edges[number]), float(edges[number + 1]), int(inside.sum()),
                         *map(float, means)))
    return found


def expected_calibration_error(
    confidence: Sequence[float], right: Sequence[float], bins: int = BINS,
) -> float:
    """Mean distance of claimed and held over the bins, each weighed by its cases.

    Example:
        >>> round(expected_calibration_error([0.9, 0.9, 0.2], [1, 0, 0]), 3)
        0.333

    Args:
        confidence, right, bins: as in `reliability_bins`.

    Returns:
        0..1; NaN without cases. With few cases it is above 0 also for a perfect confidence.

    Raises:
        BadRequestError: as in `reliability_bins`.
    """
    found = [each for each in reliability_bins(confidence, right, bins) if each.count]
    if not found:
        return float('nan')
    off = sum(each.count * abs(each.confidence - each.right) for each in found)
    return off / sum(each.count for each in found)


def brier_score(confidence: Sequence[float], right: Sequence[float]) -> float:
    """Mean squared distance of the confidence from what happened.

    Example:
        >>> brier_score([1.0, 0.5], [1, 0])
        0.125

    Args:
        confidence, right: as in `reliability_bins`.

    Returns:
        0..1, lower is better; 0.25 for one who always says 0.5. NaN without cases.

    Raises:
        BadRequestError: as in `reliability_bins`.
    """
    claimed, held = _checked(confidence, right)
    return float(((claimed - held) ** 2).mean()) if len(claimed) else float('nan')


def _checked(
    confidence: Sequence[float], right: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    claimed, held = np.asarray(confidence, float), np.asarray(right, float)
    if claimed.ndim != 1 or claimed.shape != held.shape:
        raise BadRequestError('expected as many confidences as outcomes, each (N,), got '
                              f'{claimed.shape} and {held.shape}')
    if not (((claimed >= 0) & (claimed <= 1)).all() and np.isin(held, (0, 1)).all()):
        raise BadRequestError('expected confidences in 0..1 and outcomes of 0 or 1, got others')
    return claimed, held
