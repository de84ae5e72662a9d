"""SAM's own mask generator, and the filter of its masks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from segment_anything import SamAutomaticMaskGenerator

from refdiff_ros.benchmark.published_order.settings import PublishedSettings
from refdiff_ros.stages import stage


def propose(sam: Any, image_rgb: np.ndarray, settings: PublishedSettings) -> np.ndarray:
    """(N, H, W) bool, best predicted quality first; the whole picture where SAM finds nothing."""
    with stage('sam_masks'), _named_parts(sam):
        found = SamAutomaticMaskGenerator(
            sam, points_per_side=settings.points_per_side,
            points_per_batch=settings.points_per_batch,
            pred_iou_thresh=settings.pred_iou_thresh,
            stability_score_thresh=settings.stability_score_thresh,
            stability_score_offset=settings.stability_score_offset,
            box_nms_thresh=settings.box_nms_thresh).generate(image_rgb)
        if not found:
            return np.ones((1, *image_rgb.shape[:2]), bool)
        return np.array([annotation['segmentation'] for annotation in found])


@contextmanager
def _named_parts(sam: Any) -> Iterator[None]:
    """Let SAM's encoder and decoder name themselves as stages."""
    handles, running = [], []

    def watch(module: Any, name: str) -> None:
        def begin(*_: Any) -> None:
            running.append(stage(name))
            running[-1].__enter__()

        def end(*_: Any) -> None:
            running.pop().__exit__(None, None, None)
        handles.append(module.register_forward_pre_hook(begin))
        handles.append(module.register_forward_hook(end))

    watch(sam.image_encoder, 'sam_encoder')
    watch(sam.mask_decoder, 'sam_prompts')
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def survivors(masks: np.ndarray, settings: PublishedSettings) -> np.ndarray:
    """(N,) bool: the largest masks, those of `min_area_px` pixels or fewer left out."""
    with stage('sam_masks'):
        areas = np.array([mask.sum() for mask in masks])
        fits = np.array([
            settings.min_area_px < area <= settings.max_area_fraction * masks[0].size
            for area in areas])
        if settings.max_proposals:
            largest = np.argsort(np.where(fits, -areas, 1), kind='stable')
            fits[largest[settings.max_proposals:]] = False
        return fits
