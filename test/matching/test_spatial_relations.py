"""How well two regions stand in a relation."""

import numpy as np
import pytest

from refdiff_ros.matching.region_geometry import measure
from refdiff_ros.matching.spatial_relations import next_to


def square(left, width=30, top=60):
    mask = np.zeros((150, 200), bool)
    mask[top:top + width, left:left + width] = True
    return mask


@pytest.mark.parametrize('apart, least, most', [
    (1, 0.98, 1.0),  # of the picture's 200 columns
    (20, 0.85, 1.0),
    (34, 0.4, 0.6),
    (50, 0.0, 0.1),
    (90, 0.0, 0.001),
])
def test_things_are_next_to_each_other_while_the_gap_is_small(apart, least, most):
    regions = measure(np.stack([square(20), square(50 + apart)]))
    fit = next_to(regions, regions)
    assert fit[0, 1] == pytest.approx(fit[1, 0])
    assert least <= fit[0, 1] <= most


def test_what_stands_on_something_is_not_next_to_it():
    plate = np.zeros((150, 200), bool)
    plate[80:120, 60:160] = True
    ball = square(100, width=20, top=90)
    fit = next_to(*(measure(mask[None]) for mask in (ball, plate & ~ball)))
    assert fit[0, 0] < 0.2
