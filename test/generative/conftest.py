"""What tests of the diffusion model share: small real models and a picture."""

import numpy as np
import pytest
from tiny_models import tiny_diffusion

from refdiff_ros.results import Frame


@pytest.fixture(scope='module')
def models():
    """A diffusion model of random weights."""
    return tiny_diffusion()


@pytest.fixture(scope='module')
def frame():
    """A picture of noise."""
    rng = np.random.default_rng(0)
    return Frame(rng.integers(0, 256, (30, 48, 3), dtype=np.uint8))
