"""A frame as SAM sees it: scaled, encoded, and the way back from its masks to the frame's pixels.

Letters: S side of the square, C width of the features, h w their grid.
"""

from dataclasses import dataclass, replace
import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.config import ProposalConfig
from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package
from refdiff_ros.proposals import sam_encoder
from refdiff_ros.results import Frame
from refdiff_ros.stages import stage


@dataclass(frozen=True)
class SamEmbedding:
    """A frame as SAM's decoder sees it.

    Attributes:
        features: (1, C, h, w) on the model's device.
        side: S in pixels.
        drawn_hw: height and width of the part of the square of which logits are drawn, whole
            patches.
        input_hw: height and width of the scaled image inside that part.
        size_hw: height and width of the frame.
    """

    features: torch.Tensor
    side: int
    drawn_hw: tuple[int, int]
    input_hw: tuple[int, int]
    size_hw: tuple[int, int]

    def upscale(self, logits: torch.Tensor) -> torch.Tensor:
        """Low-resolution logits of what is drawn at the frame's size: (B, H, W) float32.

        As `Sam.postprocess_masks`: to the part that was drawn, without what is not picture, to the
        frame.
        """
        height, width = self.input_hw
        scaled = F.interpolate(
            logits[:, None].float(), self.drawn_hw, mode='bilinear', align_corners=False)
        return F.interpolate(scaled[..., :height, :width], self.size_hw, mode='bilinear',
                             align_corners=False)[:, 0]

    def as_seen(self) -> 'SamEmbedding':
        """The embedding of a frame of the size that SAM sees, where that is smaller."""
        smaller = self.input_hw < self.size_hw
        return replace(self, size_hw=self.input_hw) if smaller else self

    def steps(self, axis: int) -> tuple[tuple[int, int], ...]:
        """How `upscale` scales rows (0) or columns (1): size and how much of it is kept."""
        size = self.size_hw[axis]
        return (self.drawn_hw[axis], self.input_hw[axis]), (size, size)


@stage('sam_encoder')
@torch.no_grad()
def embed(sam: Any, frame: Frame, config: ProposalConfig) -> SamEmbedding:
    """Run SAM's image encoder: the long side scaled to S, the rest of the square zero.

    Args:
        sam: segment-anything's `Sam`, with an encoder of any `img_size`.
        frame: the picture.
        config: `image_side` is S where it is not 0; with `pad_square` off, the part of the square
            that no patch of the picture reaches is left out.

    Raises:
        BadRequestError: `config.image_side` is no multiple of the encoder's patch side.
        MissingPackageError: Pillow is not installed.
    """
    encoder = sam.image_encoder
    patch = sam_encoder.patch_side(encoder)
    side = config.image_side or encoder.img_size
    if side % patch:
        raise BadRequestError(
            f'expected proposals.image_side as a multiple of {patch}, the side of a patch of this '
            f'SAM, got {side}')
    scale = side / max(frame.size_hw)
    height, width = (max(1, int(length * scale + 0.5)) for length in frame.size_hw)
    input_hw = height, width
    region_hw = (side, side) if config.pad_square else (
        -(-height // patch) * patch, -(-width // patch) * patch)
    rows, columns = (min(whole, _drawn(inside, patch))
                     for whole, inside in zip(region_hw, input_hw, strict=True))
    image = _scaled(frame, input_hw).to(sam.device)
    image = (image - sam.pixel_mean.float()) / sam.pixel_std.float()
    image = F.pad(image, (0, region_hw[1] - input_hw[1], 0, region_hw[0] - input_hw[0]))
    dtype = next(encoder.parameters()).dtype
    features = sam_encoder.encode(encoder, image[None].to(dtype), side)
    return SamEmbedding(features, side, (rows, columns), input_hw, frame.size_hw)


def _drawn(length: int, patch: int) -> int:
    """Pixels of whole patches of whose logits the first `length` pixels are mixed.

    A patch has four logits along a side. The last pixel lies between two of them, of which the
    second may be of the patch behind it.
    """
    last = math.floor((length - 0.5) * 4 / patch - 0.5) + 1
    return (last // 4 + 1) * patch


def _scaled(frame: Frame, size_hw: tuple[int, int]) -> torch.Tensor:
    """The picture at another size: (3, h, w) float32 in 0..255."""
    pil = require_package('PIL.Image', 'models')
    scaled = pil.fromarray(frame.image_rgb).resize(size_hw[::-1], pil.Resampling.BILINEAR)
    return torch.from_numpy(np.array(scaled)).permute(2, 0, 1).contiguous().float()
