"""Mask proposals from a segmentor: every good mask under a regular grid of point prompts.

For SAM the result is that of segment-anything's SamAutomaticMaskGenerator without crops of the
image.
The way there differs: prompts stay on the device, masks that the model itself thinks poor are
dropped before they are scaled up, no mask goes through a run-length code, and until duplicates are
gone full-resolution masks exist only a few at a time, or on a CPU only in pieces.

Letters: B prompts or masks of a batch, N proposals, H W image height and width, S side of SAM's
square input, Q quarter of it (the side of its low-resolution logits).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from refdiff_ros.optional import require_package
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals.agreement import agreement
from refdiff_ros.proposals.mask_figures import (
    draw_masks,
    mask_boxes_xyxy,
    mask_figures,
    scaled_axis,
)
from refdiff_ros.proposals.points import prompt_points
from refdiff_ros.proposals.segmentor import Embedding, Segmentor, segmentor_of
from refdiff_ros.proposals.weight_free import keep_largest_parts
from refdiff_ros.results import Frame
from refdiff_ros.stages import stage

# Full-resolution logits held at once.
_PIXEL_BUDGET = 1 << 26


@dataclass(frozen=True)
class SamProposals:
    """Proposals, those of the highest quality first.

    Attributes:
        masks: (N, H, W) bool.
        quality: (N,) float32, an estimate of each mask's IoU, as `proposals.rated_by` says.
        predicted_iou: (N,) float32, SAM's own estimate of it.
        stability: (N,) float32 in 0..1: IoU of the mask cut above and below its threshold.
        cell_px: side of a cell of the low-resolution logits, pixels of the frame.
    """

    masks: np.ndarray
    quality: np.ndarray
    predicted_iou: np.ndarray
    stability: np.ndarray
    cell_px: float


@dataclass(frozen=True)
class _Candidates:
    """Masks of a batch that passed: logits (B, Q, Q) and, per mask, its figures and box."""

    logits: torch.Tensor
    predicted_iou: torch.Tensor
    stability: torch.Tensor
    boxes_xyxy: torch.Tensor


@stage('sam_masks')
@torch.no_grad()
def propose(
    sam: Any,
    frame: Frame,
    config: ProposalConfig,
    embedding: Embedding | None = None,
    points: np.ndarray | None = None,
) -> SamProposals:
    """Mask proposals for a frame.

    Args:
        sam: segment-anything's `Sam` or transformers' `Sam2Model`.
        frame: the picture.
        config: the grid, the thresholds and the batch size.
        embedding: of the same frame, if the caller kept one.
        points: (K, 2) x and y in the unit square, where masks are asked for; None for the grid
            that `config` says.

    Raises:
        BadRequestError: as in `Segmentor.embed`.
        MissingPackageError: torchvision, which segment-anything needs, is not installed.
    """
    nms = require_package('torchvision.ops', 'models').nms
    segmentor = segmentor_of(sam)
    embedding = segmentor.embed(frame, config) if embedding is None else embedding
    points = prompt_points(frame.image_rgb, config) if points is None else points
    batches = [_good_masks(segmentor, embedding, logits, quality, config)
               for logits, quality in segmentor.decode(embedding, points, config)]
    found = _Candidates(*(
        torch.cat([getattr(batch, name) for batch in batches])
        for name in ('logits', 'predicted_iou', 'stability', 'boxes_xyxy')))
    quality = _quality(found, segmentor.mask_threshold, config)
    kept = nms(found.boxes_xyxy.float(), quality, config.box_nms_thresh)
    draw = drawn_in_pieces if found.logits.device.type == 'cpu' else drawn_whole
    masks = draw(embedding, found.logits[kept], segmentor.mask_threshold)
    if config.largest_part:
        keep_largest_parts(masks)
    return SamProposals(
        masks=masks,
        quality=quality[kept].cpu().numpy(),
        predicted_iou=found.predicted_iou[kept].cpu().numpy(),
        stability=found.stability[kept].cpu().numpy(),
        cell_px=max(frame.size_hw) / max(found.logits.shape[-2:]))


@stage('sam_masks')
def filter_proposals(masks: np.ndarray, config: ProposalConfig) -> np.ndarray:
    """Rows of the proposals that are worth scoring.

    Args:
        masks: (N, H, W) bool.
        config: `min_area_px`, `max_area_fraction` and `max_proposals` are used.

    Returns:
        Ascending rows of the masks that have more than `min_area_px` pixels and at most
        `max_area_fraction` of the image; of those the `max_proposals` largest, the first of
        equally large ones.
    """
    # Mask by mask NumPy counts several times as fast.
    areas = np.array([np.count_nonzero(mask) for mask in masks], np.intp)
    pixels = masks.shape[1] * masks.shape[2]
    fits = (areas > config.min_area_px) & (areas <= config.max_area_fraction * pixels)
    rows = np.flatnonzero(fits)
    if config.max_proposals:
        largest_first = np.argsort(-areas[rows], kind='stable')
        rows = np.sort(rows[largest_first[:config.max_proposals]])
    return rows


def _good_masks(
    segmentor: Segmentor,
    embedding: Embedding,
    logits: torch.Tensor,
    predicted_iou: torch.Tensor,
    config: ProposalConfig,
) -> _Candidates:
    """The masks of a batch that pass both quality thresholds."""
    if config.pred_iou_thresh > 0:
        logits, predicted_iou = _where(
            predicted_iou > config.pred_iou_thresh, logits, predicted_iou)
    figures = figures_in_pieces if logits.device.type == 'cpu' else figures_drawn
    seen = embedding.as_seen() if config.judged_at == 'model' else embedding
    stability, boxes = figures(
        seen, logits, segmentor.mask_threshold, config.stability_score_offset)
    found: tuple[torch.Tensor, ...] = (logits, predicted_iou, stability, boxes)
    if config.stability_score_thresh > 0:
        found = _where(stability >= config.stability_score_thresh, *found)
    return _Candidates(*found)


def _where(good: torch.Tensor, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Those rows of each value that are good (B,), without a copy where all are."""
    if good.device.type == 'cpu' and bool(good.all()):
        return values
    return tuple(each[good] for each in values)


