"""How long answers take: the mean, percentiles and the worst."""

from collections.abc import Sequence

import numpy as np

from refdiff_ros.errors import BadRequestError

PERCENTILES = (50, 95, 99)


def latency_ms(seconds: Sequence[float]) -> dict[str, float | None]:
    """Figures of N durations, in milliseconds.

    Example:
        >>> latency_ms([0.1, 0.2, 0.3])['p50_ms']
        200.0

    Args:
        seconds: (N,) durations, 0 or more.

    Returns:
        'mean_ms', 'p50_ms', 'p95_ms', 'p99_ms' and 'max_ms', rounded to 0.1; None without
        durations. Between two durations a percentile is interpolated.

    Raises:
        BadRequestError: a duration is negative or not finite.
    """
    values = np.asarray(seconds, float) * 1e3
    if not (np.isfinite(values) & (values >= 0)).all():
        raise BadRequestError('expected finite durations of 0 or more, got others')
    names = ['mean_ms', *(f'p{percent}_ms' for percent in PERCENTILES), 'max_ms']
    if not len(values):
        return dict.fromkeys(names)
    found = [values.mean(), *np.percentile(values, PERCENTILES), values.max()]
    return {name: round(float(value), 1) for name, value in zip(names, found, strict=True)}
