"""Proposals of a frame: all made anew, or only where something changed since the frame before.

The picture is looked at as the mean colours of its cells. Where a cell differs from what it was
when proposals were last made there, the segmentor is asked again; proposals that no such cell
touches stay as they are, and so does what CLIP knows of them. What stays is compared with the
picture that it was made in and not with the frame before, so that slow changes add up until they
count.

A camera that moves moves the whole picture (`camera_motion`): where that leaves fewer cells that
differ, proposals and the picture that they were made in go along. What comes in at the border is
taken to go on as it ended there, until it looks different.

A mean over the whole picture would not do: a small thing that moves changes it as little as noise.

Letters: N proposals, H W image height and width, a b those of the picture made small, h w cells,
K prompts.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from refdiff_ros.errors import require
from refdiff_ros.masks.boxes import box_xyxy
from refdiff_ros.optional import require_package
from refdiff_ros.presets import ProposalConfig
from refdiff_ros.proposals import sam
from refdiff_ros.proposals.camera_motion import (
    camera_motion,
    moved_picture,
    MovingMask,
    resized,
)
from refdiff_ros.proposals.edges import proposals_along_edges
from refdiff_ros.proposals.points import prompt_points
from refdiff_ros.results import Frame, Proposals
from refdiff_ros.stages import stage

# Side of a cell in pixels, or a part of the shorter side where that is more.
_CELL_PX, _CELL_PART = 8, 60
# Longer side of the picture in which motion and changes are looked for.
_SMALL_PX = 640
# A motion of the camera leaves less than this share of the changes without it.
_EXPLAINED = 0.75
# Share of the best quality above which a mask is likely to show a thing.
_GOOD = 0.8
# Where more of the prompts are to be asked again, all are: little would be saved. Of those in what
# changed it may be fewer, for masks that it touches bring others.
_MOST_CHANGED, _MOST_ASKED = 0.4, 0.6


@dataclass(frozen=True)
class Seen:
    """A frame's proposals, and the colours that they were made in.

    Attributes:
        proposals: N of them.
        came_from: (N,) their rows in the frame before; -1 for those that were made anew.
        picture: (a, b, 3) uint8, what was seen where proposals were last made, made small.
        boxes: (N, 4) int, as `box_xyxy`; -1 for an empty mask.
        moving: the N masks as the camera's motion brought them here; none before it moved.
    """

    proposals: Proposals
    came_from: np.ndarray
    picture: np.ndarray
    boxes: np.ndarray
    moving: tuple[MovingMask, ...] = ()


def propose(
    model: Any, frame: Frame, config: ProposalConfig, points: np.ndarray | None = None,
) -> Proposals:
    """All proposals of a frame, and which of them pass the filter.

    Args:
        model, frame, config, points: as in `sam.propose`.

    Raises:
        BadRequestError, MissingPackageError: as in `sam.propose`.
    """
    found = sam.propose(model, frame, config, points=points)
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
    image = _small(frame.image_rgb)
    if before is None or before.proposals.masks.shape[1:] != frame.size_hw:
        return _all_anew(propose(model, frame, config), image)
    before = replace(before, came_from=np.arange(len(before.boxes)))
    motion, picture, changed = _changes(before, image, config)
    if motion is None and not changed.any():
        return before
    around = _around(changed, frame.size_hw)
    points = prompt_points(frame.image_rgb, config)
    x, y = (points * frame.size_hw[::-1]).astype(int).T
    if around[y, x].mean() > _MOST_CHANGED:
        return _all_anew(propose(model, frame, config, points), image)
    if motion is not None:
        before = _along(before, motion, picture, config)
    touched = _touched(before, around)
    # Where something changed, and where a proposal was that is no more.
    gone = before.proposals.rows[touched[before.proposals.rows]]
    in_gone = before.proposals.masks[gone[:, None], y, x]  # (G, K)
    asked = around[y, x] | in_gone.any(axis=0)
    if asked.mean() > _MOST_ASKED:
        return _all_anew(propose(model, frame, config, points), image)
    # What was asked again is known anew, the rest still as it was.
    known = np.where(_pixels(changed, image.shape)[:, :, None], image, before.picture)
    stay = np.flatnonzero(~touched)
    missed = gone[~in_gone.any(axis=1)]
    points = np.concatenate([points[asked], _middles(before, missed)])
    if not len(points):
        return _joined(before, stay, None, known, config)
    found = sam.propose(model, frame, config, points=points)
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


def _all_anew(made: Proposals, image: np.ndarray) -> Seen:
    return Seen(made, np.full(len(made.masks), -1), image, _boxes(made.masks))


@stage('sam_masks')
def _changes(
    before: Seen, image: np.ndarray, config: ProposalConfig,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """How the camera moved since `before`, the picture moved along, and cells that changed beside.

    The motion (3, 3) is in pixels of the small picture (a, b, 3); None for a camera that stands.
    """
    size_hw = before.proposals.masks.shape[1:]
    changed = _differ(image, before.picture, size_hw, config)
    if changed.any() and (motion := camera_motion(before.picture, image)) is not None:
        picture = moved_picture(before.picture, motion)
        still_changed = _differ(image, picture, size_hw, config)
        if still_changed.sum() < _EXPLAINED * changed.sum():
            return motion, picture, still_changed
    return None, before.picture, changed


@stage('sam_masks')
def _along(
    before: Seen, motion: np.ndarray, picture: np.ndarray, config: ProposalConfig,
) -> Seen:
    """The proposals as the camera's motion brings them, with the `picture` (a, b, 3) so moved."""
    old = before.proposals
    motion = resized(motion, picture.shape, old.masks.shape[1:])
    moving = tuple(mask.moved(motion) for mask in before.moving or _moving(before))
    masks = np.zeros_like(old.masks)
    for mask, into in zip(moving, masks, strict=True):
        mask.draw(into)
    moved = Proposals(masks, sam.filter_proposals(masks, config), old.quality, old.cell_px)
    return Seen(moved, before.came_from, picture, _boxes(masks), moving)


