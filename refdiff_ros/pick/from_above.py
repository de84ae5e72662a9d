"""Grips from above, from an object's points in the base.

A camera that looks down at an angle sees the whole top of a thing and its front. The top's middle
is the thing's middle, be it a box, a can or the rim of a mug, while the middle of all that is seen
lies too near to the camera. A ball has no flat top, and its far side is hidden almost from the
top on: it is the sphere through its points. How wide the fingers must open, along each direction,
say the points at their height, mirrored about that middle, since the back is hidden.

Letters: K points of the object.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import math

import numpy as np

from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.space import Space

# What lies this far below the highest points belongs to the top; depth noise is less.
_TOP_M = 0.012
_TOP_POINTS = 12
_TAIL = 2.0  # percent of the points that are left out at either end
# So many of a ball's points are this near to a sphere, in shares of its radius, of which they show
# the highest point and half or more of the height. Those of bottles, bowls, cans and plates are
# not. A mask may hold some of what is around.
_ROUND_SHARE, _ROUND, _ROUND_TOP, _ROUND_ASIDE = 0.8, 0.06, 0.15, 0.5
_ROUNDS = 4
# A top longer than wide by this factor is closed on across.
_LONG = 1.2
# Places along a long top, in shares of its length, the best first.
_SHIFTS = (0.0, 0.12, -0.12, 0.24, -0.24)
_TURNS = 12
# Fingertips that cannot go as deep as they should may stay this much higher.
_HIGHER_M = (0.0, 0.02, 0.04)
_LEAST_DEPTH_M = 0.02
# Sides of an opened gripper beyond the object, in shares of the margin.
_MARGINS = (1.0, 0.5)
# An edge is held with the fingers this far apart before they close, this far inside of it,
EDGE_OPENING_M, EDGE_INSET_M = 0.045, 0.004
# and this deep.
_EDGE_DEPTHS_M = (0.02, 0.015)
# Less than this over what it stands on an edge cannot be reached under, as a plate's.
_LEAST_EDGE_M = 0.024
# The footprint's rim in which the surface below is looked for.
_FOOT_M = 0.006


@dataclass(frozen=True)
class Top:
    """The top of an object.

    Attributes:
        centre: (2,) its middle in the base.
        axis: (2,) unit vector along its longer side.
        length_m, width_m: of the rectangle around it.
        z: its height in the base.
        support_z: height of what the object stands on.
        radius_m: of the circle around the middle that holds the object's footprint.
    """

    centre: np.ndarray
    axis: np.ndarray
    length_m: float
    width_m: float
    z: float
    support_z: float
    radius_m: float

    @property
    def height_m(self) -> float:
        """From what it stands on."""
        return self.z - self.support_z


@dataclass(frozen=True)
class TopGrip:
    """One way to close.

    Attributes:
        tip: (3,) between the fingertips.
        closing: (2,) unit vector.
        opening_m: of the fingers on the way down.
        quality: what prefers one to another.
        edge: whether an edge is held.
    """

    tip: np.ndarray
    closing: np.ndarray
    opening_m: float
    quality: float
    edge: bool = False


def find_top(space: Space, reach: Reach) -> Top | None:
    """The top of the object that is meant; None where too little of it is seen.

    Args:
        space: with the object's points.
        reach: where the table is.
    """
    points = space.object
    if len(points) < _TOP_POINTS:
        return None
    z = float(np.percentile(points[:, 2], 100 - _TAIL))
    top = points[points[:, 2] > z - _TOP_M]
    if len(top) < _TOP_POINTS:
        return None
    pixel_m = math.sqrt(float(np.median(space.area_m2[space.own])))
    ball = _ball(points, z)
    if ball is not None:
        centre, radius = ball[0][:2], ball[1]
        return Top(centre, np.array([1.0, 0.0]), 2 * radius, 2 * radius, z,
                   _support(space, centre, radius + pixel_m, reach.table_z_m), radius + pixel_m)
    centre, axis, length, width = _rectangle(top[:, :2])
    radius = float(np.percentile(np.hypot(*(points[:, :2] - centre).T), 100 - _TAIL))
    return Top(centre, axis, length + 2 * pixel_m, width + 2 * pixel_m, z,
               _support(space, centre, radius + pixel_m, reach.table_z_m), radius + pixel_m)


def _ball(points: np.ndarray, top_z: float) -> tuple[np.ndarray, float] | None:
    """Middle (3,) and radius of the sphere through points (K, 3); None where they are no ball's.

    The squared distance to the origin is linear in the middle, so that least squares find it; what
    lies far off is left out in the next round.
    """
    kept = np.ones(len(points), bool)
    for _ in range(_ROUNDS):
        design = np.column_stack([2 * points[kept], np.ones(kept.sum())])
        found, _, rank, _ = np.linalg.lstsq(design, np.sum(points[kept] ** 2, axis=1), rcond=None)
        middle, square = found[:3], float(found[3] + found[:3] @ found[:3])
        if rank < 4 or square <= 0:
            return None
        radius = math.sqrt(square)
        off = np.abs(np.linalg.norm(points - middle, axis=1) - radius)
        kept = off < max(3 * float(np.median(off)), 0.5 * _ROUND * radius)
    high = float(middle[2]) + radius - top_z
    aside = np.linalg.norm(points[points[:, 2] > top_z - _TOP_M, :2].mean(axis=0) - middle[:2])
    if (kept.mean() < _ROUND_SHARE or np.sqrt(np.mean(off[kept] ** 2)) > _ROUND * radius
            or abs(high) > _ROUND_TOP * radius or aside > _ROUND_ASIDE * radius
            or np.ptp(points[kept, 2]) < radius):
        return None
    return middle, radius


def _support(space: Space, centre: np.ndarray, radius_m: float, table_z_m: float) -> float:
    """Height of the surface that is seen under the rim of the footprint."""
    base = float(np.percentile(space.object[:, 2], _TAIL))
    if base < table_z_m + 0.008:
        return table_z_m
    around = np.hypot(*(space.points[:, :2] - centre).T) < radius_m + _FOOT_M
    heights = space.points[around & ~space.own, 2]
    heights = heights[heights < base + 0.008]
    if len(heights) < _TOP_POINTS:
        return table_z_m
    return max(float(np.percentile(heights, 90)), table_z_m)


def _rectangle(xy: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Centre, longer axis, length and width of the smallest rectangle around points (K, 2)."""
    angles = np.radians(np.arange(0, 90, 3))
    ones = np.column_stack([np.cos(angles), np.sin(angles)])
    others = np.column_stack([-ones[:, 1], ones[:, 0]])
    spans = [np.percentile(xy @ axes.T, [_TAIL, 100 - _TAIL], axis=0) for axes in (ones, others)]
    sides = [span[1] - span[0] for span in spans]
    best = int(np.argmin(sides[0] * sides[1]))
    middle = [span[:, best].mean() for span in spans]
    centre = ones[best] * middle[0] + others[best] * middle[1]
    length, width = float(sides[0][best]), float(sides[1][best])
    if length >= width:
        return centre, ones[best], length, width
    return centre, others[best], width, length


