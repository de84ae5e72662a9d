"""Is one run better than another on the same samples, or by chance? The paired t-test."""

from collections.abc import Sequence

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package


def paired_t_test(
    before: Sequence[float] | np.ndarray, after: Sequence[float] | np.ndarray,
) -> tuple[float | None, float | None]:
    """Student's test for pairs: t and the two-sided p of `after - before`.

    t = mean(d) / (s(d) / sqrt(N)) of the differences d with their sample standard deviation s, and
    N - 1 degrees of freedom. It takes pairs for independent: where several belong to one picture,
    the bootstrap with pictures drawn whole is the more careful figure.

    Example:
        >>> t, p = paired_t_test([1, 2, 3, 4], [2, 2, 5, 5])
        >>> round(t, 4), round(p, 4)
        (2.4495, 0.0917)

    Args:
        before, after: (N,) values, pair by pair.

    Returns:
        t and p; None for both without two pairs, or where all pairs differ by the same.

    Raises:
        BadRequestError: lengths that differ, or values that are not finite.
        MissingPackageError: SciPy is not installed.
    """
    first, second = np.asarray(before, float), np.asarray(after, float)
    if first.ndim != 1 or first.shape != second.shape:
        raise BadRequestError('expected as many values before as after, each (N,), got '
                              f'{first.shape} and {second.shape}')
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise BadRequestError('expected finite values, got others')
    stats = require_package('scipy.stats', 'datasets')
    if len(first) < 2 or np.ptp(second - first) == 0:
        return None, None
    found = stats.ttest_rel(second, first)
    return float(found.statistic), float(found.pvalue)
