"""Where something in the hand can be put: on, in, or beside other things, where there is room.

Left and right, in front of and behind are those of whoever looks through the camera.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import math

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.results import Pose, quaternion
from refdiff_ros.pick.from_above import find_top
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.robot import Held
from refdiff_ros.pick.space import Space

ONTO = ('on', 'in', 'onto', 'into', 'on top of', 'inside', 'inside of', 'to', 'at', 'above')
# The direction in which something goes beside an anchor: to the right, and away.
BESIDE = {
    'left of': (-1.0, 0.0), 'right of': (1.0, 0.0), 'in front of': (0.0, -1.0),
    'behind': (0.0, 1.0), 'next to': None, 'beside': None, 'near': None, 'by': None,
    'close to': None}
# The object is let go this far above what it is put on.
_RELEASE_M = 0.006
_GAPS_M = (0.025, 0.045, 0.07, 0.1)
_FANS = (0.0, 20.0, -20.0, 38.0, -38.0)
# What rises more than this over the table stands in the way.
_FREE_M = 0.012
_ROOM_M = 0.012
# What is seen in a free place covers this share of it, and nothing lies this far below.
_SEEN_SHARE, _BELOW_M = 0.7, 0.03
# Fingers open this much wider than what they hold.
_LET_GO_M = 0.016
_TURNS = (0, 1, -1, 2, -2, 3)  # of 30 degrees


class NoPlaceError(RefDiffError):
    """There is no room, or the relation is none that something can be put in."""


@dataclass(frozen=True)
class Anchor:
    """A thing that a place is told by.

    Attributes:
        name: as it is spoken of.
        space: with its points as the object's own.
    """

    name: str
    space: Space


@dataclass(frozen=True)
class Spot:
    """Where the hand goes to let go.

    Attributes:
        pose: of the fingertips in the base.
        support_z: of the surface that the object is put on.
        opening_m: of the fingers when they let go.
        clear_z_m: a height at which the hand with the object meets nothing.
    """

    pose: Pose
    support_z: float
    opening_m: float
    clear_z_m: float


def find_spot(relation: str, anchors: Sequence[Anchor], held: Held, camera: Pose,
              reach: Reach, gap_m: float = math.nan) -> Spot:
    """The best free place for what is held.

    Args:
        relation: 'on', 'in', 'next to', 'left of', 'right of', 'in front of', 'behind',
            'between'.
        anchors: one, or two for 'between'; none for a free place on the table.
        held: what is in the hand.
        camera: the optical frame in the base.
        reach: of the gripper.
        gap_m: between both, for what goes beside; NaN takes the nearest that is free.

    Raises:
        NoPlaceError: the relation is another one, or no place is free.
    """
    if not anchors:
        raise NoPlaceError('nothing is named that the place goes by')
    if relation == 'between':
        if len(anchors) < 2:
            raise NoPlaceError("'between' needs two things")
        return _between(anchors, held, reach)
    if relation in ONTO:
        return _onto(anchors[0], held, reach)
    if relation in BESIDE:
        gaps = _GAPS_M if math.isnan(gap_m) else (gap_m,)
        return _beside(relation, anchors[0], held, camera, reach, gaps)
    raise NoPlaceError(f"nothing can be put '{relation}' something: expected on, in, next to, "
                       'left of, right of, in front of, behind or between')


def _onto(anchor: Anchor, held: Held, reach: Reach) -> Spot:
    top = find_top(anchor.space, reach)
    if top is None:
        raise NoPlaceError(f'too little of {anchor.name} is seen to put something there')
    foot_m = min(held.radius_m, 0.5 * top.width_m)
    own = Space(anchor.space.object, anchor.space.area_m2[anchor.space.own],
                np.ones(len(anchor.space.object), bool))
    for centre in _centres(top.centre, max(top.width_m / 2 - held.radius_m, 0.0)):
        # A bowl or a mug is let into: what counts is what is under the object's foot.
        support = own.highest_around(centre, 0.6 * foot_m)
        if not np.isfinite(support):
            support = own.highest_around(centre, foot_m)
        if not np.isfinite(support):
            continue
        others = Space(anchor.space.points[~anchor.space.own],
                       anchor.space.area_m2[~anchor.space.own], np.zeros(
                           int((~anchor.space.own).sum()), bool))
        if others.highest_around(centre, foot_m) > support + _FREE_M:
            continue
        spot = _let_go(anchor.space, centre, support, held, reach, own_counts=False)
        if spot is not None:
            return spot
    raise NoPlaceError(f'there is no room {anchor.name and "on " + anchor.name}: something is '
                       'there already, or the fingers would meet what stands beside it')


def _centres(centre: np.ndarray, slack_m: float) -> Iterator[np.ndarray]:
    yield centre
    if slack_m > 0.02:
        for turn in range(8):
            angle = turn * math.pi / 4
            yield centre + slack_m * np.array([math.cos(angle), math.sin(angle)])


def _beside(relation: str, anchor: Anchor, held: Held, camera: Pose, reach: Reach,
            gaps_m: Sequence[float]) -> Spot:
    centre, radius_m = _footprint(anchor, reach)
    rightwards, away = directions(camera)
    wanted = BESIDE[relation]
    if wanted is None:
        angles = [turn * math.pi / 6 for turn in (0, 6, 1, 11, 5, 7, 2, 10, 4, 8, 9, 3)]
    else:
        middle = math.atan2(wanted[1], wanted[0])
        angles = [middle + math.radians(fan) for fan in _FANS]
    for gap_m in gaps_m:
        for angle in angles:
            towards = math.cos(angle) * rightwards + math.sin(angle) * away
            spot = _on_table(anchor.space, centre + towards * (
                radius_m + held.radius_m + gap_m), held, reach)
            if spot is not None:
                return spot
    far = '' if len(gaps_m) > 1 else f' {100 * gaps_m[0]:g} cm'
    raise NoPlaceError(f'there is no free place{far} {relation} {anchor.name}')


def _between(anchors: Sequence[Anchor], held: Held, reach: Reach) -> Spot:
    (one, _), (other, _) = (_footprint(anchor, reach) for anchor in anchors[:2])
    for share in (0.5, 0.42, 0.58):
        spot = _on_table(anchors[0].space, one + share * (other - one), held, reach)
        if spot is not None:
            return spot
    raise NoPlaceError(f'there is no free place between {anchors[0].name} and {anchors[1].name}')


def free_spot(space: Space, near: np.ndarray, held: Held, reach: Reach) -> Spot:
    """A free place on the table near a point.

    Raises:
        NoPlaceError: there is none within 25 cm.
    """
    for distance_m in (0.0, 0.05, 0.1, 0.15, 0.2, 0.25):
        for turn in range(1 if distance_m == 0 else 12):
            angle = turn * math.pi / 6
            spot = _on_table(space, near + distance_m * np.array(
                [math.cos(angle), math.sin(angle)]), held, reach)
            if spot is not None:
                return spot
    raise NoPlaceError('there is no free place on the table within 25 cm')


def directions(camera: Pose) -> tuple[np.ndarray, np.ndarray]:
    """(2,) each, in the base: to the right, and away, of whoever looks through the camera."""
    right = camera.rotation[:2, 0]
    right = right / max(float(np.linalg.norm(right)), 1e-9)
    return right, np.array([-right[1], right[0]])


def _footprint(anchor: Anchor, reach: Reach) -> tuple[np.ndarray, float]:
    top = find_top(anchor.space, reach)
    if top is None:
        raise NoPlaceError(f'too little of {anchor.name} is seen to put something beside it')
    return top.centre, max(top.radius_m, top.width_m / 2)


def _on_table(space: Space, xy: np.ndarray, held: Held, reach: Reach) -> Spot | None:
    """A spot on the bare table, None where it is taken, unseen or at the edge."""
    radius_m = held.radius_m + _ROOM_M
    near = np.hypot(*(space.points[:, :2] - xy).T) < radius_m
    heights = space.points[near, 2] - reach.table_z_m
    # What the camera sees at a slant covers less of the picture than of the table: by area on it.
    if not near.any() or heights.min() < -_BELOW_M:
        return None
    if _covered(space.points[near, :2] - xy, radius_m) < _SEEN_SHARE:
        return None
    if space.highest_around(xy, radius_m) > reach.table_z_m + _FREE_M:
        return None
    return _let_go(space, xy, reach.table_z_m, held, reach, own_counts=True)


def _covered(offset: np.ndarray, radius_m: float) -> float:
    """Share of a disc's cells in which a point is seen."""
    cells = 7
    grid = np.floor((offset / radius_m + 1) / 2 * cells).astype(int).clip(0, cells - 1)
    centres = (np.arange(cells) + 0.5) / cells * 2 - 1
    inside = np.hypot(*np.meshgrid(centres, centres, indexing='ij')) < 1
    seen = np.zeros((cells, cells), bool)
    seen[grid[:, 0], grid[:, 1]] = True
    return float((seen & inside).sum() / inside.sum())


