"""The reordered mask decoder against segment-anything's own, in double precision."""

import pytest
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
import torch

from refdiff_ros.proposals import sam_decoder

WIDTH, GRID = 32, (5, 7)


def models(depth, heads=4):
    torch.manual_seed(depth)
    decoder = MaskDecoder(
        transformer_dim=WIDTH, transformer=TwoWayTransformer(depth, WIDTH, heads, 48))
    encoder = PromptEncoder(WIDTH, GRID, (80, 112), 4)
    with torch.no_grad():
        for weight in [*decoder.parameters(), *encoder.no_mask_embed.parameters()]:
            weight.normal_(std=0.3)  # biases too, which start at zero
    return decoder.double().eval(), encoder.eval()


def inputs(encoder, count):
    points = torch.rand(count, 1, 2) * 80
    features = torch.randn(1, WIDTH, *GRID, dtype=torch.float64)
    sparse, dense = encoder(
        points=(points, torch.ones(count, 1, dtype=torch.int)), boxes=None, masks=None)
    return features, encoder.get_dense_pe().double(), sparse.double(), dense.double()


@torch.no_grad()
@pytest.mark.parametrize('count', [1, 3])
@pytest.mark.parametrize(('depth', 'heads'), [(1, 4), (2, 2), (3, 8)])
def test_masks_and_quality_are_the_originals(depth, heads, count):
    decoder, encoder = models(depth, heads)
    features, positions, sparse, dense = inputs(encoder, count)
    masks, quality = decoder(
        image_embeddings=features, image_pe=positions, sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense, multimask_output=True)
    seen = sam_decoder.picture(features, positions, encoder.no_mask_embed.weight.double())
    tokens, places = sam_decoder.attend(decoder, seen, sparse)
    drawn = sam_decoder.draw(decoder, tokens, places, seen.size_hw)
    assert masks.std() > 0.1
    torch.testing.assert_close(drawn, masks, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        decoder.iou_prediction_head(tokens[:, 0])[:, 1:], quality, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_no_prompts_give_no_masks():
    decoder, encoder = models(depth=2)
    features, positions, sparse, _ = inputs(encoder, 2)
    seen = sam_decoder.picture(features, positions, encoder.no_mask_embed.weight.double())
    tokens, places = sam_decoder.attend(decoder, seen, sparse)
    none = torch.zeros(2, dtype=torch.bool)
    drawn = sam_decoder.draw(decoder, tokens[none], places[none], GRID)
    assert drawn.shape == (0, decoder.num_mask_tokens - 1, 4 * GRID[0], 4 * GRID[1])


@torch.no_grad()
def test_a_prompt_does_not_depend_on_its_neighbours():
    decoder, encoder = models(depth=2)
    features, positions, sparse, _ = inputs(encoder, 4)
    seen = sam_decoder.picture(features, positions, encoder.no_mask_embed.weight.double())
    together, _ = sam_decoder.attend(decoder, seen, sparse)
    alone, _ = sam_decoder.attend(decoder, seen, sparse[2:3])
    torch.testing.assert_close(together[2:3], alone, rtol=1e-10, atol=1e-10)
