"""Mask proposals from SAM: every good mask under a regular grid of point prompts.

The result is that of segment-anything's SamAutomaticMaskGenerator without crops of the image.
The way there differs: prompts stay on the device, masks that the model itself thinks poor are
dropped before they are scaled up, no mask goes through a run-length code, and until duplicates are
gone full-resolution masks exist only a few at a time, or on a CPU only in pieces.

Letters: B prompts or masks of a batch, N proposals, H W image height and width, S side of SAM's
square input, Q quarter of it (the side of its low-resolution logits).
"""

from collections.abc import Iterator
import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from refdiff_ros.optional import require_package
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals import sam_decoder, sam_encoder
from refdiff_ros.proposals.mask_figures import mask_boxes_xyxy, mask_figures, scaled_axis
from refdiff_ros.proposals.sam_embedding import embed, SamEmbedding
from refdiff_ros.proposals.weight_free import largest_parts
from refdiff_ros.results import Frame
from refdiff_ros.stages import stage

# Full-resolution logits held at once.
_PIXEL_BUDGET = 1 << 26
# On a CPU, bytes of the places of a batch of prompts: what its cache holds is not fetched again.
_CACHE_BYTES = 1 << 24


@dataclass(frozen=True)
class SamProposals:
    """Proposals, best predicted quality first.

    Attributes:
        masks: (N, H, W) bool.
        predicted_iou: (N,) float32, SAM's own estimate of each mask's quality.
        stability: (N,) float32 in 0..1: IoU of the mask cut above and below its threshold.
    """

    masks: np.ndarray
    predicted_iou: np.ndarray
    stability: np.ndarray


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
    sam: Any, frame: Frame, config: ProposalConfig, embedding: SamEmbedding | None = None,
) -> SamProposals:
    """Mask proposals for a frame.

    Args:
        sam: segment-anything's `Sam`.
        frame: the picture.
        config: the grid, the thresholds and the batch size.
        embedding: of the same frame, if the caller kept one.

    Raises:
        BadRequestError: as in `embed`.
        MissingPackageError: torchvision, which segment-anything needs, is not installed.
    """
    nms = require_package('torchvision.ops', 'models').nms
    embedding = embed(sam, frame, config) if embedding is None else embedding
    batches = [_good_masks(sam, embedding, logits, quality, config)
               for logits, quality in _decode_grid(sam, embedding, config)]
    found = _Candidates(*(
        torch.cat([getattr(batch, name) for batch in batches])
        for name in ('logits', 'predicted_iou', 'stability', 'boxes_xyxy')))
    kept = nms(found.boxes_xyxy.float(), found.predicted_iou, config.box_nms_thresh)
    masks = np.zeros((len(kept), *embedding.size_hw), bool)
    at_once = _masks_at_once(embedding)
    for start in range(0, len(kept), at_once):
        part = slice(start, start + at_once)
        full = embedding.upscale(found.logits[kept[part]])  # (B, H, W)
        masks[part] = (full > sam.mask_threshold).cpu().numpy()
    if config.largest_part:
        masks = largest_parts(masks)
    return SamProposals(
        masks=masks,
        predicted_iou=found.predicted_iou[kept].cpu().numpy(),
        stability=found.stability[kept].cpu().numpy())


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
    areas = np.count_nonzero(masks, axis=(1, 2))
    pixels = masks.shape[1] * masks.shape[2]
    fits = (areas > config.min_area_px) & (areas <= config.max_area_fraction * pixels)
    rows = np.flatnonzero(fits)
    if config.max_proposals:
        largest_first = np.argsort(-areas[rows], kind='stable')
        rows = np.sort(rows[largest_first[:config.max_proposals]])
    return rows


