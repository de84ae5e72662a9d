"""When one object of a scene is left of, behind, next to ... another, and when nobody can say.

Each rule answers for a candidate, an other object and all candidates: True, False, or None where
it is too close to call.
"""

from collections.abc import Callable

import numpy as np

from refdiff_ros.sim.sightings import Seen

SIDE_MARGIN = 0.08  # of the image's width
DEPTH_MARGIN_M = 0.09  # over the ground
_STEEPEST = 2.0  # of the line between two objects of which one is left of the other
_IN_LINE = 0.15  # of the image's width, between objects of which one is behind the other
_NEAR_M = 0.08  # between the rims of objects that are next to each other
_FAR_M = 0.16  # between the rims of objects that are not
_FARTHER = 2.0  # likewise: at least this many times farther than the nearest

# What stands on their floor is in them.
CONTAINERS = frozenset({'bowl'})

Rule = Callable[[Seen, Seen, list[Seen]], bool | None]


def _beyond(difference: float, margin: float) -> bool | None:
    if difference >= margin:
        return True
    return False if difference <= 0 else None


def _left_of(seen: Seen, other: Seen, _candidates: list[Seen]) -> bool | None:
    if seen.column is None or other.column is None or seen.line is None or other.line is None:
        return None
    apart = other.column - seen.column
    left = _beyond(apart, SIDE_MARGIN)
    # What is mostly above or below is left of it only to some.
    return None if left and abs(other.line - seen.line) > _STEEPEST * apart else left


def _right_of(seen: Seen, other: Seen, candidates: list[Seen]) -> bool | None:
    return _left_of(other, seen, candidates)


def _behind(seen: Seen, other: Seen, _candidates: list[Seen]) -> bool | None:
    if seen.column is None or other.column is None:
        return None
    in_line = abs(seen.column - other.column) < _IN_LINE
    farther = _beyond(seen.depth_m - other.depth_m, DEPTH_MARGIN_M)
    return farther if in_line or farther is False else None


def _in_front_of(seen: Seen, other: Seen, candidates: list[Seen]) -> bool | None:
    return _behind(other, seen, candidates)


def _next_to(seen: Seen, other: Seen, candidates: list[Seen]) -> bool | None:
    if _stacked(seen, other):
        return None
    nearest = min(_distance_m(candidate, other) for candidate in candidates)
    distance = _distance_m(seen, other)
    if distance == nearest:
        return True if distance <= _NEAR_M else None
    return False if distance >= max(_FAR_M, _FARTHER * nearest) else None


def _distance_m(seen: Seen, other: Seen) -> float:
    between = float(np.linalg.norm(seen.thing.base - other.thing.base))
    return between - (max(seen.thing.extents[:2]) + max(other.thing.extents[:2])) / 2


def _stacked(seen: Seen, other: Seen) -> bool:
    return seen.thing.on == other.row or other.thing.on == seen.row


def _on(seen: Seen, other: Seen, _candidates: list[Seen]) -> bool | None:
    return seen.thing.on == other.row and other.thing.shape not in CONTAINERS


def _in(seen: Seen, other: Seen, _candidates: list[Seen]) -> bool | None:
    return seen.thing.on == other.row and other.thing.shape in CONTAINERS


RELATIONS: dict[str, Rule] = {
    'left of': _left_of, 'right of': _right_of, 'behind': _behind,
    'in front of': _in_front_of, 'next to': _next_to, 'on': _on, 'in': _in}
