"""Eq. 7's f(x * M): CLIP's plain image encoder on what a proposal leaves of the image.

Letters: B masks, H W image height and width, S side of CLIP's square.
"""

import torch

from refdiff_ros.boxes import mask_boxes_xyxy
from refdiff_ros.clip_vision import encode_images, input_side, patch_side, resize
from refdiff_ros.errors import BadRequestError
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.presets import DiscriminativeConfig

# Full-resolution values held at once while masked images are scaled down.
_PIXEL_BUDGET = 1 << 25
# A tight crop that is longer than this many times its short side is squeezed to it: a mask one
# pixel wide would otherwise become an image of hundreds of thousands of columns.
MAX_ASPECT = 16


def square_crops(image: torch.Tensor, masks: torch.Tensor, side: int) -> torch.Tensor:
    """x * M for each mask: the whole image, black outside the mask, resized to a square.

    Args:
        image: (3, H, W) pixels in 0..255.
        masks: (B, H, W) bool.
        side: S in pixels.

    Returns:
        (B, 3, S, S) float32 in 0..255.
    """
    at_once = max(1, _PIXEL_BUDGET // image.numel())
    crops = [resize(image * part[:, None], (side, side))  # (b, 3, S, S)
             for part in masks.split(at_once)]
    return torch.cat(crops) if crops else image.new_zeros(0, 3, side, side)


def tight_crop(
    image: torch.Tensor, mask: torch.Tensor, side: int, box_xyxy: tuple[int, int, int, int],
) -> torch.Tensor:
    """x * M cut to the mask's bounding box, its short side scaled to `side`.

    The aspect ratio is kept up to `MAX_ASPECT`, nothing is cut off, and values are whole numbers
    before and after the bilinear scaling, as in an 8-bit picture.

    Args:
        image: (3, H, W) pixels in 0..255.
        mask: (H, W) bool.
        side: length of the short side in pixels.
        box_xyxy: first and last column and row of the mask, the last included.

    Returns:
        (3, h, w) float32 in 0..255 with min(h, w) == side. An empty mask gives a black square.
    """
    x0, y0, x1, y1 = box_xyxy
    inside = mask[y0:y1 + 1, x0:x1 + 1]
    crop = (image[:, y0:y1 + 1, x0:x1 + 1] * inside).floor()  # (3, y1-y0+1, x1-x0+1)
    height, width = crop.shape[-2:]
    short, long = sorted((height, width))
    scaled = min(side * long // short, side * MAX_ASPECT)
    size_hw = (side, scaled) if height <= width else (scaled, side)
    return resize(crop[None], size_hw, mode='bilinear')[0].round()  # (3, h, w)


def crop_features(
    clip: ClipModels, image: torch.Tensor, masks: torch.Tensor, config: DiscriminativeConfig,
) -> torch.Tensor:
    """f(x * M) for each mask (Eq. 7).

    Args:
        clip: the model.
        image: (3, H, W) pixels in 0..255 on the model's device, multiplied with P where the
            configuration puts the positional bias on this branch.
        masks: (B, H, W) bool on the same device.
        config: `crop_fit`, `crop_size` and `crop_batch` are used.

    Returns:
        (B, E) float32, unit-norm.

    Raises:
        BadRequestError: `crop_size` is smaller than a patch.
    """
    side = config.crop_size or input_side(clip)
    if side < patch_side(clip):
        raise BadRequestError(
            f'expected discriminative.crop_size of at least a patch, {patch_side(clip)} pixels, '
            f'got {side}')
    features = [_encode(clip, image, part, side, config)
                for part in masks.split(config.crop_batch) if len(part)]
    if not features:
        return image.new_zeros(0, clip.model.visual_projection.out_features)
    return torch.cat(features)


def _encode(
    clip: ClipModels,
    image: torch.Tensor,
    masks: torch.Tensor,
    side: int,
    config: DiscriminativeConfig,
) -> torch.Tensor:
    if config.crop_fit == 'square':
        crops = list(square_crops(image, masks, side))
    else:
        boxes = mask_boxes_xyxy(masks).tolist()
        crops = [tight_crop(image, mask, side, box) for mask, box in zip(masks, boxes)]
    return encode_images(clip, crops, config.crop_batch)
