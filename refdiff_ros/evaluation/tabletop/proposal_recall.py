"""What SAM's proposals can reach at all on the tabletop set, whatever is chosen from them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.iou import best_iou, recall
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.presets import Preset
from refdiff_ros.proposals.edges import along_edges, proposals_along_edges
from refdiff_ros.proposals.sam import filter_proposals, propose
from refdiff_ros.sim.sightings import see
from refdiff_ros.sim.splits import split_views

THRESHOLDS = (0.5, 0.75)


def proposal_recall(
    models: ModelSet, preset: Preset, split: str, scenes: range,
    on_scene: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Recall over the objects of which enough is seen to speak of them.

    Args:
        models: a bundle with a segmentor.
        preset: its `proposals` are used; those that its filter drops do not count.
        split, scenes: which scenes, as from `scene_range`.
        on_scene: called after each scene.

    Returns:
        'scenes', 'objects', 'recall' by threshold, 'mean_best_iou', 'mean_proposals' (before the
        filter) and 'mean_kept' (after it), ready for JSON.

    Raises:
        BadRequestError: no such split, or no segmentor.
    """
    if models.sam is None:
        raise BadRequestError(
            f"expected a bundle with a segmentor, got '{models.name}' without one")
    best, proposed, kept = [], [], []
    for view in split_views(split, scenes, depth=False):
        found = propose(models.sam, view.frame, preset.proposals)
        rows = filter_proposals(found.masks, preset.proposals)
        masks = found.masks[rows]
        if preset.proposals.edges == 'picture':  # as each would be answered
            cell_px = proposals_along_edges(view.frame.image_rgb, masks, found.cell_px)
            for row, mask in enumerate(masks):
                masks[row] = along_edges(view.frame.image_rgb, mask, cell_px)
        best += [best_iou(masks, view.masks[seen.row]) for seen in see(view) if seen.clear]
        proposed.append(len(found.masks))
        kept.append(len(rows))
        if on_scene is not None:
            on_scene()
    return {
        'scenes': len(scenes), 'objects': len(best),
        'recall': {str(t): round(recall(best, t), 4) if best else None for t in THRESHOLDS},
        'mean_best_iou': round(float(np.mean(best)), 4) if best else None,
        'mean_proposals': round(float(np.mean(proposed)), 2),
        'mean_kept': round(float(np.mean(kept)), 2),
    }
