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

    def moved(self, came_from: np.ndarray) -> 'RowFeatures':
        """The features of other proposals, as far as they are these.

        Args:
            came_from: (M,) the row of each here; -1 for one that is not here.
        """
        moved = RowFeatures(len(came_from))
        if self._features is None:
            return moved
        moved._filled = (came_from >= 0) & self._filled[came_from]
        # What -1 brings is not filled.
        rows = torch.from_numpy(came_from).to(self._features.device)
        moved._features = self._features[rows]  # (M, E)
        return moved
