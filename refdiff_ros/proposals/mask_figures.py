"""Stability and boxes of masks; on a CPU without drawing what is not mask.

A mask's logits are scaled up bilinearly, so that no pixel is above the largest of the logits that
it is mixed from: beyond those above the threshold there is nothing to see. Scaling, once or twice,
is one matrix for the rows and one for the columns, of which only those pieces are multiplied.

Letters: h w of the low-resolution logits, H W of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.masks import box_xyxy


@dataclass(frozen=True)
class Axis:
    """How one axis is scaled.

    Attributes:
        weights: (H, h) float32; each row adds up to 1.
        first_from, last_from: H numbers, the first and last logit that a pixel is mixed from.
        starts: h numbers, the first pixel that a logit or one behind it is mixed into; H for none.
        stops: h numbers, one more than the last pixel that a logit or one before it is mixed
            into; 0 for none.
    """

    weights: np.ndarray
    first_from: list[int]
    last_from: list[int]
    starts: list[int]
    stops: list[int]

    def reach(self, first: int, last: int) -> tuple[slice, slice]:
        """Pixels that logits `first` to `last` reach, and all logits that those are mixed from."""
        start, stop = self.starts[first], self.stops[last]
        if start >= stop:
            return slice(0, 0), slice(0, 0)
        return (slice(start, stop),
                slice(self.first_from[start], self.last_from[stop - 1] + 1))


@lru_cache(maxsize=16)
def scaled_axis(length: int, *steps: tuple[int, int]) -> Axis:
    """An axis of `length` logits, scaled bilinearly in steps.

    Args:
        length: h.
        steps: for each the size that is scaled to, and how much of it is kept from its beginning.
    """
    scaled = torch.eye(length, dtype=torch.float32)[None]  # (1, h, pixels)
    for size, kept in steps:
        scaled = F.interpolate(scaled, size, mode='linear', align_corners=False)[..., :kept]
    weights = np.ascontiguousarray(scaled[0].numpy().T)  # (H, h)
    mixed = weights > 0
    used = mixed.any(0)
    first_to = np.where(used, mixed.argmax(0), len(weights))  # (h,)
    stop_to = np.where(used, len(weights) - mixed[::-1].argmax(0), 0)
    return Axis(
        weights=weights,
        first_from=mixed.argmax(1).tolist(),
        last_from=(length - 1 - mixed[:, ::-1].argmax(1)).tolist(),
        starts=np.minimum.accumulate(first_to[::-1])[::-1].tolist(),
        stops=np.maximum.accumulate(stop_to).tolist())


def mask_figures(
    logits: np.ndarray, rows: Axis, columns: Axis, threshold: float, offset: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Stability and box of each mask at the size of the picture.

    Args:
        logits: (B, h, w) float32.
        rows, columns: how they are scaled up.
        threshold: a pixel above it belongs to the mask.
        offset: see `stability`.

    Returns:
        stability: (B,) float32 in 0..1, IoU of the mask cut at threshold + offset and at threshold
            - offset; NaN where neither has a pixel.
        boxes: (B, 4) int64 as `mask_boxes_xyxy`.
    """
    cuts = threshold + offset, threshold - offset
    lowest = min(threshold, *cuts)
    inner, outer = np.zeros((2, len(logits)), np.float32)
    boxes = np.zeros((len(logits), 4), np.int64)
    above = torch.from_numpy(logits > lowest)
    found = above.flatten(1).any(1).tolist()
    for index, seen in enumerate(mask_boxes_xyxy(above).tolist()):
        if not found[index]:
            continue
        pixels, (down, right) = _scaled(logits[index], seen, rows, columns)
        inner[index], outer[index] = (np.count_nonzero(pixels > cut) for cut in cuts)
        box = box_xyxy(pixels > threshold)
        if box is not None:
            boxes[index] = np.add(box, (right.start, down.start, right.start, down.start))
    with np.errstate(invalid='ignore', divide='ignore'):
        return inner / outer, boxes


def draw_masks(logits: np.ndarray, rows: Axis, columns: Axis, threshold: float) -> np.ndarray:
    """Masks at the size of the picture.

    Args:
        logits: (B, h, w) float32.
        rows, columns: how they are scaled up.
        threshold: a pixel above it belongs to the mask.

    Returns:
        (B, H, W) bool.
    """
    masks = np.zeros((len(logits), len(rows.weights), len(columns.weights)), bool)
    for mask, own in zip(masks, logits, strict=True):
        seen = box_xyxy(own > threshold)
        if seen is not None:
            pixels, window = _scaled(own, seen, rows, columns)
            mask[window] = pixels > threshold
    return masks


def _scaled(
    logits: np.ndarray, seen_xyxy: Sequence[int], rows: Axis, columns: Axis,
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """The piece of a mask (h, w) that the logits in a box reach, and where it is."""
    left, top, right, bottom = seen_xyxy
    down, from_rows = rows.reach(top, bottom)
    across, from_columns = columns.reach(left, right)
    pixels = rows.weights[down, from_rows] @ logits[from_rows, from_columns] @ (
        columns.weights[across, from_columns].T)
    return pixels, (down, across)


def mask_boxes_xyxy(masks: torch.Tensor) -> torch.Tensor:
    """First and last column and row of each mask.

    Args:
        masks: (N, H, W) bool.

    Returns:
        (N, 4) int64: x of the first column, y of the first row, x of the last column, y of the
        last row, the last ones included; zeros for an empty mask.
    """
    first_last = []
    pixels = masks.view(torch.uint8)  # of which torch finds the largest faster than any true one
    for flags in (pixels.amax(dim=1), pixels.amax(dim=2)):  # (N, W), (N, H)
        length = flags.shape[1]
        first_last.append((flags.argmax(1), length - 1 - flags.flip(1).argmax(1)))
    (x0, x1), (y0, y1) = first_last
    boxes = torch.stack([x0, y0, x1, y1], dim=1)  # (N, 4)
    return boxes * flags.any(1, keepdim=True)
