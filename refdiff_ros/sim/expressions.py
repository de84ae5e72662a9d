"""Referring expressions for a rendered scene, each true of exactly one object by its geometry.

Margins are wide, so that a person would agree: what is nearly level is neither left nor right.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from refdiff_ros.sim.render import SceneObject, SceneView

# Share of the image's pixels that must be seen of an object that is spoken of (100 at 640x480).
_MIN_VISIBLE = 100 / (640 * 480)
_SIDE_MARGIN = 0.08  # of the image's width
_DEPTH_MARGIN_M = 0.07  # along the optical axis
_SIZE_RATIO = 1.3
_NEAR_M = 0.16  # between the objects' rims at most
_FARTHER = 2.0  # other candidates are at least this many times farther


@dataclass(frozen=True)
class SceneExpression:
    """An expression and the row of the object it means.

    Attributes:
        text: 'the mug left of the red box'.
        row: the object's row in the view.
        kind: 'plain', 'attribute', 'direction', 'superlative' or 'relation'.
    """

    text: str
    row: int
    kind: str


@dataclass(frozen=True)
class _Seen:
    """An object as it is seen: its row, itself, and its mask's middle column, 0..1.

    The column of a hidden object is None: nobody can say on which side it is.
    """

    row: int
    thing: SceneObject
    column: float | None


def expressions(view: SceneView) -> list[SceneExpression]:
    """Every expression of the known kinds that is true of exactly one object of `view`.

    Objects of which too little is seen are not spoken of, but they count as candidates: an
    expression that also fits a hidden object is left out.
    """
    width = view.masks.shape[2]
    all_seen = [
        _Seen(row, thing, float(np.nonzero(mask.any(axis=0))[0].mean()) / width
              if mask.any() else None)
        for row, (thing, mask) in enumerate(zip(view.objects, view.masks, strict=True))]
    enough = view.masks.shape[1] * width * _MIN_VISIBLE
    visible = {seen.row for seen in all_seen if view.masks[seen.row].sum() >= enough}
    found = [
        *_plain(all_seen), *_attributes(all_seen), *_directions(all_seen),
        *_superlatives(all_seen), *_relations(all_seen, visible)]
    return [expression for expression in found if expression.row in visible]


def _groups(things: list[_Seen]) -> dict[str, list[_Seen]]:
    groups: dict[str, list[_Seen]] = {}
    for seen in things:
        groups.setdefault(seen.thing.shape, []).append(seen)
    return groups


def _plain(things: list[_Seen]) -> Iterator[SceneExpression]:
    for shape, group in _groups(things).items():
        if len(group) == 1:
            yield SceneExpression(f'the {shape}', group[0].row, 'plain')


def _attributes(things: list[_Seen]) -> Iterator[SceneExpression]:
    names = [seen.thing.name for seen in things]
    for seen in things:
        if names.count(seen.thing.name) == 1:
            yield SceneExpression(f'the {seen.thing.name}', seen.row, 'attribute')


def _extreme(
    group: list[_Seen], key: Callable[[_Seen], float], margin: float,
) -> _Seen | None:
    """The one with the lowest key, if it leads by `margin`."""
    ordered = sorted(group, key=key)
    return ordered[0] if key(ordered[1]) - key(ordered[0]) >= margin else None


def _directions(things: list[_Seen]) -> Iterator[SceneExpression]:
    rules = (
        (('the {} on the left', 'the leftmost {}'), lambda seen: seen.column, _SIDE_MARGIN),
        (('the {} on the right', 'the rightmost {}'), lambda seen: -seen.column, _SIDE_MARGIN),
        (('the front {}', 'the {} in front'), lambda seen: seen.thing.base[2], _DEPTH_MARGIN_M),
        (('the back {}', 'the {} at the back'), lambda seen: -seen.thing.base[2],
         _DEPTH_MARGIN_M),
    )
    for shape, group in _groups(things).items():
        if len(group) < 2 or any(seen.column is None for seen in group):
            continue
        for texts, key, margin in rules:
            seen = _extreme(group, key, margin)
            if seen is not None:
                for text in texts:
                    yield SceneExpression(text.format(shape), seen.row, 'direction')


def _superlatives(things: list[_Seen]) -> Iterator[SceneExpression]:
    def log_volume(seen: _Seen) -> float:
        return float(np.log(np.prod(seen.thing.extents)))
    for shape, group in _groups(things).items():
        if len(group) < 2:
            continue
        for word, sign in (('largest', -1), ('smallest', 1)):
            seen = _extreme(
                group, lambda seen, sign=sign: sign * log_volume(seen), float(np.log(_SIZE_RATIO)))
            if seen is not None:
                yield SceneExpression(f'the {word} {shape}', seen.row, 'superlative')


def _relations(things: list[_Seen], visible: set[int]) -> Iterator[SceneExpression]:
    names = [seen.thing.name for seen in things]
    groups = _groups(things)
    for other in things:
        if names.count(other.thing.name) > 1 or other.row not in visible:
            continue
        for shape, group in groups.items():
            candidates = [seen for seen in group if seen.row != other.row]
            for relation, holds in _RELATIONS.items():
                # True, false or too close to call (None) for each candidate.
                verdicts = [holds(seen, other, candidates) for seen in candidates]
                if verdicts.count(True) == 1 and None not in verdicts:
                    seen = candidates[verdicts.index(True)]
                    yield SceneExpression(
                        f'the {shape} {relation} the {other.thing.name}', seen.row, 'relation')


def _beyond(difference: float, margin: float) -> bool | None:
    if difference >= margin:
        return True
    return False if difference <= 0 else None


def _left_of(seen: _Seen, other: _Seen, _candidates: list[_Seen]) -> bool | None:
    if seen.column is None or other.column is None:
        return None
    return _beyond(other.column - seen.column, _SIDE_MARGIN)


def _right_of(seen: _Seen, other: _Seen, candidates: list[_Seen]) -> bool | None:
    return _left_of(other, seen, candidates)


def _behind(seen: _Seen, other: _Seen, _candidates: list[_Seen]) -> bool | None:
    if seen.column is None or other.column is None:
        return None
    in_line = abs(seen.column - other.column) < 0.15
    farther = _beyond(seen.thing.base[2] - other.thing.base[2], _DEPTH_MARGIN_M)
    return farther if in_line or farther is False else None


def _in_front_of(seen: _Seen, other: _Seen, candidates: list[_Seen]) -> bool | None:
    return _behind(other, seen, candidates)


def _distance(seen: _Seen, other: _Seen) -> float:
    between = float(np.linalg.norm(seen.thing.base - other.thing.base))
    return between - (max(seen.thing.extents[:2]) + max(other.thing.extents[:2])) / 2


def _next_to(seen: _Seen, other: _Seen, candidates: list[_Seen]) -> bool | None:
    nearest = min(_distance(candidate, other) for candidate in candidates)
    distance = _distance(seen, other)
    if distance == nearest:
        return True if distance <= _NEAR_M / 2 else None
    return False if distance >= max(_NEAR_M, _FARTHER * nearest) else None


_RELATIONS: dict[str, Callable[[_Seen, _Seen, list[_Seen]], bool | None]] = {
    'left of': _left_of, 'right of': _right_of, 'behind': _behind,
    'in front of': _in_front_of, 'next to': _next_to}
