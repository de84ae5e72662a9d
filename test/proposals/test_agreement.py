"""How a mask is rated by the masks of other prompts."""

import numpy as np
import pytest
import torch

from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals.agreement import agreement


def logits_of(*boxes, side=128):
    """Masks of boxes x0, y0, x1, y1 as logits (B, side, side)."""
    logits = torch.full((len(boxes), side, side), -3.0)
    for mask, (x0, y0, x1, y1) in zip(logits, boxes, strict=True):
        mask[y0:y1, x0:x1] = 2.0
    return logits


WHOLE, PART, ELSEWHERE = (16, 16, 80, 80), (16, 16, 48, 80), (96, 96, 112, 112)


def test_a_mask_that_others_draw_too_is_rated_above_a_part_of_it():
    rated = agreement(logits_of(WHOLE, WHOLE, WHOLE, PART), 0.0, torch.ones(4))
    # Two others like it and its half; of the half, three others that are twice as large.
    np.testing.assert_allclose(rated, [2.5 / 3] * 3 + [0.5], atol=1e-6)


def test_what_the_model_thinks_well_of_counts_more():
    rated = agreement(logits_of(WHOLE, WHOLE, PART), 0.0, torch.tensor([1.0, 0.9, 0.1]))
    np.testing.assert_allclose(rated[0], (0.9 * 1 + 0.1 * 0.5) / 1.0, atol=1e-6)


def test_a_mask_without_company_and_an_empty_one_have_no_agreement():
    empty = (0, 0, 0, 0)
    rated = agreement(logits_of(WHOLE, ELSEWHERE, empty, empty), 0.0, torch.ones(4))
    assert rated.tolist() == [0.0] * 4
    assert agreement(logits_of(), 0.0, torch.ones(0)).shape == (0,)


@pytest.mark.parametrize('side', [64, 128, 200, 256])
def test_large_logits_are_compared_on_a_coarser_grid(side):
    boxes = [tuple(value * side // 128 for value in box) for box in (WHOLE, WHOLE, PART)]
    rated = agreement(logits_of(*boxes, side=side), 0.0, torch.ones(3))
    np.testing.assert_allclose(rated, [0.75, 0.75, 0.5], atol=0.02)


def test_another_word_is_refused():
    with pytest.raises(BadRequestError, match="rated_by 'model' or 'agreement'"):
        ProposalConfig(rated_by='votes')
