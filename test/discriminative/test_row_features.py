"""Features computed once per row."""

import numpy as np
import pytest
import torch

from refdiff_ros.discriminative.row_features import RowFeatures


def test_each_row_is_computed_once_and_given_in_order():
    asked = []

    def compute(rows):
        asked.append(rows.tolist())
        return torch.from_numpy(rows * 10.0)[:, None]
    features = RowFeatures(5)
    assert features.get(np.array([3, 1, 3]), compute)[:, 0].tolist() == [30, 10, 30]
    assert features.get(np.array([0, 1]), compute)[:, 0].tolist() == [0, 10]
    assert features.get(np.array([3, 0]), compute)[:, 0].tolist() == [30, 0]
    assert asked == [[1, 3], [0]]


def test_a_failed_computation_leaves_rows_unfilled():
    def fail(rows):
        raise MemoryError
    features = RowFeatures(2)
    with pytest.raises(MemoryError):
        features.get(np.array([0]), fail)
    found = features.get(np.array([0]), lambda rows: torch.ones(len(rows), 3))
    assert found.tolist() == [[1, 1, 1]]
