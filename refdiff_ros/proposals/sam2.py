"""transformers' `Sam2Model` (SAM 2, SAM 2.1) as a segmentor.

The encoder is the library's own, the decoder's products are reordered (`sam_decoder`). The encoder
alone computes in a narrow number format: coordinates and the estimate of quality, on which
thresholds are set, stay in float32.

Letters: B prompts of a batch, S side of the model's square, C width, h w grid of the features.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals import sam1, sam_decoder
from refdiff_ros.proposals.sam2_decoder import as_sam, in_drawing_order
from refdiff_ros.results import Frame
from refdiff_ros.stages import stage

# Values of the upscaled features of a batch of prompts, of which the decoder holds a few copies in
# float32: half a gigabyte, where 64 prompts at the published size would take two.
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
        self, embedding: Sam2Embedding, points: np.ndarray, config: ProposalConfig,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Per batch of prompts: logits (3*B, 4*h, 4*w) and predicted quality (3*B,) float32."""
        pixels = torch.from_numpy(points * embedding.side)
        pixels = pixels.to(self._device, torch.float32)[None, :, None]  # (1, K, 1, 2)
        model = self._model
        seen = sam_decoder.picture(
            embedding.features, model.get_image_wide_positional_embeddings(),
            model.prompt_encoder.no_mask_embed.weight)
        decoder, fine = as_sam(model.mask_decoder), in_drawing_order(embedding.fine)
        fits = max(1, _VALUES_AT_ONCE // fine[1].numel())
        for batch in pixels.split(min(sam1.prompts_at_once(seen, config), fits), dim=1):
            yield self._decode(decoder, seen, fine, batch, config.pred_iou_thresh)

    @stage('sam_prompts')
    def _decode(
        self,
        decoder: Any,
        seen: sam_decoder.Picture,
        fine: tuple[torch.Tensor, torch.Tensor],
        points: torch.Tensor,
        threshold: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        model = self._model
        labels = torch.ones(points.shape[:3], dtype=torch.int, device=points.device)
        sparse, _ = model.prompt_encoder(
            input_points=points, input_labels=labels, input_boxes=None, input_masks=None)
        tokens, places = sam_decoder.attend(decoder, seen, sparse[0])
        quality = model.mask_decoder.iou_prediction_head(tokens[:, 1])[:, 1:]  # (B, 3)
        if threshold > 0:  # masks are drawn for promising prompts alone, as in `sam1`
            good = (quality > threshold).any(dim=1)
            tokens, places, quality = tokens[good], places[good], quality[good]
        # (B, 3, 4*h, 4*w); the first token, of the object, draws nothing
        logits = sam_decoder.draw(decoder, tokens[:, 1:], places, seen.size_hw, fine)
        return logits.flatten(0, 1), quality.flatten()
