"""Token masking, against the plain encoder with its patches zeroed by hooks."""

import numpy as np
import pytest
from tiny_models import tiny_clip
import torch
from torch.nn import functional as F

from refdiff_ros.discriminative import clip_vision, token_masking
from refdiff_ros.discriminative.masked_attention import patch_masks
from refdiff_ros.discriminative.token_masking import first_masked_layer, token_masked_features
from refdiff_ros.presets import DiscriminativeConfig

LAST = DiscriminativeConfig(layer='last')


def random_image(height=32, width=32, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (3, height, width)).astype(np.float32))


def random_masks(count, height=32, width=32):
    rng = np.random.default_rng(1)
    return np.kron(rng.random((count, height // 8, width // 8)) < 0.4, np.ones((8, 8))) > 0


@torch.no_grad()
def by_hooks(clip, image, mask, first):
    """The plain encoder on CLIP's square; patches outside are zeroed from layer `first` on."""
    outside = torch.from_numpy(~patch_masks(mask[None], (4, 4))[0])

    def zero(_, inputs):
        hidden = inputs[0].clone()
        hidden[:, 1:][:, outside] = 0
        return hidden, *inputs[1:]

    layers = clip.model.vision_model.encoder.layers[first:]
    hooks = [layer.register_forward_pre_hook(zero) for layer in layers]
    try:
        return clip_vision.encode_images(clip, [image])[0]
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize('share, first', [(3 / 12, 2), (2 / 3, 1), (1.0, 0)])
def test_it_is_the_plain_encoder_with_patches_zeroed(clip, monkeypatch, share, first):
    monkeypatch.setattr(token_masking, 'MASKED_SHARE', share)
    image, masks = random_image(), random_masks(5)
    found = token_masked_features(clip, image, masks, LAST)
    expected = torch.stack([by_hooks(clip, image, mask, first) for mask in masks])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (found[0] - found[1]).abs().max() > 1e-4


def test_a_mask_of_everything_is_the_plain_encoder(clip):
    image = random_image()
    found = token_masked_features(clip, image, np.ones((1, 32, 32), bool), LAST)
    torch.testing.assert_close(found, clip_vision.encode_images(clip, [image]), atol=1e-5, rtol=0)


def test_the_first_layers_see_what_is_around(clip):
    mask = np.zeros((1, 32, 32), bool)
    mask[0, 8:16, 8:16] = True
    image, other = random_image(), random_image(seed=7)
    other[:, 8:16, 8:16] = image[:, 8:16, 8:16]
    found = [token_masked_features(clip, each, mask, LAST) for each in (image, other)]
    assert (found[0] - found[1]).abs().max() > 1e-4


def test_the_layer_before_the_last_is_read_where_asked_for(clip):
    # Three layers: the last one alone is masked, and it does not run.
    image, masks = random_image(), random_masks(2)
    found = token_masked_features(clip, image, masks, DiscriminativeConfig(layer='penultimate'))
    torch.testing.assert_close(found[0], found[1])
    assert (found - token_masked_features(clip, image, masks, LAST)).abs().max() > 1e-4


def test_many_proposals_run_in_parts_and_none_give_none(clip, monkeypatch):
    image, masks = random_image(40, 72), random_masks(6, 40, 72)
    together = token_masked_features(clip, image, masks, LAST)
    assert together.shape == (6, 16) and together.dtype == torch.float32
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(6))
    assert token_masked_features(clip, image, masks[:0], LAST).shape == (0, 16)
    monkeypatch.setattr(token_masking, '_TOKEN_BUDGET', 1)
    torch.testing.assert_close(token_masked_features(clip, image, masks, LAST), together)


def test_an_image_of_its_own_size_has_its_own_grid(clip):
    config = DiscriminativeConfig(layer='last', masked_input='native')
    found = token_masked_features(clip, random_image(24, 50), random_masks(3, 24, 48), config)
    assert torch.isfinite(found).all() and (found[0] - found[1]).abs().max() > 1e-5


def test_half_precision_stays_near_float32():
    half = tiny_clip()
    image, masks = random_image(), random_masks(3)
    exact = token_masked_features(half, image, masks, LAST)
    half.model.to(torch.bfloat16)
    found = token_masked_features(half, image, masks, LAST)
    assert found.dtype == torch.float32
    assert F.cosine_similarity(found, exact).min() > 0.99


@pytest.mark.parametrize('count, first', [(12, 9), (24, 18), (5, 4), (3, 2), (1, 0)])
def test_the_last_quarter_of_the_layers_is_masked(count, first):
    assert first_masked_layer(count) == first
