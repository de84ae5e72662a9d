"""A frame on its way into SAM and back."""

import numpy as np
import pytest
from tiny_models import tiny_sam
import torch

from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals.sam_embedding import embed
from refdiff_ros.results import Frame


def frame(height=48, width=64):
    return Frame(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_without_padding_only_the_pictures_patches_are_encoded():
    sam = tiny_sam()
    patch = sam.image_encoder.patch_embed.proj.kernel_size[0]
    side = sam.image_encoder.img_size
    whole = embed(sam, frame(), ProposalConfig())
    part = embed(sam, frame(), ProposalConfig(pad_square=False))
    assert whole.region_hw == (side, side)
    assert part.input_hw == whole.input_hw == (side * 3 // 4, side)
    assert part.region_hw == (-(-part.input_hw[0] // patch) * patch, side)
    assert part.features.shape[2:] == (part.region_hw[0] // patch, side // patch)


def test_upscaling_is_segment_anythings():
    sam = tiny_sam()
    made = embed(sam, frame(), ProposalConfig())
    logits = torch.randn(3, *(4 * n for n in made.features.shape[2:]))
    expected = sam.postprocess_masks(logits[:, None], made.input_hw, made.size_hw)[:, 0]
    torch.testing.assert_close(made.upscale(logits), expected)


def test_a_smaller_square_or_no_padding_puts_a_mask_where_it_was():
    sam = tiny_sam()
    patch = sam.image_encoder.patch_embed.proj.kernel_size[0]
    for config in (ProposalConfig(), ProposalConfig(pad_square=False),
                   ProposalConfig(image_side=patch * 2)):
        made = embed(sam, frame(), config)
        rows, columns = (4 * n for n in made.features.shape[2:])
        # A mask of the picture's left half, drawn on the decoder's grid.
        logits = torch.full((1, rows, columns), -1.0)
        logits[..., :round(columns * 32 / 64 * made.input_hw[1] / made.region_hw[1])] = 1.0
        found = made.upscale(logits)[0] > 0
        assert found.shape == (48, 64)
        assert found.float().mean() == pytest.approx(0.5, abs=0.03)
        assert found[:, :30].all() and not found[:, 34:].any()


def test_a_side_that_cuts_a_patch_is_refused():
    with pytest.raises(BadRequestError, match='multiple of'):
        embed(tiny_sam(), frame(), ProposalConfig(image_side=33))
