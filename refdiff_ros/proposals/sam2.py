"""transformers' `Sam2Model` (SAM 2, SAM 2.1) as a segmentor.

Encoder and decoder are the library's own. The encoder alone computes in a narrow number format:
coordinates and the estimate of quality, on which thresholds are set, stay in float32.

Letters: B prompts of a batch, S side of the model's square, C width, h w grid of the features.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional as F

from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals.points import point_grid
from refdiff_ros.results import Frame
from refdiff_ros.stages import stage

# Values of the upscaled features of a batch of prompts. The decoder holds some four copies of them
# in float32: half a gigabyte, where 64 prompts at the published size would take two.
_VALUES_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class Sam2Embedding:
    """A frame as SAM 2's decoder sees it.

    Attributes:
        features: (1, C, h, w) float32 on the model's device.
        fine: (1, C/8, 4*h, 4*w) and (1, C/4, 2*h, 2*w), which sharpen the masks.
        side: S in pixels.
        size_hw: height and width of the frame.
    """

    features: torch.Tensor
    fine: tuple[torch.Tensor, torch.Tensor]
    side: int
    size_hw: tuple[int, int]

    def upscale(self, logits: torch.Tensor) -> torch.Tensor:
        """Low-resolution logits (B, 4*h, 4*w) at the frame's size: (B, H, W) float32."""
        return F.interpolate(
            logits[:, None].float(), self.size_hw, mode='bilinear', align_corners=False)[:, 0]

    def as_seen(self) -> 'Sam2Embedding':
        """The embedding of a frame of the size that masks are drawn in, where that is smaller."""
        drawn_hw = self.fine[0].shape[2], self.fine[0].shape[3]
        return replace(self, size_hw=drawn_hw) if drawn_hw < self.size_hw else self

    def steps(self, axis: int) -> tuple[tuple[int, int], ...]:
        """How `upscale` scales rows (0) or columns (1): size and how much of it is kept."""
        return ((self.size_hw[axis], self.size_hw[axis]),)


class Sam2:
    """SAM 2; see `segmentor.Segmentor`."""

    mask_threshold = 0.0
    # What the published model was trained on.
    _MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, model: Any):
        self._model = model

    @property
    def _device(self) -> torch.device:
        device: torch.device = self._model.no_memory_embedding.device
        return device

    @stage('sam_encoder')
    @torch.no_grad()
    def embed(self, frame: Frame, config: ProposalConfig) -> Sam2Embedding:
        """The whole frame, stretched to the model's square, through its encoder.

        `config.pad_square` means nothing here: the square is filled.

        Raises:
            BadRequestError: `config.image_side` is another side than the model's.
        """
        model = self._model
        side = model.config.prompt_encoder_config.image_size
        if config.image_side not in (0, side):
            raise BadRequestError(
                f'expected proposals.image_side 0 or {side}, the only side of this SAM 2, got '
                f'{config.image_side}')
        maps = model.vision_encoder(self._pixels(frame, side)).fpn_hidden_states
        decoder, (first, second, last) = model.mask_decoder, (values.float() for values in maps)
        return Sam2Embedding(
            features=last + model.no_memory_embedding.reshape(1, -1, 1, 1),
            fine=(decoder.conv_s0(first), decoder.conv_s1(second)), side=side,
            size_hw=frame.size_hw)

    def _pixels(self, frame: Frame, side: int) -> torch.Tensor:
        """(1, 3, S, S) normalised, in the encoder's dtype."""
        pixels = torch.from_numpy(frame.image_rgb).permute(2, 0, 1)[None]
        # In 8 bits on the CPU, as the model's own preprocessing.
        pixels = F.interpolate(
            pixels.contiguous(), (side, side), mode='bilinear', antialias=True)
        pixels = pixels.to(self._device).float()
        mean, std = (torch.tensor(values, device=self._device).view(3, 1, 1) * 255
                     for values in (self._MEAN, self._STD))
        dtype = next(self._model.vision_encoder.parameters()).dtype
        return ((pixels - mean) / std).to(dtype)

    def decode(
        self, embedding: Sam2Embedding, config: ProposalConfig,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Per batch of prompts: logits (3*B, 4*h, 4*w) and predicted quality (3*B,) float32."""
        points = torch.from_numpy(point_grid(config.points_per_side) * embedding.side)
        points = points.to(self._device, torch.float32)[None, :, None]  # (1, n*n, 1, 2)
        positions = self._model.get_image_wide_positional_embeddings()
        fits = _VALUES_AT_ONCE // embedding.fine[0].numel()
        at_once = max(1, min(config.points_per_batch, fits))
        for batch in points.split(at_once, dim=1):
            yield self._decode(embedding, batch, positions, config.pred_iou_thresh)

    @stage('sam_prompts')
    def _decode(
        self,
        embedding: Sam2Embedding,
        points: torch.Tensor,
        positions: torch.Tensor,
        threshold: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        model = self._model
        labels = torch.ones(points.shape[:3], dtype=torch.int, device=points.device)
        sparse, dense = model.prompt_encoder(
            input_points=points, input_labels=labels, input_boxes=None, input_masks=None)
        logits, quality, _, _ = model.mask_decoder(
            image_embeddings=embedding.features, image_positional_embeddings=positions,
            sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
            multimask_output=True, high_resolution_features=list(embedding.fine))
        logits, quality = logits[0], quality[0]  # (B, 3, 4*h, 4*w), (B, 3)
        if threshold > 0:
            good = (quality > threshold).any(dim=1)
            logits, quality = logits[good], quality[good]
        return logits.flatten(0, 1), quality.flatten()