def point_grid(points_per_side: int) -> np.ndarray:
    """Centres of a regular grid of cells over the unit square, row by row: (n*n, 2) x and y."""
    offset = 1 / (2 * points_per_side)
    side = np.linspace(offset, 1 - offset, points_per_side)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def _decode_grid(
    sam: Any, embedding: SamEmbedding, config: ProposalConfig,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Per batch of prompts: logits (3*B, Q, Q) and predicted quality (3*B,) float32."""
    encoder = _float_prompt_encoder(sam)
    dtype = sam.mask_decoder.iou_token.weight.dtype
    points = _input_points(sam, embedding, config.points_per_side)
    seen = sam_decoder.picture(
        embedding.features.to(dtype), _grid_positions(sam, encoder, embedding).to(dtype),
        encoder.no_mask_embed.weight.to(dtype))
    for batch in points.split(_prompts_at_once(seen, config)):
        labels = torch.ones(batch.shape[:2], dtype=torch.int, device=sam.device)
        sparse, _ = encoder(points=(batch, labels), boxes=None, masks=None)
        yield _decode(sam.mask_decoder, seen, sparse.to(dtype), config.pred_iou_thresh)


def _prompts_at_once(seen: sam_decoder.Picture, config: ProposalConfig) -> int:
    if seen.places.device.type != 'cpu':
        return config.points_per_batch
    fits = _CACHE_BYTES // (seen.places.numel() * seen.places.element_size())
    return max(1, min(config.points_per_batch, fits))


def _input_points(sam: Any, embedding: SamEmbedding, points_per_side: int) -> torch.Tensor:
    """The grid's points in pixels of the model's own square, (n*n, 1, 2) float64."""
    height, width = embedding.size_hw
    # First to pixels of the frame, then of SAM's input, in double precision like the original.
    points = point_grid(points_per_side) * np.array([width, height])
    points *= np.array([embedding.input_hw[1] / width, embedding.input_hw[0] / height])
    points *= sam.image_encoder.img_size / embedding.side
    return torch.from_numpy(points).to(sam.device)[:, None]


def _grid_positions(sam: Any, encoder: Any, embedding: SamEmbedding) -> torch.Tensor:
    """Positions of the features' places, (1, C, h, w): the upper left part of the square's."""
    places = embedding.side // sam_encoder.patch_side(sam.image_encoder)
    height, width = embedding.features.shape[2:]
    return encoder.pe_layer((places, places))[None, :, :height, :width]


@stage('sam_prompts')
def _decode(
    decoder: Any, seen: sam_decoder.Picture, sparse: torch.Tensor, threshold: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What `MaskDecoder` gives for B prompts, less the masks that would be dropped.

    The quality of a prompt's masks is known before they are drawn, and most prompts lie beside
    all objects: masks are drawn for those prompts alone of which one has a quality above
    `threshold`.

    Returns:
        Logits (3*K, Q, Q) and predicted quality (3*K,) float32 of the K prompts that are left.
    """
    tokens, places = sam_decoder.attend(decoder, seen, sparse)
    head = decoder.iou_prediction_head  # of float32 also in a halved decoder
    quality = head(tokens[:, 0].to(head.layers[0].weight.dtype))
    quality = quality[:, 1:]  # (B, 3); the first is for one mask
    if threshold > 0:
        good = (quality.float() > threshold).any(dim=1)
        tokens, places, quality = tokens[good], places[good], quality[good]
    logits = sam_decoder.draw(decoder, tokens, places, seen.size_hw)  # (K, 3, Q, Q)
    return logits.flatten(0, 1), quality.flatten().float()


def _float_prompt_encoder(sam: Any) -> Any:
    """SAM's prompt encoder in float32: its coordinates do not survive half precision."""
    encoder = sam.prompt_encoder
    if next(encoder.parameters()).dtype == torch.float32:
        return encoder
    return copy.deepcopy(encoder).float()


def _good_masks(
    sam: Any,
    embedding: SamEmbedding,
    logits: torch.Tensor,
    predicted_iou: torch.Tensor,
    config: ProposalConfig,
) -> _Candidates:
    """The masks of a batch that pass both quality thresholds."""
    if config.pred_iou_thresh > 0:
        good = predicted_iou > config.pred_iou_thresh
        logits, predicted_iou = logits[good], predicted_iou[good]
    figures = _figures_in_pieces if logits.device.type == 'cpu' else _figures_drawn
    stability, boxes = figures(
        embedding, logits, sam.mask_threshold, config.stability_score_offset)
    if config.stability_score_thresh > 0:
        good = stability >= config.stability_score_thresh
        logits, predicted_iou, stability, boxes = (
            values[good] for values in (logits, predicted_iou, stability, boxes))
    return _Candidates(logits, predicted_iou, stability, boxes)


def _figures_in_pieces(
    embedding: SamEmbedding, logits: torch.Tensor, threshold: float, offset: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Stability and boxes of masks (B, Q, Q) on a CPU: small pieces stay in its cache."""
    rows, columns = (
        scaled_axis(length, (region, part), (size, size)) for length, region, part, size in zip(
            logits.shape[1:], embedding.region_hw, embedding.input_hw, embedding.size_hw,
            strict=True))
    stability, boxes = mask_figures(logits.float().numpy(), rows, columns, threshold, offset)
    return torch.from_numpy(stability), torch.from_numpy(boxes)


def _figures_drawn(
    embedding: SamEmbedding, logits: torch.Tensor, threshold: float, offset: float,
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


def _masks_at_once(embedding: SamEmbedding) -> int:
    pixels = embedding.side ** 2 + embedding.size_hw[0] * embedding.size_hw[1]
    return max(1, _PIXEL_BUDGET // pixels)


def _stability(full: torch.Tensor, threshold: float, offset: float) -> torch.Tensor:
    """IoU of each mask (B, H, W) of logits cut at threshold + offset and threshold - offset."""
    inner, outer = ((full > cut).flatten(1).sum(1, dtype=torch.int32)
                    for cut in (threshold + offset, threshold - offset))
    return inner / outer
