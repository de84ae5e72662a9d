"""Each region in one and the same colour, so that CLIP judges its shape and not its colour.

A CLIP that was never shown a black mug takes one for a black box. Tinted red, it is a mug again.
The paper does not have this; `DiscriminativeConfig.retint` is its weight, 0 by default.

Letters: B masks, H W image height and width, E width of CLIP's common space.
"""

import torch

from refdiff_ros.discriminative.clip_vision import encode_images, input_side
from refdiff_ros.discriminative.crops import box_crops, scale_down
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.presets import DiscriminativeConfig

_TINT = (0.85, 0.1, 0.1)  # red: no other colour names more of the held-out things rightly
# A region's brightness at this share of its pixels becomes `_LIGHT`, whatever it was: a black
# thing is as bright as a white one.
_SHARE, _LIGHT = 0.9, 0.85
_DARKEST = 8.0  # of 255; what is darker still is noise


def retinted(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The image in shades of red, as bright as shows a region best.

    Args:
        image: (3, H, W) pixels in 0..255.
        mask: (H, W) bool, the region; an empty one gives black.

    Returns:
        (3, H, W) float32 in 0..255.
    """
    value = image.float().amax(dim=0)  # (H, W)
    inside = value[mask]
    if not len(inside):
        return torch.zeros_like(image, dtype=torch.float32)
    rank = max(0, round(_SHARE * (len(inside) - 1)))
    peak = inside.sort().values[rank].clamp(min=_DARKEST)
    light = (value / peak * _LIGHT).clamp(max=1) * 255
    return light * light.new_tensor(_TINT)[:, None, None]


def retinted_features(
    clip: ClipModels, image: torch.Tensor, masks: torch.Tensor, config: DiscriminativeConfig,
) -> torch.Tensor:
    """CLIP's features of each region's retinted window (`box_crops`).

    Args:
        clip: the model.
        image: (3, H, W) pixels in 0..255 on the model's device.
        masks: (B, H, W) bool on the same device.
        config: of the fields `crop_*`, all but `crop_fit` and `crop_tokens` are used.

    Returns:
        (B, E) float32, unit-norm.
    """
    side = config.crop_size or input_side(clip)
    image, masks = scale_down(image, masks, config.crop_source_side)
    crops = [box_crops(retinted(image, mask), mask[None], side, config.crop_margin,
                       config.crop_background)[0] for mask in masks]
    if not crops:
        return image.new_zeros(0, clip.model.visual_projection.out_features)
    return encode_images(clip, crops, config.crop_batch)
