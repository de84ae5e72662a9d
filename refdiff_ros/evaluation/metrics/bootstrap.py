"""How sure a figure is: percentile bootstrap intervals.

By hand, since `scipy.stats.bootstrap` draws single cases: it knows no groups that are drawn whole.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from refdiff_ros.errors import BadRequestError

_DRAWS_AT_ONCE = 1 << 20


def bootstrap_interval(
    numerators: Sequence[float] | np.ndarray,
    denominators: Sequence[float] | np.ndarray | None = None,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean, or of a ratio of sums such as oIoU.

    Cases are drawn with replacement, as many as there are, and the figure is computed anew; the
    interval holds the middle `level` of the results.

    Example:
        >>> bootstrap_interval([0.5, 0.5, 0.5])
        (0.5, 0.5)
        >>> low, high = bootstrap_interval([0, 1] * 50)
        >>> bool(0.3 < low < 0.5 < high < 0.7)
        True

    Args:
        numerators: (N,) values of a mean, or the ratio's upper terms.
        denominators: (N,) the ratio's lower terms, 0 or more; None for a mean.
        groups: (N,) numbers or names; cases of one group (expressions of one scene) are drawn
            together, since they are not independent. None draws single cases.
        level: in (0, 1).
        resamples: how many times the figure is computed anew.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        Lower and upper bound; NaN without cases. A draw with a lower sum of 0 is left out.

    Raises:
        BadRequestError: lengths that differ, or values out of range.
    """
    above = np.asarray(numerators, float)
    below = np.ones_like(above) if denominators is None else np.asarray(denominators, float)
    _check(above, below, groups, level, resamples)
    if groups is not None and len(above):
        _, of_case = np.unique(np.asarray(groups), return_inverse=True)
        above, below = np.bincount(of_case, above), np.bincount(of_case, below)
    if not below.any():
        return float('nan'), float('nan')
    rng = np.random.default_rng(seed)
    figures = []
    step = max(_DRAWS_AT_ONCE // len(above), 1)
    for start in range(0, resamples, step):
        drawn = rng.integers(len(above), size=(min(step, resamples - start), len(above)))
        upper, lower = above[drawn].sum(1), below[drawn].sum(1)
        figures.append(upper[lower > 0] / lower[lower > 0])
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(figures), (tail, 1 - tail))
    return float(low), float(high)


def _check(
    above: np.ndarray, below: np.ndarray, groups: Sequence[Hashable] | None, level: float,
    resamples: int,
) -> None:
    if above.ndim != 1 or above.shape != below.shape:
        raise BadRequestError('expected as many numerators as denominators, each (N,), '
                              f'got {above.shape} and {below.shape}')
    if groups is not None and len(groups) != len(above):
        raise BadRequestError(f'expected {len(above)} groups, one a case, got {len(groups)}')
    if not (np.isfinite(above).all() and np.isfinite(below).all() and (below >= 0).all()):
        raise BadRequestError('expected finite numerators, and denominators of 0 or more, '
                              'got others: leave out cases without a value')
    if not 0 < level < 1 or resamples < 1:
        raise BadRequestError('expected a level in (0, 1) and resamples >= 1, got '
                              f'{level} and {resamples}')
