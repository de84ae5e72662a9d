"""segment-anything's `Sam` as a segmentor, its decoder's products reordered (`sam_decoder`).

Letters: B prompts of a batch, Q side of the low-resolution logits.
"""

from collections.abc import Iterator
import copy
from typing import Any

import numpy as np
import torch

from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals import sam_decoder, sam_encoder
from refdiff_ros.proposals.sam_embedding import embed, SamEmbedding
from refdiff_ros.results import Frame
from refdiff_ros.stages import stage

# On a CPU, bytes of the places of a batch of prompts: what its cache holds is not fetched again.
_CACHE_BYTES = 1 << 24
# The same while masks are drawn: made finer twice, the features of a place are twice as large.
_CACHE_BYTES_DRAWN = 1 << 22


class Sam1:
    """SAM; see `segmentor.Segmentor`."""

    def __init__(self, sam: Any):
        self._sam = sam
        self.mask_threshold: float = sam.mask_threshold

    def embed(self, frame: Frame, config: ProposalConfig) -> SamEmbedding:
        """As `sam_embedding.embed`."""
        return embed(self._sam, frame, config)

    def decode(
        self, embedding: SamEmbedding, points: np.ndarray, config: ProposalConfig,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Per batch of prompts: logits (3*B, Q, Q) and predicted quality (3*B,) float32."""
        sam = self._sam
        encoder = _float_prompt_encoder(sam)
        dtype = sam.mask_decoder.iou_token.weight.dtype
        pixels = _input_points(sam, embedding, points)
        seen = sam_decoder.picture(
            embedding.features.to(dtype), _grid_positions(sam, encoder, embedding).to(dtype),
            encoder.no_mask_embed.weight.to(dtype))
        patch = sam_encoder.patch_side(sam.image_encoder)
        rows, columns = (length // patch for length in embedding.drawn_hw)
        for batch in pixels.split(prompts_at_once(seen, config)):
            labels = torch.ones(batch.shape[:2], dtype=torch.int, device=sam.device)
            sparse, _ = encoder(points=(batch, labels), boxes=None, masks=None)
            yield from _decode(
                sam.mask_decoder, seen, sparse.to(dtype), (rows, columns), config)


def prompts_at_once(
    seen: sam_decoder.Picture, config: ProposalConfig, cache_bytes: int = _CACHE_BYTES,
) -> int:
    """How many prompts are decoded together: on a CPU no more than its cache holds."""
    if seen.places.device.type != 'cpu':
        return config.points_per_batch
    fits = cache_bytes // (seen.places.numel() * seen.places.element_size())
    return max(1, min(config.points_per_batch, fits))


def _input_points(sam: Any, embedding: SamEmbedding, points: np.ndarray) -> torch.Tensor:
    """Points (K, 2) of the unit square in pixels of the model's own, (K, 1, 2) float64."""
    height, width = embedding.size_hw
    # First to pixels of the frame, then of SAM's input, in double precision like the original.
    pixels = points * np.array([width, height])
    pixels *= np.array([embedding.input_hw[1] / width, embedding.input_hw[0] / height])
    pixels *= sam.image_encoder.img_size / embedding.side
    return torch.from_numpy(pixels).to(sam.device)[:, None]


def _grid_positions(sam: Any, encoder: Any, embedding: SamEmbedding) -> torch.Tensor:
    """Positions of the features' places, (1, C, h, w): the upper left part of the square's."""
    places = embedding.side // sam_encoder.patch_side(sam.image_encoder)
    height, width = embedding.features.shape[2:]
    positions: torch.Tensor = encoder.pe_layer((places, places))
    return positions[None, :, :height, :width]


@stage('sam_prompts')
def _decode(
    decoder: Any,
    seen: sam_decoder.Picture,
    sparse: torch.Tensor,
    drawn_hw: tuple[int, int],
    config: ProposalConfig,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What `MaskDecoder` gives for B prompts, less the masks that would be dropped.

    The quality of a prompt's masks is known before they are drawn, and most prompts lie beside
    all objects: masks are drawn for those prompts alone of which one has a quality above
    `config.pred_iou_thresh`, and of the grid those places alone that the picture needs.

    Returns:
        In parts, logits (3*K, 4*h, 4*w) of `drawn_hw` places and predicted quality (3*K,) float32
        of the K prompts that are left.
    """
    tokens, places = sam_decoder.attend(decoder, seen, sparse)
    head = decoder.iou_prediction_head  # of float32 also in a halved decoder
    quality = head(tokens[:, 0].to(head.layers[0].weight.dtype))
    quality = quality[:, 1:].float()  # (B, 3); the first is for one mask
    places = sam_decoder.upper_left(places, seen.size_hw, drawn_hw)
    # Drawn and copied a few at a time, which a CPU's cache holds.
    rows = torch.arange(len(quality), device=quality.device)
    if config.pred_iou_thresh > 0:
        rows = rows[(quality > config.pred_iou_thresh).any(dim=1)]
    return [
        (sam_decoder.draw(decoder, tokens[part], places[part], drawn_hw).flatten(0, 1),
         quality[part].flatten())
        for part in rows.split(prompts_at_once(seen, config, _CACHE_BYTES_DRAWN))]


def _float_prompt_encoder(sam: Any) -> Any:
    """SAM's prompt encoder in float32: its coordinates do not survive half precision."""
    encoder = sam.prompt_encoder
    if next(encoder.parameters()).dtype == torch.float32:
        return encoder
    return copy.deepcopy(encoder).float()