def _quality(found: _Candidates, threshold: float, config: ProposalConfig) -> torch.Tensor:
    """(B,) by which masks are put in order, as `proposals.rated_by` says."""
    if config.rated_by == 'model' or not len(found.logits):
        return found.predicted_iou
    agreed = agreement(found.logits, threshold, found.predicted_iou)
    # NaN where the mask is empty, cut high or low.
    return (found.predicted_iou + found.stability.nan_to_num() + agreed) / 3


def figures_in_pieces(
    embedding: Embedding, logits: torch.Tensor, threshold: float, offset: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Stability and boxes of masks (B, Q, Q) on a CPU: small pieces stay in its cache."""
    rows, columns = (scaled_axis(length, *embedding.steps(axis))
                     for axis, length in enumerate(logits.shape[1:]))
    stability, boxes = mask_figures(logits.float().numpy(), rows, columns, threshold, offset)
    return torch.from_numpy(stability), torch.from_numpy(boxes)


def drawn_in_pieces(
    embedding: Embedding, logits: torch.Tensor, threshold: float,
) -> np.ndarray:
    """Masks (B, H, W) bool of logits (B, Q, Q) on a CPU, which draws what is mask alone."""
    rows, columns = (scaled_axis(length, *embedding.steps(axis))
                     for axis, length in enumerate(logits.shape[1:]))
    return draw_masks(logits.float().numpy(), rows, columns, threshold)


def drawn_whole(embedding: Embedding, logits: torch.Tensor, threshold: float) -> np.ndarray:
    """The same on a GPU, many whole masks at once."""
    masks = np.zeros((len(logits), *embedding.size_hw), bool)
    at_once = _masks_at_once(embedding)
    for start in range(0, len(logits), at_once):
        part = slice(start, start + at_once)
        full = embedding.upscale(logits[part])  # (B, H, W)
        masks[part] = (full > threshold).cpu().numpy()
    return masks


def figures_drawn(
    embedding: Embedding, logits: torch.Tensor, threshold: float, offset: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same on a GPU, many whole masks at once."""
    stability = torch.zeros(len(logits), device=logits.device)
    boxes = torch.zeros(len(logits), 4, dtype=torch.int64, device=logits.device)
    at_once = _masks_at_once(embedding)
    for start in range(0, len(logits), at_once):
        part = slice(start, start + at_once)
        full = embedding.upscale(logits[part])  # (B, H, W)
        stability[part] = _stability(full, threshold, offset)
        boxes[part] = mask_boxes_xyxy(full > threshold)
    return stability, boxes


def _masks_at_once(embedding: Embedding) -> int:
    pixels = embedding.side ** 2 + embedding.size_hw[0] * embedding.size_hw[1]
    return max(1, _PIXEL_BUDGET // pixels)


def _stability(full: torch.Tensor, threshold: float, offset: float) -> torch.Tensor:
    """IoU of each mask (B, H, W) of logits cut at threshold + offset and threshold - offset."""
    inner, outer = ((full > cut).flatten(1).sum(1, dtype=torch.int32)
                    for cut in (threshold + offset, threshold - offset))
    return inner / outer
