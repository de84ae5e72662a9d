"""Eq. (7)'s masked-attention branch against the full computation."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_models import tiny_clip
import torch
from torch.nn import functional as F

from refdiff_ros.discriminative import clip_vision
from refdiff_ros.discriminative.masked_attention import masked_features, patch_masks, patch_memory
from refdiff_ros.presets import DiscriminativeConfig


def random_image(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (3, height, width)).astype(np.float32))


def random_visible(count, patches, seed=0):
    """Masks at patch resolution, the last one empty and the first one full."""
    visible = np.random.default_rng(seed).random((count, patches)) < 0.4
    visible[0], visible[-1] = True, False
    return visible


def one_long_sequence(clip, image, trained, visible, layer):
    """N class tokens and P patches in one sequence under an explicit mask of 0 and -inf."""
    vision = clip.model.vision_model
    tokens = clip_vision.embed(clip, image[None], trained)
    count, patches = visible.shape
    sequence = torch.cat([tokens[:, :1].expand(-1, count, -1), tokens[:, 1:]], dim=1)
    allowed = torch.zeros(count + patches, count + patches, dtype=torch.bool)
    allowed[:count, :count] = torch.eye(count, dtype=torch.bool)
    allowed[:count, count:] = torch.from_numpy(visible)
    allowed[count:, count:] = True
    mask = torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf)[None, None]
    layers = vision.encoder.layers
    for block in layers if layer == 'last' else layers[:-1]:
        sequence = block(sequence, mask)
    projected = clip.model.visual_projection(vision.post_layernorm(sequence[0, :count]))
    return F.normalize(projected, dim=-1)


@pytest.mark.parametrize('layer', ['last', 'penultimate'])
@pytest.mark.parametrize('masked_input', ['square', 'native'])
@torch.no_grad()
def test_split_attention_equals_the_full_mask(clip, masked_input, layer):
    side, patch = clip_vision.input_side(clip), clip_vision.patch_side(clip)
    size_hw = (side, side) if masked_input == 'square' else (2 * patch + 3, 7 * patch + 1)
    image = random_image(*size_hw)
    config = DiscriminativeConfig(masked_input=masked_input, layer=layer)
    memory = patch_memory(clip, image, config)
    assert memory.grid_hw == (size_hw[0] // patch, size_hw[1] // patch)
    visible = random_visible(6, memory.grid_hw[0] * memory.grid_hw[1])
    expected = one_long_sequence(clip, image, masked_input == 'square', visible, layer)
    found = masked_features(clip, memory, visible, layer)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    # Different proposals are told apart, and the layers differ: a constant would pass above.
    assert (found[0] - found[1]).abs().max() > 1e-4
    other = replace(config, layer='last' if layer == 'penultimate' else 'penultimate')
    again = masked_features(clip, patch_memory(clip, image, other), visible, other.layer)
    assert (again - found).abs().max() > 1e-4


@torch.no_grad()
def test_a_full_mask_over_a_square_is_not_the_plain_encoder(clip):
    # In CLIP's own encoder the patches see the class token; here they do not.
    image = random_image(clip_vision.input_side(clip), clip_vision.input_side(clip))
    memory = patch_memory(clip, image, DiscriminativeConfig(layer='last'))
    everything = np.ones((1, memory.grid_hw[0] * memory.grid_hw[1]), bool)
    masked = masked_features(clip, memory, everything, 'last')
    plain = clip_vision.encode_images(clip, [image])
    assert (masked - plain).abs().max() > 1e-5


def test_an_empty_mask_sees_itself_only(clip):
    config = DiscriminativeConfig()
    features = []
    for seed in (1, 2):  # two different images
        memory = patch_memory(clip, random_image(40, 50, seed), config)
        features.append(masked_features(
            clip, memory, np.zeros((1, memory.grid_hw[0] * memory.grid_hw[1]), bool)))
    assert torch.isfinite(features[0]).all()
    torch.testing.assert_close(features[0], features[1])


def test_no_proposals_give_no_features(clip):
    memory = patch_memory(clip, random_image(40, 50), DiscriminativeConfig())
    nothing = np.zeros((0, memory.grid_hw[0] * memory.grid_hw[1]), bool)
    assert masked_features(clip, memory, nothing).shape == (0, clip.model.projection_dim)


def test_many_class_tokens_run_in_parts(clip, monkeypatch):
    memory = patch_memory(clip, random_image(40, 50), DiscriminativeConfig())
    visible = random_visible(9, memory.grid_hw[0] * memory.grid_hw[1])
    together = masked_features(clip, memory, visible)
    monkeypatch.setattr('refdiff_ros.discriminative.masked_attention._LOGIT_BUDGET', 1)
    torch.testing.assert_close(masked_features(clip, memory, visible), together)


@pytest.mark.parametrize('size_hw', [(1, 1), (1, 600), (5, 3)])
@pytest.mark.parametrize('masked_input', ['square', 'native'])
def test_images_of_any_shape_work(clip, size_hw, masked_input):
    memory = patch_memory(
        clip, random_image(*size_hw), DiscriminativeConfig(masked_input=masked_input))
    visible = patch_masks(np.ones((2, *size_hw), bool), memory.grid_hw)
    assert visible.all()
    assert torch.isfinite(masked_features(clip, memory, visible)).all()


def test_patches_run_once_through_all_layers_but_what_nobody_reads(clip):
    layers = clip.model.vision_model.encoder.layers
    calls = []
    hooks = [layer.mlp.register_forward_hook(lambda *_: calls.append(1)) for layer in layers]
    memory = patch_memory(clip, random_image(40, 50), DiscriminativeConfig(layer='penultimate'))
    for hook in hooks:
        hook.remove()
    assert len(memory.keys) == len(layers) - 1
    assert len(calls) == len(layers) - 2


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_stays_near_float32(dtype):
    clip, half = tiny_clip(), tiny_clip()
    half.model.to(dtype)
    image, config = random_image(40, 50), DiscriminativeConfig(masked_input='native')
    visible = random_visible(4, patch_memory(clip, image, config).keys[0].shape[1])
    exact = masked_features(clip, patch_memory(clip, image, config), visible)
    found = masked_features(half, patch_memory(half, image, config), visible)
    assert found.dtype == torch.float32
    assert F.cosine_similarity(found, exact).min() > 0.99


@pytest.mark.parametrize('grid_hw', [(3, 4), (7, 5), (14, 14), (1, 37), (20, 90)])
def test_nearest_patches_are_those_of_torch(grid_hw):
    masks = np.random.default_rng(0).random((3, 43, 85)) < 0.5
    expected = F.interpolate(torch.from_numpy(masks[:, None]).float(), grid_hw, mode='nearest')
    np.testing.assert_array_equal(
        patch_masks(masks, grid_hw), expected.numpy().reshape(3, -1).astype(bool))


def test_any_keeps_a_single_pixel_that_nearest_loses():
    masks = np.zeros((1, 8, 8), bool)
    masks[0, 5, 7] = True
    assert not patch_masks(masks, (2, 2)).any()
    np.testing.assert_array_equal(patch_masks(masks, (2, 2), 'any'), [[0, 0, 0, 1]])
    # More patches than pixels: each pixel's patches, and no others.
    np.testing.assert_array_equal(
        patch_masks(np.array([[[True, False]]]), (1, 4), 'any'), [[1, 1, 0, 0]])
