"""Which points of the grid are asked about."""

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals.points import point_grid, prompt_points, standing_out


def _table(rng: np.random.Generator) -> np.ndarray:
    """A table lit from one side, with grain, (240, 320, 3)."""
    y, x = np.mgrid[:240, :320]
    light = 120 + 0.25 * x - 0.1 * y - 0.0004 * (x - 160) ** 2
    return np.clip(light[..., None] * (1, 0.8, 0.6) + rng.normal(0, 3, (240, 320, 3)), 0,
                   255).astype(np.uint8)


def _cells(points: np.ndarray) -> set[tuple[int, int]]:
    return {(int(y * 240), int(x * 320)) for x, y in points}


def test_all_points_are_asked_unless_a_share_is_wanted():
    image = _table(np.random.default_rng(0))
    for config in (ProposalConfig(points_per_side=8), ProposalConfig(points_per_side=1,
                                                                     points_kept=0.1)):
        np.testing.assert_array_equal(
            prompt_points(image, config), point_grid(config.points_per_side))


@pytest.mark.parametrize('colour', [(200, 30, 30), (255, 255, 255), (20, 20, 20)])
def test_what_stands_on_the_table_is_asked_about(colour):
    image = _table(np.random.default_rng(1))
    image[100:150, 40:90] = colour
    image[60:80, 250:275] = colour
    kept = prompt_points(image, ProposalConfig(points_per_side=14, points_kept=0.2))
    assert len(kept) == round(0.2 * 14 ** 2)
    every, mine = _cells(point_grid(14)), _cells(kept)
    on_objects = {(y, x) for y, x in every
                  if 100 <= y < 150 and 40 <= x < 90 or 60 <= y < 80 and 250 <= x < 275}
    assert len(on_objects) >= 8 and on_objects <= mine
    # As the grid has them: row by row.
    order = [tuple(point) for point in point_grid(14).tolist()]
    rows = [order.index(tuple(point)) for point in kept.tolist()]
    assert rows == sorted(rows)


def test_a_picture_of_one_colour_stands_out_nowhere():
    far = standing_out(np.full((48, 64, 3), 90, np.uint8), 6)
    assert far.shape == (36,) and far.max() < 1e-6


@pytest.mark.parametrize('share', [0.0, -0.5, 1.5, float('nan')])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(BadRequestError, match='points_kept'):
        ProposalConfig(points_kept=share)
