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
    found = sam.propose(model, frame, config)
    return _finished(frame, config, found.masks, found.quality, found.cell_px)


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
    # What was asked again is known anew, the rest still as it was.
    known = np.where(changed[:, :, None], cells, before.cells)
    stay = np.flatnonzero(~touched)
    if not asked.any():
        return _joined(before, stay, None, known, config)
    found = sam.propose(model, frame, config, points=points[asked])
    stays, comes = _without_duplicates(before, stay, found, config.box_nms_thresh)
    made = _finished(
        frame, config, found.masks[comes], found.quality[comes], found.cell_px)
    return _joined(before, stay[stays], made, known, config)


def _finished(
    frame: Frame, config: ProposalConfig, masks: np.ndarray, quality: np.ndarray, cell_px: float,
) -> Proposals:
    """The segmentor's masks, filtered and with the picture's edges."""
    rows = sam.filter_proposals(masks, config)
    if config.edges == 'model':
        return Proposals(masks, rows, quality)
    return Proposals(masks, rows, quality, proposals_along_edges(
        frame.image_rgb, masks, cell_px))


def _all_anew(made: Proposals, cells: np.ndarray) -> Seen:
    return Seen(made, np.full(len(made.masks), -1), cells, _boxes(made.masks))


@stage('sam_masks')
def _without_duplicates(
    before: Seen, stay: np.ndarray, found: sam.SamProposals, threshold: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Which proposals are left, of S that would stay and of M found now: (S,) and (M,) bool.

    Of two whose boxes have an IoU above the threshold it is the better one.
    """
    box_iou = require_package('torchvision.ops', 'models').box_iou
    old, new = (torch.from_numpy(boxes).float()
                for boxes in (before.boxes[stay], _boxes(found.masks)))
    same = box_iou(old, new).numpy() > threshold  # (S, M)
    better = _quality(before.proposals)[stay, None] >= found.quality
    return ~(same & ~better).any(axis=1), ~(same & better).any(axis=0)


@stage('sam_masks')
def _joined(
    before: Seen, stay: np.ndarray, made: Proposals | None, cells: np.ndarray,
    config: ProposalConfig,
) -> Seen:
    """Proposals `stay` of the frame before and those made now, best first."""
    old = before.proposals
    each = [*map(old.masks.__getitem__, stay)]
    quality, boxes = _quality(old)[stay], before.boxes[stay]
    came_from, cell_px = stay, old.cell_px
    if made is not None:
        each += [*made.masks]
        quality = np.concatenate([quality, _quality(made)])
        boxes = np.concatenate([boxes, _boxes(made.masks)])
        came_from = np.concatenate([stay, np.full(len(made.masks), -1)])
        cell_px = made.cell_px
    order = np.argsort(-quality, kind='stable')
    masks = np.empty((len(each), *old.masks.shape[1:]), bool)
    for mask, index in zip(masks, order, strict=True):
        mask[:] = each[index]
    found = Proposals(masks, sam.filter_proposals(masks, config), quality[order], cell_px)
    return Seen(found, came_from[order], cells, boxes[order])


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