def _moving(seen: Seen) -> tuple[MovingMask, ...]:
    return tuple(map(MovingMask.found, seen.proposals.masks, seen.boxes.tolist()))


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
    before: Seen, stay: np.ndarray, made: Proposals | None, picture: np.ndarray,
    config: ProposalConfig,
) -> Seen:
    """Proposals `stay` of the frame before and those made now, best first."""
    old = before.proposals
    each = [*map(old.masks.__getitem__, stay)]
    quality, boxes = _quality(old)[stay], before.boxes[stay]
    came_from, cell_px = stay, old.cell_px
    moving = [*map(before.moving.__getitem__, stay)] if before.moving else []
    if made is not None:
        each += [*made.masks]
        quality = np.concatenate([quality, _quality(made)])
        boxes = np.concatenate([boxes, new_boxes := _boxes(made.masks)])
        if moving:
            moving += map(MovingMask.found, made.masks, new_boxes.tolist())
        came_from = np.concatenate([stay, np.full(len(made.masks), -1)])
        cell_px = made.cell_px
    order = np.argsort(-quality, kind='stable')
    masks = np.empty((len(each), *old.masks.shape[1:]), bool)
    for mask, index in zip(masks, order, strict=True):
        mask[:] = each[index]
    found = Proposals(masks, sam.filter_proposals(masks, config), quality[order], cell_px)
    return Seen(found, came_from[order], picture, boxes[order],
                tuple(map(moving.__getitem__, order)) if moving else ())


def _quality(proposals: Proposals) -> np.ndarray:
    return require(proposals.quality, "the segmentor's quality of its masks")


def _small(image_rgb: np.ndarray) -> np.ndarray:
    """(a, b, 3) uint8 of (H, W, 3), in which motion and changes are looked for."""
    cv2 = require_package('cv2', 'models')
    height, width = image_rgb.shape[:2]
    scale = min(1.0, _SMALL_PX / max(height, width))
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    # A copy in any case: the picture's memory may be a message's.
    small: np.ndarray = cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA)
    return small


def _differ(
    image: np.ndarray, other: np.ndarray, size_hw: tuple[int, ...], config: ProposalConfig,
) -> np.ndarray:
    """(h, w) bool: cells in which mean colours of two small pictures of (H, W) differ."""
    cv2 = require_package('cv2', 'models')
    side = max(_CELL_PX, min(size_hw) / _CELL_PART)
    size_wh = max(1, round(size_hw[1] / side)), max(1, round(size_hw[0] / side))
    one, two = (cv2.resize(each, size_wh, interpolation=cv2.INTER_AREA) for each in (image, other))
    differ: np.ndarray = cv2.absdiff(one, two).max(axis=2) > config.still_within
    return differ


def _around(changed: np.ndarray, size_hw: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool: the pixels of cells (h, w) that changed, and of those beside them."""
    cv2 = require_package('cv2', 'models')
    return _pixels(cv2.dilate(changed.view(np.uint8), np.ones((3, 3), np.uint8)), size_hw)


def _pixels(cells: np.ndarray, size_hw: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool: the pixels of cells (h, w)."""
    cv2 = require_package('cv2', 'models')
    pixels: np.ndarray = cv2.resize(
        cells.view(np.uint8), size_hw[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    return pixels


def _boxes(masks: np.ndarray) -> np.ndarray:
    """(N, 4) int as `Seen.boxes`."""
    boxes = [box_xyxy(mask) or (-1,) * 4 for mask in masks]
    return np.array(boxes, int).reshape(-1, 4)


def _middles(seen: Seen, rows: np.ndarray) -> np.ndarray:
    """(K, 2) x and y in the unit square: middles of the boxes of `rows` where the mask is.

    For small things between the points of the grid, which a point beside them had found. Masks
    that are much worse than the best seldom show a thing, and are left out.
    """
    size_hw = seen.proposals.masks.shape[1:]
    quality = _quality(seen.proposals)
    rows = rows[quality[rows] >= _GOOD * quality.max(initial=0)]
    left, top, right, bottom = seen.boxes[rows].T
    x, y = (left + right) // 2, (top + bottom) // 2
    middles = (np.stack([x, y], axis=1) + 0.5) / size_hw[::-1]
    return np.asarray(middles[seen.proposals.masks[rows, y, x]])


def _touched(before: Seen, around: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a proposal is to be made anew.

    It has a pixel `around` (H, W) what changed, or none at all, or the camera moved it far.
    """
    touched = np.ones(len(before.boxes), bool)
    for row, (left, top, right, bottom) in enumerate(before.boxes.tolist()):
        if left >= 0:
            box = slice(top, bottom + 1), slice(left, right + 1)
            touched[row] = (before.proposals.masks[row][box] & around[box]).any()
    touched[[row for row, mask in enumerate(before.moving) if mask.is_guess]] = True
    return touched
