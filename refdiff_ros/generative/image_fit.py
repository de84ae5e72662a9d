"""Fitting a picture of any size into what the diffusion model sees, and back.

Letters: H W image height and width, h w attention grid, S the model's side, K maps.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
import torch
from torch.nn import functional

from refdiff_ros.stages import stage

_FILTERS = {'letterbox': Image.Resampling.BILINEAR, 'center_square': Image.Resampling.LANCZOS}


@dataclass(frozen=True)
class Placement:
    """Where the picture lies on the black canvas that is fitted, in the picture's own pixels."""

    canvas_hw: tuple[int, int]
    top: int
    left: int
    size_hw: tuple[int, int]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas that hold the picture."""
        height, width = self.size_hw
        return (slice(self.top, self.top + height), slice(self.left, self.left + width))


def place(size_hw: tuple[int, int], canvas_hw: tuple[int, int] | None = None) -> Placement:
    """The picture in the middle of a canvas; without one, of the square of its longer side."""
    height, width = size_hw
    canvas_hw = (max(size_hw),) * 2 if canvas_hw is None else canvas_hw
    return Placement(
        canvas_hw, (canvas_hw[0] - height) // 2, (canvas_hw[1] - width) // 2, size_hw)


def fitted_hw(size_hw: tuple[int, int], size: int, multiple: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side is scaled to `size`, both rounded up to a
    multiple of `multiple`; `size` is one.
    """
    height, width = (min(size, -(-side * size // (max(size_hw) * multiple)) * multiple)
                     for side in size_hw)
    return height, width


@stage('image_fit')
def fit_image(
    image_rgb: np.ndarray, size: int, fit: str, target_hw: tuple[int, int] | None = None,
) -> tuple[torch.Tensor, Placement]:
    """The picture padded with black, to a square or as little as needed, and scaled.

    Args:
        image_rgb: (H, W, 3) uint8.
        size: what the longer side is scaled to, S in pixels.
        fit: 'letterbox' (antialiased bilinear) or 'center_square' (Lanczos).
        target_hw: height and width of the result, as from `fitted_hw`; None for a square.

    Returns:
        (1, 3, S, S), or (1, 3, *target_hw), float32 in -1..1, contiguous, and the placement that
        undoes it.
    """
    size_hw = image_rgb.shape[:2]
    target_hw = (size, size) if target_hw is None else target_hw
    placement = place(size_hw, tuple(
        max(n, round(target * max(size_hw) / size)) for n, target in zip(size_hw, target_hw)))
    canvas = np.zeros((*placement.canvas_hw, 3), np.uint8)
    canvas[placement.window] = image_rgb
    scaled = np.asarray(Image.fromarray(canvas).resize(target_hw[::-1], _FILTERS[fit]))
    image = torch.from_numpy(scaled.astype(np.float32) / 127.5 - 1.0)
    # A channels-last tensor makes GroupNorm wrong on CPU, so the memory is laid out anew.
    return image.permute(2, 0, 1)[None].contiguous(), placement  # (h, w, 3) -> (1, 3, h, w)


def unfit_bilinear(maps: torch.Tensor, placement: Placement) -> torch.Tensor:
    """Maps of the canvas, (K, h, w) float, resized to the picture, (K, H, W)."""
    canvas = functional.interpolate(
        maps[None], size=placement.canvas_hw, mode='bilinear', align_corners=False)
    return canvas[0][(slice(None), *placement.window)]


def unfit_lanczos_8bit(maps: np.ndarray, placement: Placement) -> np.ndarray:
    """Maps of the canvas, (K, h, w) in 0..1, cut to 8 bits, to the picture by Lanczos.

    Returns:
        (K, H, W) float32 in 0..1, in steps of 1/255.
    """
    resized = [
        np.asarray(Image.fromarray((m * 255).astype(np.uint8)).resize(
            placement.canvas_hw[::-1], Image.Resampling.LANCZOS))[placement.window]
        for m in maps]
    return np.stack(resized).astype(np.float32) / 255
