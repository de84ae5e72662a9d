"""Eq. (7)'s f_M: CLIP's image encoder in which a proposal's class token sees that proposal only.

Patches never see a class token, and a class token sees itself and the patches of its own
proposal, in every layer. So the patches run through the encoder once, with fused attention, and
each layer's patch keys and values are kept; any number of class tokens then run beside them. The
result is that of one sequence of N class tokens and P patches under a mask of 0 and -inf, without
its (N + P)^2 attention.

Letters: N proposals, P = h*w patches of an h w grid, A attention heads, d width of a head,
D = A*d width of the encoder, E of its output.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.discriminative.clip_vision import (
    embed,
    input_side,
    model_device,
    patch_side,
    project,
    resize,
)
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.presets import DiscriminativeConfig

# Attention logits of class tokens held at once.
_LOGIT_BUDGET = 1 << 25


@dataclass(frozen=True)
class PatchMemory:
    """What class tokens need of an image: it depends on the image alone.

    Attributes:
        class_token: (1, D) after the first layer norm, before the first layer.
        keys, values: per layer that is used, (A, P, d).
        grid_hw: h and w of the patch grid.
    """

    class_token: torch.Tensor
    keys: tuple[torch.Tensor, ...]
    values: tuple[torch.Tensor, ...]
    grid_hw: tuple[int, int]


@torch.no_grad()
def patch_memory(
    clip: ClipModels, image: torch.Tensor, config: DiscriminativeConfig,
) -> PatchMemory:
    """Run the patches of an image through the encoder and keep their keys and values.

    Args:
        clip: the model.
        image: (3, H, W) pixels in 0..255 on the model's device, multiplied with P (Eq. (6)) where
            the configuration puts the positional bias on this branch.
        config: `masked_input` is 'square' (the image resized to CLIP's own square) or 'native'
            (as many whole patches as the image holds, at least one); `layer` decides how many
            layers run.
    """
    tokens, grid_hw = whole_image(clip, image, config)
    class_token, hidden = tokens[:, 0], tokens[:, 1:]  # (1, D), (1, P, D)
    layers = layers_used(clip.model.vision_model, config.layer)
    keys, values = [], []
    for number, layer in enumerate(layers):
        attention = layer.self_attn
        query, key, value = _heads(attention, layer.layer_norm1(hidden))  # each (A, P, d)
        keys.append(key)
        values.append(value)
        if number + 1 < len(layers):  # the patches' own result of the last layer is not used
            seen = F.scaled_dot_product_attention(
                query[None], key[None], value[None], scale=attention.head_dim ** -0.5)[0]
            hidden = _finish_layer(layer, hidden, seen[None])
    return PatchMemory(class_token, tuple(keys), tuple(values), grid_hw)


def whole_image(
    clip: ClipModels, image: torch.Tensor, config: DiscriminativeConfig,
) -> tuple[torch.Tensor, tuple[int, int]]:
    """The encoder's input sequence (1, 1 + P, D) of a whole image, and h and w of its patch grid.

    Args:
        clip, image, config: as in `patch_memory`.
    """
    side, patch = input_side(clip), patch_side(clip)
    if config.masked_input == 'square':
        image = resize(image[None], (side, side))[0]  # (3, side, side)
    else:
        size_hw = max(patch, image.shape[-2]), max(patch, image.shape[-1])
        image = resize(image[None], size_hw, 'bilinear')[0]
    tokens = embed(clip, image[None], trained=tuple(image.shape[-2:]) == (side, side))
    return tokens, (image.shape[-2] // patch, image.shape[-1] // patch)


def patch_masks(masks: np.ndarray, grid_hw: tuple[int, int], cover: str = 'nearest') -> np.ndarray:
    """Masks at the resolution of the patch grid.

    Args:
        masks: (N, H, W) bool.
        grid_hw: h and w of the grid.
        cover: 'nearest' takes the mask's value at one pixel of each patch, the one that torch's
            'nearest' interpolation takes; 'any' takes a patch in which any pixel is inside, so
            that a small proposal keeps at least one.

    Returns:
        (N, P) bool. A row may be empty.
    """
    starts, ends = [], []
    for length, count in zip(masks.shape[1:], grid_hw):
        steps = np.arange(count + 1, dtype=np.float32) * np.float32(length / count)
        starts.append(np.minimum(steps[:-1].astype(np.intp), length - 1))
        ends.append(np.clip(np.ceil(steps[1:]).astype(np.intp), starts[-1] + 1, length))
    if cover == 'nearest':
        small = masks[:, starts[0]][:, :, starts[1]]  # (N, h, w)
    else:
        rows = [np.asarray(masks[:, a:b].any(1))  # h times (N, W)
                for a, b in zip(starts[0], ends[0])]
        small = np.stack(
            [np.stack([row[:, a:b].any(1) for a, b in zip(starts[1], ends[1])], axis=1)
             for row in rows], axis=1)  # (N, h, w)
    return small.reshape(len(masks), grid_hw[0] * grid_hw[1])  # (N, P)


@torch.no_grad()
def masked_features(
    clip: ClipModels, memory: PatchMemory, visible: np.ndarray, layer: str = 'penultimate',
) -> torch.Tensor:
    """f_M of each proposal (Eq. (7)).

    Args:
        clip: the model.
        memory: of the image, made with the same `layer`.
        visible: (N, P) bool: the patches that each class token sees. A class token without any
            sees itself only.
        layer: 'last', or 'penultimate': the hidden state after all layers but one.

    Returns:
        (N, E) float32, unit-norm: the class tokens after the last layer norm and the projection.
    """
    layers = layers_used(clip.model.vision_model, layer)
    seen = torch.from_numpy(np.ascontiguousarray(visible)).to(model_device(clip))
    heads = layers[0].self_attn.num_heads if len(layers) else 1
    at_once = max(1, _LOGIT_BUDGET // (heads * max(1, seen.shape[1])))
    features = []
    for part in seen.split(at_once):
        hidden = memory.class_token.expand(len(part), -1)  # (N, D)
        for block, keys, values in zip(layers, memory.keys, memory.values):
            hidden = _class_token_layer(block, hidden, keys, values, part)
        features.append(project(clip, hidden))
    return torch.cat(features)


def layers_used(vision: Any, layer: str) -> Any:
    """The encoder's layers that run for `layer`, 'last' or 'penultimate'."""
    layers = vision.encoder.layers
    return layers if layer == 'last' else layers[:len(layers) - 1]


def _heads(attention: Any, hidden: torch.Tensor) -> list[torch.Tensor]:
    """Queries, keys and values (A, L, d) of a sequence (1, L, D) or of tokens (L, D)."""
    hidden = hidden.reshape(-1, hidden.shape[-1])  # (L, D)
    return [
        projection(hidden).view(len(hidden), attention.num_heads, attention.head_dim)
        .transpose(0, 1)  # (A, L, d)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)]


def _finish_layer(layer: Any, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """The rest of an encoder layer after attention: output projection, residuals, MLP.

    Args:
        layer: the encoder layer.
        hidden: (1, L, D) that came in.
        seen: (1, A, L, d) attention's result.

    Returns:
        (1, L, D).
    """
    joined = seen.transpose(1, 2).flatten(2)  # (1, L, D)
    hidden = hidden + layer.self_attn.out_proj(joined)
    result: torch.Tensor = hidden + layer.mlp(layer.layer_norm2(hidden))
    return result


def _class_token_layer(
    layer: Any,
    hidden: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    visible: torch.Tensor,
) -> torch.Tensor:
    """One encoder layer for N class tokens (N, D) beside P patches: (N, D)."""
    attention = layer.self_attn
    query, own_key, own_value = _heads(attention, layer.layer_norm1(hidden))  # each (A, N, d)
    scale = attention.head_dim ** -0.5
    to_patches = (query @ keys.transpose(1, 2)).float() * scale  # (A, N, P)
    to_patches = to_patches.masked_fill(~visible, -torch.inf)
    to_self = (query * own_key).sum(-1, keepdim=True, dtype=torch.float32) * scale  # (A, N, 1)
    weights = torch.cat([to_self, to_patches], dim=-1).softmax(-1).to(values.dtype)
    seen = weights[..., :1] * own_value + weights[..., 1:] @ values  # (A, N, d)
    return _finish_layer(layer, hidden[None], seen[None])[0]
