"""Which of several masks of one thing agrees best with the others."""

import numpy as np
import pytest
import torch

from refdiff_ros.errors import RefDiffError
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals.agreement import agreement


def bars(*widths, side=32):
    """Logits of masks that cover the first columns, 1 within and -1 beside."""
    columns = torch.arange(side).expand(side, side)
    return torch.stack([torch.where(columns < width, 1.0, -1.0) for width in widths])


def test_a_mask_agrees_by_its_mean_iou_with_those_like_it():
    found = agreement(bars(16, 20, 24), torch.tensor([1.0, 1.0, 2.0]), 0.0)
    # 16 of 20, 16 of 24, 20 of 24 columns.
    expected = [(1 + 0.8 + 2 * 16 / 24) / 4, (0.8 + 1 + 2 * 20 / 24) / 4,
                (16 / 24 + 20 / 24 + 2) / 4]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_masks_of_other_things_do_not_count():
    alone = agreement(bars(4, 30), torch.tensor([0.9, 0.1]), 0.0)
    np.testing.assert_allclose(alone, [1, 1], rtol=1e-6)


@pytest.mark.parametrize('quality', [0.0, -3.0])
def test_a_mask_of_no_quality_or_no_cell_agrees_with_itself(quality):
    logits = torch.cat([bars(10), torch.full((1, 32, 32), -1.0)])
    found = agreement(logits, torch.tensor([quality, quality]), 0.0)
    np.testing.assert_allclose(found, [1, 1], rtol=1e-6)


def test_large_grids_are_looked_at_with_steps():
    fine = agreement(bars(160, 200, 240, side=320), torch.ones(3), 0.0)
    coarse = agreement(bars(16, 20, 24), torch.ones(3), 0.0)
    np.testing.assert_allclose(fine, coarse, atol=0.01)


def test_half_precision_is_taken():
    found = agreement(bars(16, 20).half(), torch.tensor([0.5, 0.5]).half(), 0.0)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, [0.9, 0.9], rtol=1e-3)


def test_an_unknown_score_is_named():
    with pytest.raises(RefDiffError, match="nms_by 'predicted_iou' or 'agreement'"):
        ProposalConfig(nms_by='stability')
