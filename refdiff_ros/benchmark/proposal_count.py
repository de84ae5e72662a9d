"""Presets under which SAM gives a chosen number of proposals.

Random weights know no good mask from a bad one, and what a picture holds decides how many masks
a trained SAM finds. For a measurement the threshold of predicted quality is put where a chosen
number passes, and the tests behind it let everything pass.
"""

from typing import Any

import numpy as np
import torch

from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.optional import require_package
from refdiff_ros.presets import Preset
from refdiff_ros.results import Frame
from refdiff_ros.sam_proposals import point_grid


class ProposalCount:
    """Sets presets to a number of proposals on one frame.

    The predicted qualities of a grid's masks are computed once. With random weights they are
    first moved above 0, where thresholds count; that changes no mask.
    """

    def __init__(self, models: ModelSet, frame: Frame):
        self._models = models
        self._frame = frame
        self._features: torch.Tensor | None = None
        self._quality: dict[int, np.ndarray] = {}

    def available(self, preset: Preset) -> int:
        """How many masks the preset's grid of prompts gives."""
        return 3 * preset.proposals.points_per_side ** 2

    def limit(self, preset: Preset, count: int) -> Preset:
        """`preset` with thresholds that let `count` masks pass, or all there are."""
        threshold = -1e9
        if count < self.available(preset):
            quality = self._sorted_quality(preset.proposals.points_per_side)
            threshold = float(quality[count - 1:count + 1].mean())
        values = {
            'pred_iou_thresh': threshold, 'stability_score_thresh': 0.0, 'box_nms_thresh': 1.0}
        if not self._models.trained:
            # Random masks cover nearly nothing or nearly everything.
            values.update(min_area_px=0, max_area_fraction=1.0)
        return preset.override({'proposals': values})

    def _sorted_quality(self, points_per_side: int) -> np.ndarray:
        if points_per_side not in self._quality:
            quality = self._predict(points_per_side)
            if not self._models.trained and quality.min() <= 0:
                # Every quality that is kept moves alike.
                shift = 1 - float(quality.min())
                head = self._models.sam.mask_decoder.iou_prediction_head.layers[-1]
                head.bias.add_(shift)
                quality = quality + shift
                self._quality = {side: known + shift for side, known in self._quality.items()}
            self._quality[points_per_side] = quality
        return self._quality[points_per_side]

    @torch.no_grad()
    def _predict(self, points_per_side: int) -> np.ndarray:
        """Qualities of the masks of all prompts, the best first: (3*n*n,) float32."""
        predictor, sam = self._predictor(), self._models.sam
        points = predictor.transform.apply_coords(
            point_grid(points_per_side) * np.array(self._frame.size_hw[::-1]),
            self._frame.size_hw)
        points = torch.from_numpy(points).to(sam.device)[:, None]  # (n*n, 1, 2)
        found = []
        for batch in points.split(64):
            labels = torch.ones(batch.shape[:2], dtype=torch.int, device=sam.device)
            sparse, dense = sam.prompt_encoder(points=(batch, labels), boxes=None, masks=None)
            _, quality = sam.mask_decoder(
                image_embeddings=self._features, image_pe=sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
                multimask_output=True)
            found.append(quality.flatten().float().cpu().numpy())
        return np.sort(np.concatenate(found))[::-1]

    def _predictor(self) -> Any:
        predictor = require_package('segment_anything', 'models').SamPredictor(self._models.sam)
        if self._features is None:
            predictor.set_image(self._frame.image_rgb)
            self._features = predictor.features
        return predictor
