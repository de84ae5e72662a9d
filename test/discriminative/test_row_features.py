"""Features computed once per row."""

import numpy as np
import pytest
import torch

from refdiff_ros.discriminative.row_features import RowFeatures


def tenfold(asked):
    """Computes a feature of ten times the row, and notes in `asked` which were wanted."""
    def compute(rows):
        asked.append(rows.tolist())
        return torch.from_numpy(rows * 10.0)[:, None]
    return compute


def test_each_row_is_computed_once_and_given_in_order():
    asked = []
    compute = tenfold(asked)
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


def test_features_move_with_their_rows_and_the_rest_is_computed():
    asked = []
    compute = tenfold(asked)
    features = RowFeatures(4)
    features.get(np.array([1, 3]), compute)
    moved = features.moved(np.array([-1, 3, 0, 1]))
    assert moved.get(np.array([1, 3]), compute)[:, 0].tolist() == [30, 10]
    assert asked == [[1, 3]]
    assert moved.get(np.arange(4), compute)[:, 0].tolist() == [0, 30, 20, 10]
    assert asked[1:] == [[0, 2]]
    assert features.get(np.array([0]), compute)[:, 0].tolist() == [0]


def test_where_nothing_is_filled_nothing_moves():
    asked = []
    RowFeatures(0).moved(np.array([-1, -1])).get(
        np.array([0, 1]), lambda rows: asked.append(rows.tolist()) or torch.ones(2, 1))
    assert asked == [[0, 1]]
