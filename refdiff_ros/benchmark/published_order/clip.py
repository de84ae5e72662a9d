"""The discriminative half: one crop after the other, and one dense mask.

Letters: N masks, H W image height and width, P patches, E width of CLIP's common space.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
import torch
from torch.nn import functional as F
from torchvision import transforms

from refdiff_ros.models.model_set import ClipModels

# A crop of more patches than this is squeezed to it: attention over more does not fit in memory.
_MOST_PATCHES = 16_384


def text_feature(clip: ClipModels, text: str) -> torch.Tensor:
    """A text, padded to all the tokens that CLIP reads: (1, E) unit-norm."""
    length = clip.model.text_model.embeddings.position_embedding.weight.shape[0]
    ids = clip.tokenizer(text, padding='max_length', truncation=True, max_length=length,
                         return_tensors='pt').input_ids.to(_device(clip))
    pooled = clip.model.text_model(input_ids=ids).pooler_output
    return F.normalize(clip.model.text_projection(pooled).float(), dim=-1)


def biased(image_rgb: np.ndarray, text: str) -> np.ndarray:
    """The picture, darker towards the right for 'left' in the text, and the other way round."""
    width = image_rgb.shape[1]
    reach = width * 2 // 3
    ramp = np.concatenate([np.linspace(1, 0, reach), np.zeros(width - reach)])
    if 'left' in text.lower():
        return image_rgb * ramp[None, :, None]
    if 'right' in text.lower():
        return image_rgb * ramp[None, ::-1, None]
    return image_rgb


def crop_features(
    clip: ClipModels, image: np.ndarray, masks: np.ndarray, side: int,
) -> torch.Tensor:
    """Each mask's crop through the encoder by itself: (N, E) unit-norm.

    Args:
        clip: the model.
        image: (H, W, 3) uint8 or float in 0..255.
        masks: (N, H, W) bool; all of them, also those that the filter drops.
        side: short side of a crop.
    """
    tokens = [
        encode(clip, crop_pixels(clip, image, mask, side), 1)[:, 0] for mask in masks]
    return F.normalize(torch.cat(tokens).float(), dim=-1)


def crop_pixels(
    clip: ClipModels, image: np.ndarray, mask: np.ndarray, side: int,
) -> torch.Tensor:
    """What the encoder sees of one mask: (1, 3, h, w) normalised, the short side `side`."""
    crop = _cut(image, mask, side)
    patch = clip.model.vision_model.embeddings.patch_size
    longest = max(side, _MOST_PATCHES // (side // patch) * patch)
    short, long = sorted(crop.size)
    size = side if side * long // short <= longest else tuple(
        side if length == short else longest for length in crop.size[::-1])
    return _normalised(clip, transforms.Resize(size)(crop))


def _cut(image: np.ndarray, mask: np.ndarray, side: int) -> Image.Image:
    if not mask.any():
        return Image.new('RGB', (side, side))
    rows, columns = np.where(mask.any(axis=1))[0], np.where(mask.any(axis=0))[0]
    alone = image * mask[:, :, None] * 1.0  # (H, W, 3), the whole picture
    alone = alone[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    return Image.fromarray(alone.astype(np.uint8))


def _normalised(clip: ClipModels, picture: Image.Image) -> torch.Tensor:
    steps = [transforms.ToTensor(), transforms.Normalize(clip.mean, clip.std)]
    return transforms.Compose(steps)(picture)[None].to(_device(clip))  # (1, 3, h, w)


def masked_features(
    clip: ClipModels, image_rgb: np.ndarray, masks: np.ndarray,
) -> torch.Tensor:
    """N class tokens and P patches as one sequence under one dense mask: (N, E) unit-norm."""
    device, patch = _device(clip), clip.model.vision_model.embeddings.patch_size
    count, (height, width) = len(masks), masks.shape[1:]
    small = F.interpolate(
        torch.Tensor(np.array(masks)).to(device)[:, None], (height // patch, width // patch),
        mode='nearest').flatten(1)  # (N, P)
    places = small.shape[1]
    hidden = torch.cat([
        torch.cat([1 - torch.eye(count, device=device), 1 - small], dim=1),
        torch.cat([torch.ones(places, count, device=device),
                   torch.zeros(places, places, device=device)], dim=1)])  # (N + P, N + P)
    hidden[hidden == 1] = float('-inf')
    pixels = _normalised(clip, Image.fromarray(image_rgb))
    tokens = encode(clip, pixels, count, hidden)
    return F.normalize(tokens[0, :count].float(), dim=-1)


def encode(
    clip: ClipModels, pixels: torch.Tensor, count: int, hidden: torch.Tensor | None = None,
) -> torch.Tensor:
    """`count` copies of the class token and the patches through the encoder and the projection.

    Args:
        clip: the model.
        pixels: (1, 3, h, w), normalised, of any size.
        count: class tokens.
        hidden: (count + P, count + P), -inf where a token does not see another.

    Returns:
        (1, count + P, E): every token is projected.
    """
    vision = clip.model.vision_model
    dtype = vision.embeddings.patch_embedding.weight.dtype
    patches = vision.embeddings.patch_embedding(pixels.to(dtype))  # (1, D, h, w)
    own = vision.embeddings.class_embedding.to(dtype).expand(1, 1, -1)
    tokens = torch.cat([own, patches.flatten(2).transpose(1, 2)], dim=1)  # (1, 1 + P, D)
    tokens = tokens + _positions(vision, pixels.shape[-2:], patches.shape[-2:]).to(dtype)
    tokens = torch.cat([tokens[:, :1].expand(-1, count, -1), tokens[:, 1:]], dim=1)
    tokens = vision.pre_layrnorm(tokens)
    mask = None if hidden is None else hidden.to(dtype)[None, None]  # (1, 1, N + P, N + P)
    tokens = vision.encoder(inputs_embeds=tokens, attention_mask=mask).last_hidden_state
    return clip.model.visual_projection(vision.post_layernorm(tokens))


def _positions(
    vision: Any, size_hw: Sequence[int], grid_hw: Sequence[int],
) -> torch.Tensor:
    """(1 + P, D): as trained, or by bicubic interpolation for another number of patches."""
    weight: torch.Tensor = vision.embeddings.position_embedding.weight
    if len(weight) - 1 == grid_hw[0] * grid_hw[1] and size_hw[0] == size_hw[1]:
        return weight
    side = round((len(weight) - 1) ** 0.5)
    grid = weight[1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2).contiguous()
    grid = F.interpolate(
        grid, scale_factor=tuple((n + 0.1) / side for n in grid_hw), mode='bicubic')
    return torch.cat([weight[:1].float(), grid.flatten(2)[0].T])


def _device(clip: ClipModels) -> torch.device:
    return clip.model.visual_projection.weight.device
