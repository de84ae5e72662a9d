"""Eq. (7)'s f(x * M): CLIP's plain image encoder on what a proposal leaves of the image.

Letters: B masks, H W image height and width, S side of CLIP's square.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.discriminative.clip_vision import encode_images, input_side, patch_side, resize
from refdiff_ros.errors import BadRequestError
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.optional import require_package
from refdiff_ros.presets import DiscriminativeConfig
from refdiff_ros.proposals.mask_figures import mask_boxes_xyxy

# Full-resolution values held at once while masked images are scaled down.
_PIXEL_BUDGET = 1 << 25
# A tight crop of more patches than this is squeezed to it. Attention that keeps its logits, as the
# authors' does, takes 13 GB for twelve heads of so many.
MOST_PATCHES = 1 << 14
# Of the patches beside an object one in so many is encoded.
_EVERY = 4
# Crops in a batch of which only some patches are encoded.
_ALIKE = 16
_FILL = {'black': 0.0, 'grey': 128.0}


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
    image: torch.Tensor,
    mask: torch.Tensor,
    side: int,
    box_xyxy: tuple[int, int, int, int],
    longest: int,
) -> torch.Tensor:
    """x * M cut to the mask's bounding box, its short side scaled to `side`.

    Scaled as the authors do, by Pillow: bilinear, and 8 bits after each of its two passes. Torch
    differs by up to two levels, also for 8-bit tensors.

    Args:
        image: (3, H, W) pixels in 0..255.
        mask: (H, W) bool.
        side: length of the short side in pixels.
        box_xyxy: first and last column and row of the mask, the last included.
        longest: a longer side than this many pixels is squeezed to it; nothing is cut off.

    Returns:
        (3, h, w) float32 in 0..255 with min(h, w) == side, on the image's device. An empty mask
        gives a black square.
    """
    pil = require_package('PIL.Image', 'models')
    x0, y0, x1, y1 = box_xyxy
    inside = mask[y0:y1 + 1, x0:x1 + 1]
    crop = (image[:, y0:y1 + 1, x0:x1 + 1] * inside).to(torch.uint8)  # (3, y1-y0+1, x1-x0+1)
    height, width = crop.shape[-2:]
    short, long = sorted((height, width))
    scaled = min(side * long // short, longest)
    size_hw = (side, scaled) if height <= width else (scaled, side)
    picture = pil.fromarray(crop.permute(1, 2, 0).cpu().contiguous().numpy())
    resized = np.array(picture.resize(size_hw[::-1], pil.Resampling.BILINEAR), np.float32)
    return torch.from_numpy(resized).permute(2, 0, 1).contiguous().to(image.device)  # (3, h, w)


def box_window(
    box_xyxy: tuple[int, int, int, int], margin: float,
) -> tuple[int, int, int]:
    """The square window around a bounding box, in whole pixels.

    Args:
        box_xyxy: first and last column and row, the last included.
        margin: side of the window in longer sides of the box, rounded to a pixel.

    Returns:
        Column and row of the window's first pixel, which may lie outside the image, and its
        side. An odd pixel that is over goes to the left or to the top.
    """
    x0, y0, x1, y1 = box_xyxy
    side = max(1, round(margin * max(x1 - x0 + 1, y1 - y0 + 1)))
    return (x0 + x1 + 1 - side) // 2, (y0 + y1 + 1 - side) // 2, side


def box_crops(
    image: torch.Tensor,
    masks: torch.Tensor,
    side: int,
    margin: float = 1.15,
    background: str = 'black',
) -> torch.Tensor:
    """Each mask's window (`box_window`), resized to a square, bilinear with antialiasing.

    What of a window lies outside the image is black, or grey with a grey background.

    Args:
        image: (3, H, W) pixels in 0..255.
        masks: (B, H, W) bool.
        side: S in pixels.
        margin: as in `box_window`.
        background: outside the mask 'black', 'grey', in which neither black nor white objects
            drown, or the 'picture' as it is.

    Returns:
        (B, 3, S, S) float32 in 0..255. An empty mask gives a black square.
    """
    crops = image.new_zeros(len(masks), 3, side, side, dtype=torch.float32)
    filled = masks.flatten(1).any(dim=1).tolist()
    for row, box in enumerate(mask_boxes_xyxy(masks).tolist()):
        if not filled[row]:
            continue
        window = box_window(box, margin)
        part = _cut(image, window).float()  # (3, s, s)
        if background != 'picture':
            part = torch.where(_cut(masks[row], window), part, _FILL[background])
        crops[row] = resize(part[None], (side, side), mode='bilinear')[0]
    return crops


def _cut(pixels: torch.Tensor, window: tuple[int, int, int]) -> torch.Tensor:
    """(..., H, W) to (..., s, s), 0 where the window leaves the image."""
    x, y, side = window
    height, width = pixels.shape[-2:]
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + side, width), min(y + side, height)
    cut = pixels.new_zeros(*pixels.shape[:-2], side, side)
    cut[..., top - y:bottom - y, left - x:right - x] = pixels[..., top:bottom, left:right]
    return cut


def object_patches(
    masks: torch.Tensor, grid_hw: tuple[int, int], fit: str, margin: float,
) -> torch.Tensor:
    """Patches of each mask's crop in which the mask has a pixel, and what the others count.

    The others look alike, and yet CLIP is used to seeing them: of those, in row order, the first
    of every `_EVERY` is taken and counts for its share of them all.

    Args:
        masks: (B, H, W) bool.
        grid_hw: h and w of the patch grid.
        fit: 'square' or 'box', as the crops were made.
        margin: of 'box'.

    Returns:
        (B, h*w) float32: 1 for the object's patches, what one counts for of the others that are
        taken, 0 for those that are left out.
    """
    def covered(mask: torch.Tensor) -> torch.Tensor:
        return F.adaptive_max_pool2d(mask[None].float(), grid_hw).flatten() > 0
    windows = list(masks)
    if fit == 'box':
        windows = [_cut(mask, box_window(box, margin))
                   for mask, box in zip(masks, mask_boxes_xyxy(masks).tolist(), strict=True)]
    inside = torch.stack([covered(mask) for mask in windows])  # (B, h*w)
    outside = ~inside
    taken = outside & (outside.cumsum(dim=1) % _EVERY == 1)
    share = outside.sum(dim=1, keepdim=True) / taken.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.where(taken, share, inside.float())


def scale_down(
    image: torch.Tensor, masks: torch.Tensor, longer_side: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Image and masks at a size whose longer side is `longer_side`; never larger than they are.

    A pixel belongs to a scaled mask where at least half of it did. Of a mask so small that no
    pixel does, the pixels that it covers most stay.

    Args:
        image: (3, H, W) pixels in 0..255.
        masks: (B, H, W) bool.
        longer_side: in pixels; 0 leaves everything as it is.

    Returns:
        (3, h, w) and (B, h, w) bool.
    """
    height, width = masks.shape[-2:]
    longer = max(height, width)
    if not 0 < longer_side < longer:
        return image, masks
    size_hw = (max(1, round(height * longer_side / longer)),
               max(1, round(width * longer_side / longer)))
    small = resize(image[None].float(), size_hw, mode='bilinear')[0]  # (3, h, w)
    rows, columns = (_scaling(*lengths).to(image.device)
                     for lengths in zip((height, width), size_hw, strict=True))
    scaled = masks.new_zeros(len(masks), *size_hw)
    for row, (x0, y0, x1, y1) in enumerate(mask_boxes_xyxy(masks).tolist()):
        down, across = _reached(y0, y1, height, size_hw[0]), _reached(x0, x1, width, size_hw[1])
        inside = masks[row, y0:y1 + 1, x0:x1 + 1].float()
        cover = rows[down, y0:y1 + 1] @ inside @ columns[across, x0:x1 + 1].T
        most = cover.max()
        scaled[row, down, across] = (cover >= most.clamp(max=0.5)) & (most > 0)
    return small, scaled


