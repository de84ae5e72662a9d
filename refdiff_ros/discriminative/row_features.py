"""Features of proposals, computed row by row when first asked for.

Letters: N proposals, E width of a feature.
"""

from collections.abc import Callable

import numpy as np
import torch

from refdiff_ros.errors import BadRequestError


class RowFeatures:
    """The features of N proposals, of which some are filled."""

    def __init__(self, count: int):
        self._features: torch.Tensor | None = None
        self._filled = np.zeros(count, bool)

    def get(
        self, rows: np.ndarray, compute: Callable[[np.ndarray], torch.Tensor],
    ) -> torch.Tensor:
        """The features of `rows`.

        Args:
            rows: indices in 0..N-1, at least one.
            compute: takes the rows that are not filled yet, ascending, and gives their features
                (len, E); not called when there are none.

        Returns:
            (len(rows), E), in the order of `rows`.
        """
        missing = np.unique(rows[~self._filled[rows]])
        if len(missing):
            features = compute(missing)
            if self._features is None:
                self._features = features.new_zeros(len(self._filled), features.shape[1])  # (N, E)
            self._features[torch.from_numpy(missing).to(features.device)] = features
            self._filled[missing] = True
        kept = self._features
        if kept is None:
            raise BadRequestError('expected at least one row, got none: nothing is kept yet')
        return kept[torch.from_numpy(rows).to(kept.device)]
