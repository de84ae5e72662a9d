"""CLIP's image encoder f at any image size, by the parts of transformers' `CLIPModel`.

Letters: B images, h w patch grid, P = h*w patches, D width of the encoder, E of its output.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from refdiff_ros.models.model_set import ClipModels


def model_device(clip: ClipModels) -> torch.device:
    """Where CLIP computes."""
    result: torch.device = clip.model.visual_projection.weight.device
    return result


def input_side(clip: ClipModels) -> int:
    """Side in pixels of the square that CLIP was trained on."""
    return int(clip.model.vision_model.embeddings.image_size)


def patch_side(clip: ClipModels) -> int:
    """Side in pixels of a patch."""
    return int(clip.model.vision_model.embeddings.patch_size)


def resize(image: torch.Tensor, size_hw: tuple[int, int], mode: str = 'bicubic') -> torch.Tensor:
    """Images (B, 3, H, W), 0..255, at `size_hw`, antialiased and kept within 0..255."""
    if tuple(image.shape[-2:]) == tuple(size_hw):
        return image
    return F.interpolate(
        image, size_hw, mode=mode, align_corners=False, antialias=True).clamp(0, 255)


def position_embedding(vision: Any, grid_hw: tuple[int, int], trained: bool) -> torch.Tensor:
    """Position embeddings of the class token and of a patch grid.

    Args:
        vision: CLIP's vision tower.
        grid_hw: height and width of the patch grid.
        trained: take the embeddings as they were trained; otherwise they are interpolated
            (bicubic) by a scale factor of (n + 0.1) / trained grid, which is what dense uses of
            CLIP do: the 0.1 keeps rounding from losing a row.

    Returns:
        (1 + P, D) float32.
    """
    weight = vision.embeddings.position_embedding.weight.float()
    if trained:
        result: torch.Tensor = weight
        return result
    side = round((weight.shape[0] - 1) ** 0.5)
    grid = weight[1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, D, side, side)
    grid = F.interpolate(
        grid.contiguous(), mode='bicubic', align_corners=False,
        scale_factor=tuple((n + 0.1) / side for n in grid_hw))  # (1, D, h, w)
    return torch.cat([weight[:1], grid.flatten(2)[0].T])  # (1 + P, D)


def embed(clip: ClipModels, images: torch.Tensor, trained: bool) -> torch.Tensor:
    """The encoder's input sequence: class token, then patches in row order.

    Args:
        clip: the model.
        images: (B, 3, H, W) pixels in 0..255; what does not fill a patch at the right and
            bottom is left out.
        trained: see `position_embedding`.

    Returns:
        (B, 1 + P, D) after the first layer norm, in the model's dtype.
    """
    vision = clip.model.vision_model
    convolution = vision.embeddings.patch_embedding
    mean, std = (torch.tensor(v, device=images.device).view(3, 1, 1)
                 for v in (clip.mean, clip.std))
    pixels = ((images.float() / 255 - mean) / std).to(convolution.weight.dtype)
    patches = convolution(pixels.contiguous())  # (B, D, h, w)
    positions = position_embedding(vision, tuple(patches.shape[-2:]), trained)
    patches = patches.flatten(2).transpose(1, 2)  # (B, P, D)
    class_token = vision.embeddings.class_embedding.to(patches.dtype)
    tokens = torch.cat([class_token.expand(len(images), 1, -1), patches], dim=1)  # (B, 1 + P, D)
    result: torch.Tensor = vision.pre_layrnorm(tokens + positions.to(patches.dtype))
    return result


def project(clip: ClipModels, class_tokens: torch.Tensor) -> torch.Tensor:
    """Class tokens (B, D) out of the encoder as unit-norm features (B, E) float32."""
    features = clip.model.visual_projection(clip.model.vision_model.post_layernorm(class_tokens))
    return F.normalize(features.float(), dim=-1)


@torch.no_grad()
def encode_images(
    clip: ClipModels,
    images: Sequence[torch.Tensor],
    batch: int = 32,
    counts: Sequence[torch.Tensor] | None = None,
) -> torch.Tensor:
    """The vanilla encoder f of Eq. (7) on images of any sizes.

    Images that fill the same patch grid go through the encoder together.

    Args:
        clip: the model.
        images: each (3, H, W) pixels in 0..255 on the model's device, at least a patch in size.
        batch: how many are encoded at once.
        counts: for each image (P,) float, how many patches each patch counts for in attention (its
            logits are raised by the logarithm, D. Bolya et al.: Token Merging, ICLR 2023,
            arXiv:2210.09461); what counts 0 is not encoded. None gives all patches, each once. An
            image without any is encoded by the class token alone. In a batch all sequences are
            as long as the longest.

    Returns:
        (B, E) float32, unit-norm, in the order given.
    """
    side, patch = input_side(clip), patch_side(clip)
    groups = defaultdict(list)
    for index, image in enumerate(images):
        height, width = image.shape[-2:]
        # An image of another size than the trained one has its embeddings interpolated, also
        # where its grid happens to have the trained shape.
        trained = height == width and height // patch == side // patch
        groups[height // patch, width // patch, trained].append(index)
    features = torch.empty(
        len(images), clip.model.visual_projection.out_features, device=model_device(clip))
    for (rows, columns, trained), members in groups.items():
        for start in range(0, len(members), batch):
            chosen = members[start:start + batch]
            pixels = torch.stack(
                [images[i][:, :rows * patch, :columns * patch] for i in chosen])
            tokens, mask = embed(clip, pixels, trained), None
            if counts is not None:
                tokens, mask = _pick(tokens, torch.stack([counts[i] for i in chosen]))
            hidden = clip.model.vision_model.encoder(
                inputs_embeds=tokens, attention_mask=mask).last_hidden_state
            features[chosen] = project(clip, hidden[:, 0])
    return features


def _pick(
    tokens: torch.Tensor, counts: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The class token and the patches that count, of each sequence, filled up to the longest.

    Args:
        tokens: (B, 1 + P, D).
        counts: (B, P) float, 0 or more.

    Returns:
        (B, L, D), and what is added to attention's logits, (B, 1, 1, L): the logarithm of the
        count, or the lowest number for what fills up.
    """
    counts = F.pad(counts, (1, 0), value=1.0)  # (B, 1 + P)
    seen = counts > 0
    longest = int(seen.sum(dim=1).max())
    # Seen ones first, in their order.
    order = seen.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :longest]
    kept = seen.gather(1, order)  # (B, L)
    picked = tokens.gather(1, order[..., None].expand(-1, -1, tokens.shape[-1]))
    lowest = torch.finfo(tokens.dtype).min
    mask = counts.gather(1, order).log().to(tokens.dtype).masked_fill_(~kept, lowest)
    return picked, mask[:, None, None]