def grips(space: Space, top: Top, camera_xy: np.ndarray, reach: Reach) -> Iterator[TopGrip]:
    """Ways to close, the best first, whatever stands around; none where the fingers are too small.

    Args:
        space: with the object's points.
        top: of the object.
        camera_xy: (2,) where the camera stands: what faces it is seen best.
        reach: of the gripper.
    """
    away = top.centre - camera_xy
    away = away / max(float(np.linalg.norm(away)), 1e-9)
    found = list(_across(space, top, away, reach)) or list(_edges(space, top, away, reach))
    yield from sorted(found, key=lambda grip: -grip.quality)


def _across(space: Space, top: Top, away: np.ndarray, reach: Reach) -> Iterator[TopGrip]:
    deepest = max(top.support_z + top.height_m / 2 - reach.tip_depth_m,
                  top.z - reach.finger_length_m + 0.01, top.support_z + reach.clearance_m)
    long = top.length_m > _LONG * top.width_m
    for shift, turn in _places(top, long):
        closing = _turned(top.axis, turn)
        xy = top.centre + shift * top.length_m * top.axis
        for rise_m in _HIGHER_M:
            z = deepest + rise_m
            if rise_m and z > top.z - _LEAST_DEPTH_M:
                break
            half = _half_width(space, np.array([*xy, z]), closing, reach)
            if 2 * half > reach.max_opening_m - 0.006:
                continue
            for margin in _MARGINS:
                opening = min(2 * half + margin * reach.margin_m, reach.max_opening_m)
                quality = (1.0 - 0.3 * abs(float(closing @ away)) - abs(shift) - 4 * rise_m
                           - 0.25 * (1 - margin) - (0.0 if long else 0.3 * (half - 0.03)))
                yield TopGrip(np.array([*xy, z]), closing, opening, quality)


def _places(top: Top, long: bool) -> Iterator[tuple[float, float]]:
    """Shifts along the top and turns against its axis."""
    if long:
        for shift in _SHIFTS:
            yield shift, math.pi / 2
    else:
        for turn in range(_TURNS // 2):
            yield 0.0, turn * 2 * math.pi / _TURNS


def _turned(axis: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([cos * axis[0] - sin * axis[1], sin * axis[0] + cos * axis[1]])


def _half_width(space: Space, tip: np.ndarray, closing: np.ndarray, reach: Reach) -> float:
    """Half of what is between the fingers, mirrored about the tip; a hidden back is as wide."""
    offset = space.object - tip
    side = np.array([-closing[1], closing[0]])
    within = (np.abs(offset[:, :2] @ side) < reach.finger_width_m / 2 + 0.004) & (
        offset[:, 2] > -0.003)
    along = np.abs(offset[within, :2] @ closing)
    pixel_m = math.sqrt(float(np.median(space.area_m2[space.own])))
    # The rim of the mask, which belongs to nobody, is left out of the points.
    return (float(np.percentile(along, 100 - _TAIL)) if len(along) else 0.0) + 1.5 * pixel_m


def _edges(space: Space, top: Top, away: np.ndarray, reach: Reach) -> Iterator[TopGrip]:
    """One finger inside, one outside."""
    if top.height_m < _LEAST_EDGE_M:
        return
    for turn in range(_TURNS):
        outward = _turned(-away, turn * 2 * math.pi / _TURNS)
        offset = space.object[space.object[:, 2] > top.z - _TOP_M, :2] - top.centre
        side = np.array([-outward[1], outward[0]])
        strip = offset[np.abs(offset @ side) < reach.finger_width_m / 2]
        along = strip @ outward
        along = along[along > 0]
        if len(along) < 3:
            continue
        rim_m = float(np.percentile(along, 100 - _TAIL))
        xy = top.centre + outward * (rim_m - EDGE_INSET_M)
        for depth_m in _EDGE_DEPTHS_M:
            z = max(top.z - depth_m, top.support_z + reach.clearance_m)
            # The near edge is seen best, and what is outside of it too.
            quality = 0.5 - 0.1 * float(outward @ away) - 4 * (_EDGE_DEPTHS_M[0] - depth_m)
            yield TopGrip(np.array([*xy, z]), outward, EDGE_OPENING_M, quality, True)
