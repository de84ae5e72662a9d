"""Fitting a picture of any size into the square that the diffusion model sees, and back.

Letters: H W image height and width, h w attention grid, S the model's side, K maps.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
import torch
from torch.nn import functional

from refdiff_ros.stage_clock import stage

_FILTERS = {'letterbox': Image.Resampling.BILINEAR, 'center_square': Image.Resampling.LANCZOS}


@dataclass(frozen=True)
class Placement:
    """Where the picture lies in the padded square, in the picture's own pixels."""

    side: int
    top: int
    left: int
    size_hw: tuple[int, int]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the padded square that hold the picture."""
        height, width = self.size_hw
        return (slice(self.top, self.top + height), slice(self.left, self.left + width))


def place(size_hw: tuple[int, int]) -> Placement:
    """The picture centred in the square of its longer side."""
    height, width = size_hw
    side = max(height, width)
    return Placement(side, (side - height) // 2, (side - width) // 2, size_hw)


@stage('image_fit')
def fit_image(image_rgb: np.ndarray, size: int, fit: str) -> tuple[torch.Tensor, Placement]:
    """The picture padded with black to a square and scaled to `size`.

    Args:
        image_rgb: (H, W, 3) uint8.
        size: side S in pixels.
        fit: 'letterbox' (antialiased bilinear) or 'center_square' (Lanczos).

    Returns:
        (1, 3, S, S) float32 in -1..1, contiguous, and the placement that undoes it.
    """
    placement = place(image_rgb.shape[:2])
    square = np.zeros((placement.side, placement.side, 3), np.uint8)
    square[placement.window] = image_rgb
    scaled = np.asarray(Image.fromarray(square).resize((size, size), _FILTERS[fit]))
    image = torch.from_numpy(scaled.astype(np.float32) / 127.5 - 1.0)
    # A channels-last tensor makes GroupNorm wrong on CPU, so the memory is laid out anew.
    return image.permute(2, 0, 1)[None].contiguous(), placement  # (S, S, 3) -> (1, 3, S, S)


def unfit_bilinear(maps: torch.Tensor, placement: Placement) -> torch.Tensor:
    """Maps of the square, (K, h, w) float, resized to the picture, (K, H, W)."""
    side = (placement.side, placement.side)
    square = functional.interpolate(maps[None], size=side, mode='bilinear', align_corners=False)
    return square[0][(slice(None), *placement.window)]


def unfit_lanczos_8bit(maps: np.ndarray, placement: Placement) -> np.ndarray:
    """Maps of the square, (K, h, w) in 0..1, cut to 8 bits, to the picture by Lanczos.

    Returns:
        (K, H, W) float32 in 0..1, in steps of 1/255.
    """
    side = (placement.side, placement.side)
    resized = [
        np.asarray(Image.fromarray((m * 255).astype(np.uint8)).resize(
            side, Image.Resampling.LANCZOS))[placement.window]
        for m in maps]
    return np.stack(resized).astype(np.float32) / 255
