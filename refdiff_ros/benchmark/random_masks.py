"""Regions from a segmentor with random weights.

Its masks cover nearly nothing or nearly everything, for what all places of a picture have in
common outweighs what tells them apart. Crops, boxes and run lengths of such masks cost another
amount than those of objects, and scores of equal masks are equal.

A logit is a product w . x of what a mask's head gives and what the decoder gives at a place. Heads
are all that is changed here, so that one way does for every segmentor: what x is comes from heads
that are made to give chosen vectors.

Letters: B prompts, C width of x, q side of the low-resolution logits.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals.points import point_grid
from refdiff_ros.proposals.segmentor import Embedding, Segmentor, segmentor_of
from refdiff_ros.results import Frame

# Share of the picture that a mask covers in the mean.
_SHARE = 0.15
# Every mask of a coarse grid of prompts, and of a coarser one where many draws are needed.
_CONFIG = ProposalConfig(points_per_side=4, pred_iou_thresh=-1e9)
_COARSER = replace(_CONFIG, points_per_side=2)
# Heads of a prompt's masks; the first, for one mask alone, is not used.
_MASKS = 3


@torch.no_grad()
def spread_masks(model: Any, frame: Frame) -> None:
    """Change a random segmentor so that its masks on pictures like `frame` are regions.

    The part that all x have in common is taken out of the heads, and as much of it is added to
    their bias as lets masks cover `_SHARE` of the picture in the mean.

    Args:
        model: segment-anything's `Sam` or transformers' `Sam2Model`, in float32; the heads of its
            decoder are changed.
        frame: a picture.
    """
    segmentor = segmentor_of(model)
    embedding = segmentor.embed(frame, _CONFIG)
    heads = list(model.mask_decoder.output_hypernetworks_mlps)[1:]
    common = _mean_place(heads, segmentor, embedding)
    common /= common.norm()
    for last in map(last_layer, heads):
        last.weight -= torch.outer(common, common @ last.weight)
        last.bias -= common * (common @ last.bias)
    logits = _draw(segmentor, embedding)
    with _giving(heads, [common] * _MASKS):
        along = _draw(segmentor, embedding)
    ratio = (logits / along).flatten().cpu().numpy()  # a logit is above 0 where along > 0
    for last in map(last_layer, heads):
        last.bias -= common * float(np.quantile(ratio, 1 - _SHARE))


def last_layer(head: Any) -> Any:
    """The last linear layer of a head of either segmentor's decoder."""
    return head.proj_out if hasattr(head, 'proj_out') else head.layers[-1]


def _mean_place(
    heads: Sequence[Any], segmentor: Segmentor, embedding: Embedding,
) -> torch.Tensor:
    """The mean of x over prompts and places, (C,)."""
    units = torch.eye(last_layer(heads[0]).out_features, device=embedding.features.device)
    means = []
    for start in range(0, len(units), _MASKS):
        chosen = units[start:start + _MASKS]
        with _giving(heads, [*chosen, *([units[0]] * _MASKS)][:_MASKS]):
            logits = _draw(segmentor, embedding, _COARSER).unflatten(0, (-1, _MASKS))
        means.append(logits.mean((0, 2, 3))[:len(chosen)])  # (B, 3, q, q) to (3,)
    return torch.cat(means)


@contextmanager
def _giving(heads: Sequence[Any], vectors: Sequence[torch.Tensor]) -> Iterator[None]:
    """Inside, each head gives its vector (C,), whatever it is asked."""
    handles = [head.register_forward_hook(
        lambda _module, _args, output, vector=vector: vector.expand_as(output))
        for head, vector in zip(heads, vectors, strict=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _draw(
    segmentor: Segmentor, embedding: Embedding, config: ProposalConfig = _CONFIG,
) -> torch.Tensor:
    """Low-resolution logits of all masks: (3*B, q, q) float32."""
    points = point_grid(config.points_per_side)
    return torch.cat([logits.float() for logits, _ in segmentor.decode(
        embedding, points, config)])