def _let_go(space: Space, xy: np.ndarray, support_z: float, held: Held, reach: Reach,
            own_counts: bool) -> Spot | None:
    """A pose above a place in which the fingers have room to open, None where they have not."""
    z = support_z + held.rise_m + _RELEASE_M
    width_m = held.opening_m if math.isnan(held.width_m) else held.width_m + _LET_GO_M
    opening = min(width_m, reach.max_opening_m)
    seen = space if own_counts else Space(
        space.points, space.area_m2, space.own & (space.points[:, 2] > support_z + held.rise_m))
    for turn, off in _turns(held):
        pose = Pose((float(xy[0] - off[0]), float(xy[1] - off[1]), float(z)), turn)
        if not seen.in_the_way(pose, opening, reach):
            clear = max(space.highest_m + 0.03, z + 0.05)
            return Spot(pose, support_z, opening, clear)
    return None


def _turns(held: Held) -> Iterator[tuple[tuple[float, float, float, float], np.ndarray]]:
    """Turns of the hand about the vertical, its own first, each with the offset turned alike."""
    rotation = held.grasp.rotation
    for step in _TURNS:
        cos, sin = math.cos(step * math.pi / 6), math.sin(step * math.pi / 6)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
        yield quaternion(turn @ rotation), turn[:2, :2] @ np.array(held.off_m)
