"""What proposals need of a segmentor, and the two models that give it.

`Sam` of segment-anything (SAM 1) and `Sam2Model` of transformers (SAM 2 and 2.1).

Letters: B prompts of a batch, q side of the low-resolution logits, H W image height and width.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch

from refdiff_ros.models.sam_config import is_sam2
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals.sam1 import Sam1
from refdiff_ros.proposals.sam2 import Sam2
from refdiff_ros.results import Frame


class Embedding(Protocol):
    """A frame as a segmentor's decoder sees it."""

    @property
    def features(self) -> torch.Tensor:
        """(1, C, h, w) on the model's device."""

    @property
    def side(self) -> int:
        """Side of the square that the model sees, in pixels."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the frame."""

    def upscale(self, logits: torch.Tensor) -> torch.Tensor:
        """Low-resolution logits (B, q, q) at the frame's size: (B, H, W) float32."""

    def as_seen(self) -> 'Embedding':
        """The same of a frame of the size that the model sees, where that is smaller."""

    def steps(self, axis: int) -> tuple[tuple[int, int], ...]:
        """How `upscale` scales rows (0) or columns (1): as in `mask_figures.scaled_axis`."""


class Segmentor(Protocol):
    """A model that draws masks for points.

    Attributes:
        mask_threshold: a logit above it belongs to the mask.
    """

    mask_threshold: float

    def embed(self, frame: Frame, config: ProposalConfig) -> Embedding:
        """Encode a frame.

        Raises:
            BadRequestError: `config` asks for a size that the model cannot take.
        """

    def decode(
        self, embedding: Any, points: np.ndarray, config: ProposalConfig,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """For points (K, 2) of the unit square: per batch logits (3*B, q, q) and quality (3*B,).

        Prompts of which no mask has a quality above `config.pred_iou_thresh` may be left out.
        """


def segmentor_of(model: Any) -> Segmentor:
    """A loaded `Sam` or `Sam2Model` as a segmentor."""
    return Sam2(model) if is_sam2(model) else Sam1(model)
