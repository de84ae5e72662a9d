"""Regions from a SAM with random weights.

Its masks cover nearly nothing or nearly everything, for what all places of a picture have in
common outweighs what tells them apart. Crops, boxes and run lengths of such masks cost another
amount than those of objects, and scores of equal masks are equal.
"""

from typing import Any

import numpy as np
import torch

from refdiff_ros.optional import require_package
from refdiff_ros.proposals.points import point_grid
from refdiff_ros.results import Frame

# Share of the picture that a mask covers in the mean.
_SHARE = 0.15
_POINTS_PER_SIDE = 4


@torch.no_grad()
def spread_masks(sam: Any, frame: Frame) -> None:
    """Change a random SAM so that its masks on pictures like `frame` are regions.

    The common part of the places' features is taken out of what the masks are drawn with, and
    the threshold of masks is put where they cover `_SHARE` of the picture in the mean.

    Args:
        sam: segment-anything's `Sam`; its decoder and `mask_threshold` are changed.
        frame: a picture.
    """
    places: list[torch.Tensor] = []
    handle = sam.mask_decoder.output_upscaling.register_forward_hook(
        lambda _module, _args, output: places.append(output))
    try:
        _draw(sam, frame)
    finally:
        handle.remove()
    common = torch.cat(places).float().mean(dim=(0, 2, 3))  # (C/8,)
    common /= common.norm()
    for head in sam.mask_decoder.output_hypernetworks_mlps:
        last = head.layers[-1]
        last.weight -= torch.outer(common, common @ last.weight.float()).to(last.weight.dtype)
        last.bias -= (common * (common @ last.bias.float())).to(last.bias.dtype)
    sam.mask_threshold = float(np.quantile(_draw(sam, frame), 1 - _SHARE))


def _draw(sam: Any, frame: Frame) -> np.ndarray:
    """Low-resolution logits under a coarse grid of prompts."""
    predictor = require_package('segment_anything', 'models').SamPredictor(sam)
    predictor.set_image(frame.image_rgb)
    points = predictor.transform.apply_coords(
        point_grid(_POINTS_PER_SIDE) * np.array(frame.size_hw[::-1]), frame.size_hw)
    points = torch.from_numpy(points).to(sam.device)[:, None]  # (n*n, 1, 2)
    labels = torch.ones(points.shape[:2], dtype=torch.int, device=sam.device)
    _, _, logits = predictor.predict_torch(points, labels, multimask_output=True)
    return logits.float().cpu().numpy()
