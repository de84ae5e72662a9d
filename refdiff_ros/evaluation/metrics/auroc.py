"""AUROC: how well a figure orders cases of one kind before those of another.

The area under the receiver operating characteristic, by ranks (Mann and Whitney, 1947): the chance
that a positive case has the higher figure; equal figures count half.
"""

from collections.abc import Sequence

import numpy as np

from refdiff_ros.errors import BadRequestError


def auroc(figure: Sequence[float], positive: Sequence[bool]) -> float:
    """The area under the curve.

    Example:
        >>> auroc([0.9, 0.4, 0.6, 0.1], [True, True, False, False])
        0.75

    Args:
        figure: (N,) finite numbers.
        positive: (N,) whether each is a positive case.

    Returns:
        0..1; 0.5 for a figure that says nothing, NaN without cases of both kinds.

    Raises:
        BadRequestError: two lengths, or a figure that is not finite.
    """
    values, kind = np.asarray(figure, float), np.asarray(positive, bool)
    if values.ndim != 1 or values.shape != kind.shape or not np.isfinite(values).all():
        raise BadRequestError('expected as many finite figures as kinds, each (N,), got '
                              f'{values.shape} and {kind.shape}')
    above, below = values[kind], np.sort(values[~kind])
    if not len(above) or not len(below):
        return float('nan')
    lower = np.searchsorted(below, above, 'left')
    not_higher = np.searchsorted(below, above, 'right')
    return float((lower + not_higher).mean() / (2 * len(below)))
