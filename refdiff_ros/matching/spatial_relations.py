"""How well two regions stand in a relation, 0..1: left of, behind, next to, on, ...

Every rule takes candidates a and anchors b, measured together, and gives a table of all pairs.
Letters: A candidates,
B anchors, P pixels of the coarse grid.
"""

from collections.abc import Callable

import numpy as np

from refdiff_ros.matching.region_geometry import feet, PLACE_TOLERANCE, Regions

# In widths of the image: how far from one line of sight what is behind may stand, how wide the gap
# between things next to each other may be and how fast that fades, and how far above something a
# thing may be aside.
_IN_LINE = 0.15
_NEARBY, _FADING = 0.17, 0.03
_OVERHEAD = 0.1
# A step down the image is a longer way over a table that is seen from above at a slant.
_FORESHORTENED = 1.4
# A thing that just touches the edge of another may as well stand behind it.
_TOUCHING = 0.6

Rule = Callable[[Regions, Regions], np.ndarray]


def soft_step(value: np.ndarray) -> np.ndarray:
    """The logistic function: 0..1, 1/2 at 0."""
    return 0.5 * (1 + np.tanh(np.asarray(value, np.float64) / 2))


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a[:, None] - b[None, :])  # (A, B)


def _bell(distance: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-0.5 * (distance / width) ** 2)


def left_of(a: Regions, b: Regions) -> np.ndarray:
    """By the centroids' columns; half a margin counts as level."""
    return soft_step(-_difference(a.column, b.column) / PLACE_TOLERANCE - 1)


def right_of(a: Regions, b: Regions) -> np.ndarray:
    """Likewise."""
    return left_of(b, a).T


def in_front_of(a: Regions, b: Regions) -> np.ndarray:
    """Nearer to the viewer, about in one line of sight, and neither on the other."""
    nearer = soft_step(_difference(a.nearness(), b.nearness()) - 1)
    return np.asarray(nearer * _bell(_difference(a.column, b.column), _IN_LINE) * _unstacked(a, b))


def behind(a: Regions, b: Regions) -> np.ndarray:
    """Likewise, farther."""
    return in_front_of(b, a).T


def above(a: Regions, b: Regions) -> np.ndarray:
    """Higher in the image and not aside."""
    higher = soft_step(-_difference(a.line, b.line) / PLACE_TOLERANCE - 1)
    return np.asarray(higher * _bell(_difference(a.column, b.column), _OVERHEAD))


def gap(a: Regions, b: Regions) -> np.ndarray:
    """(A, B) distance between the rims of what stands there, in widths of the image, from 0."""
    across = _difference(a.column, b.column)
    along = _FORESHORTENED * _difference(a.foot, b.foot)
    return np.asarray(np.maximum(0, np.hypot(across, along) - (a.width[:, None] + b.width) / 2))


def next_to(a: Regions, b: Regions) -> np.ndarray:
    """The gap between the two is small; neither is on the other."""
    return np.asarray(soft_step((_NEARBY - gap(a, b)) / _FADING) * _unstacked(a, b))


def on(a: Regions, b: Regions) -> np.ndarray:
    """The foot of a lies in b, or just over it, and b reaches farther down.

    b is filled from its left to its right rim, since the mask of a plate may leave out the ball
    that lies on it.
    """
    foot = feet(a.masks)  # (A, h, w)
    inside = _share_inside(foot, b)
    steps = np.maximum(1, np.round(0.08 * a.height * a.masks.shape[2])).astype(int)
    lowered = np.stack([_lowered(one, step) for one, step in zip(foot, steps, strict=True)]) \
        if len(a) else foot
    touching = _TOUCHING * _share_inside(lowered, b)
    reaches_down = soft_step(-_difference(a.foot, b.foot) / PLACE_TOLERANCE + 1)
    return np.asarray(np.maximum(inside, touching) * reaches_down)


def under(a: Regions, b: Regions) -> np.ndarray:
    """b is on a, or a lies lower in the image and not aside."""
    return np.asarray(np.maximum(on(b, a).T, 0.5 * above(b, a).T))


def inside(a: Regions, b: Regions) -> np.ndarray:
    """a lies between the rims of b."""
    return _share_inside(a.masks, b)


def between(a: Regions, b: Regions, c: Regions) -> np.ndarray:
    """(A, B, C): near the straight line from b to c, and not beyond either."""
    places = [np.stack([r.column, r.line], axis=1) for r in (a, b, c)]  # (., 2)
    way = places[2][None] - places[1][:, None]  # (B, C, 2)
    length = np.maximum(np.linalg.norm(way, axis=2), 1e-6)  # (B, C)
    gone = places[0][:, None] - places[1][None]  # (A, B, 2)
    share = np.einsum('abk,bck->abc', gone, way) / length ** 2  # (A, B, C)
    aside = np.abs(gone[:, :, None, 0] * way[..., 1] - gone[:, :, None, 1] * way[..., 0]) / length
    within = soft_step((0.5 - np.abs(share - 0.5)) / 0.05)
    return np.asarray(within * _bell(aside / length, 0.3))


RULES: dict[str, Rule] = {
    'left of': left_of, 'right of': right_of, 'in front of': in_front_of, 'behind': behind,
    'above': above, 'next to': next_to, 'on': on, 'under': under, 'in': inside}


def _unstacked(a: Regions, b: Regions) -> np.ndarray:
    return np.asarray((1 - on(a, b)) * (1 - on(b, a).T))  # (A, B)


def _share_inside(masks: np.ndarray, b: Regions) -> np.ndarray:
    """(A, B): the share of each mask (A, h, w) that lies between the rims of each b."""
    flat = masks.reshape(len(masks), masks[0].size if len(masks) else 0).astype(np.float32)
    filled = _filled(b.masks).reshape(len(b), -1).astype(np.float32)  # (B, P)
    if not len(masks) or not len(b):
        return np.zeros((len(masks), len(b)))
    return np.asarray(flat @ filled.T / np.maximum(flat.sum(axis=1), 1)[:, None])


def _filled(masks: np.ndarray) -> np.ndarray:
    """(B, h, w): each row from the first to the last pixel of the mask."""
    after_first = np.logical_or.accumulate(masks, axis=2)
    before_last = np.logical_or.accumulate(masks[:, :, ::-1], axis=2)[:, :, ::-1]
    return after_first & before_last


def _lowered(mask: np.ndarray, rows: int) -> np.ndarray:
    moved = np.zeros_like(mask)
    moved[rows:] = mask[:len(mask) - rows]
    return moved
