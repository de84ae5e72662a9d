"""NumPy's products on one thread."""

import sys

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController
import torch

from refdiff_ros.engine import Engine
from refdiff_ros.models.blas import use_one_blas_thread
from refdiff_ros.presets import get_preset


@pytest.fixture
def numpys_library():
    """The library that multiplies for NumPy, set to three threads; as it was in the end."""
    found = [library for library in ThreadpoolController().lib_controllers
             if library.internal_api == 'openblas' and 'numpy' in library.filepath]
    if not found:
        pytest.skip('this NumPy multiplies without OpenBLAS')
    before = found[0].num_threads
    found[0].set_num_threads(3)
    yield found[0]
    found[0].set_num_threads(before)


def test_numpy_multiplies_on_one_thread_and_torch_on_as_many_as_before(numpys_library):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        use_one_blas_thread()
        assert numpys_library.num_threads == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    matrix = np.arange(9.0).reshape(3, 3)
    assert np.array_equal(matrix @ np.eye(3), matrix)


def test_without_threadpoolctl_nothing_changes(numpys_library, monkeypatch):
    monkeypatch.setitem(sys.modules, 'threadpoolctl', None)
    use_one_blas_thread()
    assert numpys_library.num_threads == 3


def test_an_engine_asks_for_it(numpys_library, models):
    Engine(models, get_preset('onboard'))
    assert numpys_library.num_threads == 1
