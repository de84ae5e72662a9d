"""How much the masks that a segmentor draws from different points agree.

Many points of an object ask for it, and each gets a mask of its own: nearly the same where the
model knows the object, and each another one where it guesses. Of masks with the same box, the one
that agrees best with its like is more often whole, and nearer to the object, than the one whose
quality the model rates highest.

Letters: N masks, h w grid of their logits.
"""

import torch

# Masks of a smaller IoU are of different things.
_ALIKE = 0.6
# Larger grids are looked at with steps that leave no more cells a side than this.
_LARGEST_SIDE = 128
# What a mask counts at least, so that one of no quality still agrees with itself.
_LEAST_WEIGHT = 1e-3


def agreement(logits: torch.Tensor, quality: torch.Tensor, threshold: float) -> torch.Tensor:
    """Mean IoU of each mask with the masks that are like it, itself among them.

    Args:
        logits: (N, h, w).
        quality: (N,) by which masks count, as the model rates them.
        threshold: a logit above it belongs to the mask.

    Returns:
        (N,) float32 in 0.6..1.
    """
    step = -(-max(logits.shape[1:]) // _LARGEST_SIDE)
    covered = (logits[:, ::step, ::step] > threshold).flatten(1).float()  # (N, cells)
    shared = covered @ covered.T  # (N, N)
    areas = covered.sum(1)
    iou = shared / (areas[:, None] + areas - shared).clamp(min=1)
    # A mask that falls between the cells is like itself alone.
    iou.fill_diagonal_(1.0)
    weights = torch.where(iou > _ALIKE, quality.float().clamp(min=_LEAST_WEIGHT), 0.0)
    return (weights * iou).sum(1) / weights.sum(1)