def _reached(first: int, last: int, length: int, size: int) -> slice:
    """Of an axis that is made smaller, the pixels that `first` to `last` of before are mixed into.

    Each is mixed from what lies within one of its own lengths on either side.
    """
    return slice(max(0, first * size // length - 1), (last + 1) * size // length + 2)


@lru_cache(maxsize=16)
def _scaling(length: int, size: int) -> torch.Tensor:
    """Antialiased bilinear scaling of one axis, (size, length): rows that add up to 1."""
    one_by_one = torch.eye(length)[None, None]  # (1, 1, length, length)
    return F.interpolate(one_by_one, (size, length), mode='bilinear', align_corners=False,
                         antialias=True)[0, 0]


def crop_features(
    clip: ClipModels, image: torch.Tensor, masks: torch.Tensor, config: DiscriminativeConfig,
) -> torch.Tensor:
    """f(x * M) for each mask (Eq. (7)).

    Args:
        clip: the model.
        image: (3, H, W) pixels in 0..255 on the model's device, multiplied with P where the
            configuration puts the positional bias on this branch.
        masks: (B, H, W) bool on the same device.
        config: the fields `crop_*` are used.

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
    image, masks = scale_down(image, masks, config.crop_source_side)
    if not len(masks):
        return image.new_zeros(0, clip.model.visual_projection.out_features)
    if config.crop_tokens == 'all':
        return torch.cat([_encode(clip, image, part, side, config)
                          for part in masks.split(config.crop_batch)])
    grid_hw = (side // patch_side(clip),) * 2
    counts = object_patches(masks, grid_hw, config.crop_fit, config.crop_margin)
    # In a batch all sequences are as long as the longest: those of about one length go together.
    order = (counts > 0).sum(dim=1).argsort(stable=True)
    features = torch.cat([
        _encode(clip, image, masks[rows], side, config, counts[rows])
        for rows in order.split(min(config.crop_batch, _ALIKE))])
    return features[order.argsort()]


def _encode(
    clip: ClipModels,
    image: torch.Tensor,
    masks: torch.Tensor,
    side: int,
    config: DiscriminativeConfig,
    counts: torch.Tensor | None = None,
) -> torch.Tensor:
    crops: Sequence[torch.Tensor]
    if config.crop_fit == 'square':
        crops = list(square_crops(image, masks, side))
    elif config.crop_fit == 'box':
        crops = list(box_crops(image, masks, side, config.crop_margin, config.crop_background))
    else:
        boxes = mask_boxes_xyxy(masks).tolist()
        patch = patch_side(clip)
        longest = max(side, MOST_PATCHES // (side // patch) * patch)
        crops = [tight_crop(image, mask, side, box, longest) for mask, box in zip(masks, boxes)]
    return encode_images(
        clip, crops, config.crop_batch, None if counts is None else list(counts))
