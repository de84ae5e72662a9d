"""Ranked antipodal contact pairs on a region's outline.

Two contacts are antipodal when each one's normal lies in the friction cone about the closing
direction: then a two-finger grip cannot slip out along the surface (planar force closure).

Letters: K points of the outline, P pairs.
"""

from dataclasses import dataclass
import math

import numpy as np

from refdiff_ros.grasp.config import GraspConfig
from refdiff_ros.grasp.outline import Outline
from refdiff_ros.grasp.rectangle import Rectangle, wrap_angle
from refdiff_ros.masks import pixels_vu

# How much of the quality a contact pair at the region's far end keeps.
_END_QUALITY = 0.4
# Points on a closing line at which it must be inside the region's filled outline.
_LINE_SAMPLES = 15


@dataclass(frozen=True)
class ContactPair:
    """Two contacts in pixels (u, v) and what they are worth.

    Attributes:
        first, second: (u, v); the closing direction runs from `first` to `second`, with u
            rising, or v rising where u does not change.
        angle: of the closing direction, radians in (-pi/2, pi/2], positive from u towards v.
        width_px: distance of the contacts.
        quality: 0..1.
    """

    first: tuple[float, float]
    second: tuple[float, float]
    angle: float
    width_px: float
    quality: float


def antipodal_pairs(outline: Outline, filled: np.ndarray, rectangle: Rectangle,
                    config: GraspConfig | None = None) -> tuple[ContactPair, ...]:
    """Contact pairs across the narrow axis, best first, each apart from the better ones.

    The quality is the lower of the two contacts' alignments (1 with the normal on the closing
    direction, 0 on the edge of the friction cone), times the closing direction's closeness to
    the narrow axis, times closeness to the region's centre of area. Contacts where the image's
    border cuts the region off are no contacts, and neither are pairs whose closing line leaves
    the outer outline (from one limb of an L to the other); a hole within the outline is allowed,
    as a ring can be held across.

    Args:
        outline: from `outline.trace`.
        filled: (H, W) bool, the region with its holes filled.
        rectangle: the region's oriented rectangle.
        config: contact settings.

    Returns:
        At most `config.max_candidates` pairs; none when no pair is antipodal. The same region
        gives the same pairs.
    """
    config = config or GraspConfig()
    step = max(len(outline.points) / config.contour_points, 1.0)
    rows = np.unique(np.arange(0, len(outline.points), step).astype(int))
    points, normals = outline.points[rows], outline.normals[rows]
    first, second = np.triu_indices(len(rows), 1)
    open_edge = ~(outline.cut[rows][first] | outline.cut[rows][second])
    first, second = first[open_edge], second[open_edge]
    quality = _quality(points, normals, first, second, _center(filled), rectangle, config)
    kept = _apart(points, first, second, quality, filled, rectangle, config)
    return tuple(_pair(points[first[k]], points[second[k]], float(quality[k])) for k in kept)


def alignment(normals_first: np.ndarray, normals_second: np.ndarray, closing: np.ndarray,
              friction: float) -> np.ndarray:
    """How well two contacts face each other.

    Args:
        normals_first, normals_second: (P, 2) unit normals out of the region.
        closing: (P, 2) unit vectors from the first contact to the second.
        friction: coefficient of friction.

    Returns:
        (P,) in 0..1: the lower of the two contacts' shares of the friction cone, linear in the
        angle between normal and closing direction; 0 outside the cone.
    """
    cosine = np.minimum(-np.sum(normals_first * closing, 1), np.sum(normals_second * closing, 1))
    cone = math.atan(friction)
    angle = np.arccos(np.clip(cosine, -1, 1))
    return np.asarray(np.clip(1 - angle / max(cone, 1e-9), 0, 1))


# Arrays of one length that belong to the pairs.
def _quality(points: np.ndarray, normals: np.ndarray, first: np.ndarray, second: np.ndarray,  # noqa: PLR0913
             center: np.ndarray, rectangle: Rectangle, config: GraspConfig) -> np.ndarray:
    closing = points[second] - points[first]  # (P, 2)
    length = np.maximum(np.hypot(closing[:, 0], closing[:, 1]), 1e-9)
    closing = closing / length[:, None]
    quality = alignment(normals[first], normals[second], closing, config.friction)
    lean = np.arccos(np.clip(np.abs(closing @ rectangle.across), 0, 1))
    if rectangle.length_px >= config.round_ratio * rectangle.width_px:
        quality = np.where(lean <= config.max_lean, quality * np.cos(lean), 0.0)
    else:
        # Without a clear main axis each direction is as good; the factor only breaks ties.
        quality = quality * (0.9 + 0.1 * np.cos(lean))
    offset = (points[first] + points[second]) / 2 - center
    distance = np.hypot(offset[:, 0], offset[:, 1]) / max(rectangle.length_px / 2, 1e-9)
    return np.asarray(quality * (1 - (1 - _END_QUALITY) * np.clip(distance, 0, 1)))


# As in `_quality`.
def _apart(points: np.ndarray, first: np.ndarray, second: np.ndarray, quality: np.ndarray,  # noqa: PLR0913
           filled: np.ndarray, rectangle: Rectangle, config: GraspConfig) -> list[int]:
    """Rows of the best pairs, each away from the better ones in place or in direction."""
    kept: list[int] = []
    near = max(rectangle.length_px / 8, 2.0)
    middle = (points[first] + points[second]) / 2
    closing = points[second] - points[first]
    angle = np.arctan2(closing[:, 1], closing[:, 0])
    alive = quality > 0
    for k in np.argsort(-quality, kind='stable'):
        if len(kept) == config.max_candidates or quality[k] <= 0:
            break
        if not alive[k]:
            continue
        if not _inside(points[first[k]], points[second[k]], filled):
            continue
        kept.append(int(k))
        turn = np.abs(np.remainder(angle - angle[k] + math.pi / 2, math.pi) - math.pi / 2)
        close = np.hypot(*(middle - middle[k]).T) < near
        alive &= ~(close & (turn < math.radians(15)))
    return kept


def _inside(first: np.ndarray, second: np.ndarray, filled: np.ndarray) -> bool:
    """Whether the line between two contacts stays within the filled region."""
    share = np.linspace(0.08, 0.92, _LINE_SAMPLES)[:, None]
    u, v = np.rint(first + (second - first) * share).astype(int).T
    height, width = filled.shape
    return bool(filled[np.clip(v, 0, height - 1), np.clip(u, 0, width - 1)].all())


def _center(filled: np.ndarray) -> np.ndarray:
    v, u = pixels_vu(filled)
    return np.array([u.mean(), v.mean()])


def _pair(first: np.ndarray, second: np.ndarray, quality: float) -> ContactPair:
    if (second[0] - first[0], second[1] - first[1]) < (0.0, 0.0):
        first, second = second, first
    closing = second - first
    return ContactPair(
        (float(first[0]), float(first[1])), (float(second[0]), float(second[1])),
        wrap_angle(math.atan2(closing[1], closing[0])), float(np.hypot(*closing)), quality)
