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
    assert whole.features.shape[2:] == (side // patch, side // patch)
    assert part.input_hw == whole.input_hw == (side * 3 // 4, side)
    assert part.features.shape[2:] == (-(-part.input_hw[0] // patch), side // patch)
    assert part.drawn_hw == tuple(patch * n for n in part.features.shape[2:])


@pytest.mark.parametrize('size_hw', [(48, 64), (47, 64), (33, 64), (64, 37), (64, 64), (5, 64)])
def test_upscaling_what_is_drawn_is_segment_anythings_upscaling_of_everything(size_hw):
    sam = tiny_sam()
    patch = sam.image_encoder.patch_embed.proj.kernel_size[0]
    made = embed(sam, frame(*size_hw), ProposalConfig())
    everything = torch.randn(3, *(4 * n for n in made.features.shape[2:]))
    rows, columns = (4 * length // patch for length in made.drawn_hw)
    found = made.upscale(everything[:, :rows, :columns])
    expected = sam.postprocess_masks(everything[:, None], made.input_hw, made.size_hw)[:, 0]
    torch.testing.assert_close(found, expected)
    # One row and column of patches at most beyond the picture.
    assert all(drawn <= inside + patch for drawn, inside in zip(made.drawn_hw, made.input_hw))


def test_a_smaller_square_or_no_padding_puts_a_mask_where_it_was():
    sam = tiny_sam()
    patch = sam.image_encoder.patch_embed.proj.kernel_size[0]
    for config in (ProposalConfig(), ProposalConfig(pad_square=False),
                   ProposalConfig(image_side=patch * 2)):
        made = embed(sam, frame(), config)
        rows, columns = (4 * length // patch for length in made.drawn_hw)
        # A mask of the picture's left half, drawn on the decoder's grid.
        logits = torch.full((1, rows, columns), -1.0)
        logits[..., :round(columns * 32 / 64 * made.input_hw[1] / made.drawn_hw[1])] = 1.0
        found = made.upscale(logits)[0] > 0
        assert found.shape == (48, 64)
        assert found.float().mean() == pytest.approx(0.5, abs=0.03)
        assert found[:, :30].all() and not found[:, 34:].any()


def test_a_side_that_cuts_a_patch_is_refused():
    with pytest.raises(BadRequestError, match='multiple of'):
        embed(tiny_sam(), frame(), ProposalConfig(image_side=33))
