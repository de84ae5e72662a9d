"""Proposals of a frame: all made anew, or with a standing camera only where something changed.

The picture is looked at as the mean colours of its cells. Where a cell differs from what it was
when proposals were last made there, the segmentor is asked again; proposals that no such cell
touches stay as they are, and so does what CLIP knows of them. What stays is compared with the
picture that it was made in and not with the frame before, so that slow changes add up until they
count.

A mean over the whole picture would not do: a small thing that moves changes it as little as noise.

Letters: N proposals, H W image height and width, h w cells, K prompts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from refdiff_ros.errors import require
from refdiff_ros.masks.boxes import box_xyxy
from refdiff_ros.optional import require_package
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals import sam
from refdiff_ros.proposals.edges import proposals_along_edges
from refdiff_ros.proposals.points import prompt_points
from refdiff_ros.results import Frame, Proposals
from refdiff_ros.stages import stage

# Side of a cell in pixels, or a part of the shorter side where that is more.
_CELL_PX, _CELL_PART = 8, 60
# Where more of the prompts are to be asked again, all are: little would be saved.
_MOST_ASKED = 0.6


@dataclass(frozen=True)
class Seen:
    """A frame's proposals, and the colours that they were made in.

    Attributes:
        proposals: N of them.
        came_from: (N,) their rows in the frame before; -1 for those that were made anew.
        cells: (h, w, 3) int16, mean colours of the pictures in which proposals were last made.
        boxes: (N, 4) int, as `box_xyxy`; -1 for an empty mask.
    """

    proposals: Proposals
    came_from: np.ndarray
    cells: np.ndarray
    boxes: np.ndarray


def propose(model: Any, frame: Frame, config: ProposalConfig) -> Proposals:
    """All proposals of a frame, and which of them pass the filter.

    Raises:
        BadRequestError, MissingPackageError: as in `sam.propose`.
    """
    return _made(model, frame, config, prompt_points(frame.image_rgb, config))


def propose_changed(
    model: Any, frame: Frame, config: ProposalConfig, before: Seen | None,
) -> Seen:
    """Proposals of a frame, of which those stay around which nothing changed.

    Args:
        model: as in `sam.propose`.
        frame: the picture.
        config: `still_within` says what is a change.
        before: an earlier frame under the same configuration; with None, or one of another size,
            all proposals are made anew.

    Raises:
        BadRequestError, MissingPackageError: as in `sam.propose`.
    """
    cells = _mean_colours(frame.image_rgb)
    if before is None or before.proposals.masks.shape[1:] != frame.size_hw:
        return _all_anew(propose(model, frame, config), cells)
    changed = np.abs(cells - before.cells).max(axis=2) > config.still_within  # (h, w)
    if not changed.any():
        return Seen(before.proposals, np.arange(len(before.boxes)), before.cells, before.boxes)
    around = _around(changed, frame.size_hw)
    touched = _touched(before, around)
    points = prompt_points(frame.image_rgb, config)
    x, y = (points * frame.size_hw[::-1]).astype(int).T
    # Where something changed, and where a proposal was that is no more.
    gone = before.proposals.rows[touched[before.proposals.rows]]
    asked = around[y, x] | before.proposals.masks[gone[:, None], y, x].any(axis=0)
    if asked.sum() > _MOST_ASKED * len(points):
        return _all_anew(propose(model, frame, config), cells)
    made = _made(model, frame, config, points[asked])
    # What was asked again is known anew, the rest still as it was.
    known = np.where(changed[:, :, None], cells, before.cells)
    return _merged(before, np.flatnonzero(~touched), made, known, config)


def _made(
    model: Any, frame: Frame, config: ProposalConfig, points: np.ndarray,
) -> Proposals:
    if not len(points):
        nothing = np.zeros((0, *frame.size_hw), bool)
        return Proposals(nothing, np.arange(0), np.zeros(0, np.float32))
    found = sam.propose(model, frame, config, points=points)
    rows = sam.filter_proposals(found.masks, config)
    if config.edges == 'model':
        return Proposals(found.masks, rows, found.quality)
    cell_px = proposals_along_edges(frame.image_rgb, found.masks, found.cell_px)
    return Proposals(found.masks, rows, found.quality, cell_px)


def _all_anew(made: Proposals, cells: np.ndarray) -> Seen:
    return Seen(made, np.full(len(made.masks), -1), cells, _boxes(made.masks))


@stage('sam_masks')
def _merged(
    before: Seen, stay: np.ndarray, made: Proposals, cells: np.ndarray, config: ProposalConfig,
) -> Seen:
    """Proposals `stay` of the frame before and those made now, best first.

    Of one that stays and one made now that are the same by `box_nms_thresh`, the better is left.
    Among those made now there are no duplicates any more: their boxes have moved to the picture's
    edges since.
    """
    box_iou = require_package('torchvision.ops', 'models').box_iou
    old, old_boxes, boxes = before.proposals, before.boxes[stay], _boxes(made.masks)
    old_quality = _quality(old)[stay]
    same = (box_iou(torch.from_numpy(old_boxes).float(), torch.from_numpy(boxes).float()).numpy()
            > config.box_nms_thresh)  # (S, M)
    better = old_quality[:, None] >= _quality(made)
    stays, comes = ~(same & ~better).any(axis=1), ~(same & better).any(axis=0)
    quality = np.concatenate([old_quality[stays], _quality(made)[comes]])
    came_from = np.concatenate([stay[stays], np.full(comes.sum(), -1)])
    order = np.argsort(-quality, kind='stable')
    each = [*map(old.masks.__getitem__, stay[stays]),
            *map(made.masks.__getitem__, np.flatnonzero(comes))]
    masks = np.empty((len(each), *old.masks.shape[1:]), bool)
    for mask, index in zip(masks, order, strict=True):
        mask[:] = each[index]
    found = Proposals(masks, sam.filter_proposals(masks, config), quality[order],
                      max(old.cell_px, made.cell_px))
    boxes = np.concatenate([old_boxes[stays], boxes[comes]])[order]
    return Seen(found, came_from[order], cells, boxes)


def _quality(proposals: Proposals) -> np.ndarray:
    return require(proposals.quality, "the segmentor's quality of its masks")


def _mean_colours(image_rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) int16."""
    cv2 = require_package('cv2', 'models')
    height, width = image_rgb.shape[:2]
    side = max(_CELL_PX, min(height, width) / _CELL_PART)
    size_wh = max(1, round(width / side)), max(1, round(height / side))
    means: np.ndarray = cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA)
    return means.astype(np.int16)


def _around(changed: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: the pixels of cells (h, w) that changed, and of those beside them."""
    cv2 = require_package('cv2', 'models')
    grown = cv2.dilate(changed.view(np.uint8), np.ones((3, 3), np.uint8))
    around: np.ndarray = cv2.resize(grown, size_hw[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return around


def _boxes(masks: np.ndarray) -> np.ndarray:
    """(N, 4) int as `Seen.boxes`."""
    boxes = [box_xyxy(mask) or (-1,) * 4 for mask in masks]
    return np.array(boxes, int).reshape(-1, 4)


def _touched(before: Seen, around: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a proposal has a pixel `around` (H, W) what changed, or no pixel."""
    touched = np.ones(len(before.boxes), bool)
    for row, (left, top, right, bottom) in enumerate(before.boxes.tolist()):
        if left >= 0:
            box = slice(top, bottom + 1), slice(left, right + 1)
            touched[row] = (before.proposals.masks[row][box] & around[box]).any()
    return touched
