"""Whether other prompts draw the same mask: a second opinion on how good it is.

A whole object is drawn from nearly every point on it, a part of it or two objects at once from few
points, and each time differently. What a small segmentor says of its own masks knows that less
well: of a mask that shows an object and one that shows none, drawn by lot from one of 80 scenes of
`tabletop_wide`'s validation, it rates the former higher in 92 of 100 draws; the mean of that, the
stability and the agreement in 96 (`bench/mask_ratings.py`).

Letters: B masks, Q side of their low-resolution logits.
"""

import torch

# Masks are compared on a grid of at most this many cells a side.
_CELLS = 64
# Masks that overlap less are of other things, and no opinion on this one.
_SAME = 0.3


def agreement(
    logits: torch.Tensor, threshold: float, predicted_iou: torch.Tensor,
) -> torch.Tensor:
    """Mean IoU of each mask with those that overlap it, weighed by what is predicted for them.

    Args:
        logits: (B, Q, Q), those of all prompts.
        threshold: a place above it belongs to the mask.
        predicted_iou: (B,) the segmentor's own estimate of each.

    Returns:
        (B,) float32 in 0..1; 0 for a mask that no other one overlaps.
    """
    every = -(-max(logits.shape[-2:]) // _CELLS)
    inside = (logits[:, ::every, ::every] > threshold).flatten(1).float()  # (B, cells)
    shared = inside @ inside.T
    areas = inside.sum(dim=1)
    overlap = shared / (areas[:, None] + areas - shared).clamp(min=1)  # (B, B) IoU
    overlap.fill_diagonal_(0)
    weight = (overlap > _SAME) * predicted_iou.clamp(min=0)
    return (weight * overlap).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-6)
