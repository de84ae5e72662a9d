"""Presets under which a segmentor gives a chosen number of proposals.

Random weights know no good mask from a bad one, and what a picture holds decides how many masks
a trained one finds. For a measurement the threshold of predicted quality is put where a chosen
number passes, and the tests behind it let everything pass.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refdiff_ros.benchmark.random_masks import last_layer
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.presets import Preset, ProposalConfig
from refdiff_ros.proposals.sam import propose
from refdiff_ros.proposals.segmentor import segmentor_of
from refdiff_ros.results import Frame

_NO_TEST = -1e9
# Masks are drawn at this size while only their predicted quality is wanted.
_TINY_HW = (16, 16)


def limit_proposals(
    models: ModelSet, frame: Frame, presets: Mapping[str, Preset], count: int,
) -> dict[str, Preset]:
    """`presets` with thresholds that let `count` masks pass on `frame`, or all there are.

    With random weights all predicted qualities are first moved above 0, where thresholds count;
    that changes no mask.
    """
    qualities = {name: _qualities(models, frame, preset.proposals)
                 for name, preset in presets.items()}
    lowest = min(float(quality[-1]) for quality in qualities.values())
    if not models.trained and lowest <= 0:
        last_layer(models.sam.mask_decoder.iou_prediction_head).bias.add_(1 - lowest)
        qualities = {name: quality + (1 - lowest) for name, quality in qualities.items()}
    return {name: preset.override({'proposals': _thresholds(models, qualities[name], count)})
            for name, preset in presets.items()}


def _thresholds(models: ModelSet, quality: np.ndarray, count: int) -> dict[str, float]:
    threshold = float(quality[count - 1:count + 1].mean()) if count < len(quality) else _NO_TEST
    values = {
        'pred_iou_thresh': threshold, 'stability_score_thresh': 0.0, 'box_nms_thresh': 1.0}
    if not models.trained:
        # Random masks cover nearly nothing or nearly everything.
        values.update(min_area_px=0, max_area_fraction=1.0)
    return values


def _qualities(models: ModelSet, frame: Frame, config: ProposalConfig) -> np.ndarray:
    """Predicted qualities of the masks of all prompts, the best first."""
    everything = replace(
        config, pred_iou_thresh=_NO_TEST, stability_score_thresh=0.0, box_nms_thresh=1.0,
        largest_part=False)
    embedding: Any = segmentor_of(models.sam).embed(frame, config)
    seen = replace(embedding, size_hw=_TINY_HW)
    return propose(models.sam, frame, everything, seen).predicted_iou
