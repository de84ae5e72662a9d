"""Referring expressions for a rendered scene, each true of exactly one object by its geometry.

Margins are wide, so that a person would agree: what is nearly level is neither left nor right.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from refdiff_ros.errors import BadRequestError, require
from refdiff_ros.sim.render import SceneObject, SceneView
from refdiff_ros.sim.scene_relations import CONTAINERS, DEPTH_MARGIN_M, RELATIONS, SIDE_MARGIN
from refdiff_ros.sim.sightings import grouped, see, Seen

KINDS = ('plain', 'attribute', 'direction', 'ordinal', 'superlative', 'relation')
_SIZE_RATIO = 1.3  # of volumes
_PIXEL_RATIO = 1.1  # of what is seen of them: what is larger must look larger
_ORDINALS = ('first', 'second', 'third')

# Direction: what grows towards it, the margin, wordings for the extreme one (true whatever the
# others' places are), wordings for a place (false where a second one is about there too).
_SIDES = {
    'left': (lambda seen: -seen.column, SIDE_MARGIN,
             ('the leftmost {}',), ('the {} on the left', 'the left {}')),
    'right': (lambda seen: seen.column, SIDE_MARGIN,
              ('the rightmost {}',), ('the {} on the right', 'the right {}')),
    'top': (lambda seen: -seen.line, SIDE_MARGIN,
            ('the topmost {}',), ('the top {}', 'the {} at the top')),
    'bottom': (lambda seen: seen.line, SIDE_MARGIN,
               ('the bottommost {}',), ('the bottom {}', 'the {} at the bottom')),
    'front': (lambda seen: -seen.depth_m, DEPTH_MARGIN_M,
              ('the closest {}',), ('the front {}', 'the {} in front')),
    'back': (lambda seen: seen.depth_m, DEPTH_MARGIN_M,
             ('the farthest {}',), ('the back {}', 'the {} at the back')),
}
_CORNER_TEXTS = ('the {1} {2} {0}', 'the {0} at the {1} {2}')
_MIDDLE_TEXTS = ('the middle {}', 'the {} in the middle')
RELATION_TEXTS = {
    'left of': ('left of', 'to the left of'), 'right of': ('right of', 'to the right of'),
    'behind': ('behind',), 'in front of': ('in front of',), 'next to': ('next to', 'beside'),
    'on': ('on',), 'in': ('in', 'inside')}


@dataclass(frozen=True)
class SceneExpression:
    """An expression and the row of the object it means.

    Attributes:
        text: 'the mug left of the red box'.
        row: the object's row in the view.
        kind: one of `KINDS`.
        sense: which of its kind, whatever the wording: 'left', 'top left', 'second from right',
            'largest', 'behind'; '' for plain and attribute.

    Raises:
        BadRequestError: another kind.
    """

    text: str
    row: int
    kind: str
    sense: str = ''

    def __post_init__(self):
        if self.kind not in KINDS:
            raise BadRequestError(f'expected a kind of {KINDS}, got {self.kind!r}')


def expressions(view: SceneView) -> list[SceneExpression]:
    """Every expression of the known kinds that is true of exactly one object of `view`.

    Objects of which too little is seen are not spoken of, but they count as candidates: an
    expression that also fits a hidden object is left out.
    """
    things = see(view)
    found = [
        *_plain(things), *_attributes(things), *_directions(things), *_ordinals(things),
        *_superlatives(things), *_relations(things), *_on_any(things)]
    return [expression for expression in found if things[expression.row].clear]


def by_shape(things: list[Seen]) -> dict[str, list[Seen]]:
    """'mug' to all mugs."""
    return grouped(things, lambda thing: thing.shape)


def by_name(things: list[Seen]) -> dict[str, list[Seen]]:
    """'red mug' to all red mugs, where no other mug might be called red as well."""
    return {name: group for name, group in grouped(things, lambda thing: thing.name).items()
            if not any(may_be_called(seen.thing, group[0].thing) for seen in things)}


def may_be_called(thing: SceneObject, other: SceneObject) -> bool:
    """Whether some would call `thing` by the name of `other`: a mug with red stripes 'red mug'."""
    return thing.shape == other.shape and other.colour in thing.also


def _plain(things: list[Seen]) -> Iterator[SceneExpression]:
    for shape, group in by_shape(things).items():
        if len(group) == 1:
            yield SceneExpression(f'the {shape}', group[0].row, 'plain')


def _attributes(things: list[Seen]) -> Iterator[SceneExpression]:
    for name, group in by_name(things).items():
        if len(group) == 1:
            yield SceneExpression(f'the {name}', group[0].row, 'attribute')


def _comparable(things: list[Seen]) -> Iterator[tuple[str, list[Seen]]]:
    """Nouns ('mug', 'red mug') with the several objects of that noun, all of them well seen."""
    for noun, group in (by_shape(things) | by_name(things)).items():
        if len(group) > 1 and all(seen.clear for seen in group):
            yield noun, group


def _first(group: list[Seen], key: Callable[[Seen], float], margin: float) -> Seen | None:
    """The one with the highest key, if it leads by `margin`."""
    best, second = sorted(group, key=key, reverse=True)[:2]
    return best if key(best) - key(second) >= margin else None


def _extreme(
    group: list[Seen], key: Callable[[Seen], float], sign: int, margin: float,
) -> Seen | None:
    """As `_first` of the key times `sign`."""
    return _first(group, lambda seen: sign * key(seen), margin)


def _apart(group: list[Seen], key: Callable[[Seen], float], margin: float) -> Seen | None:
    """The one with the highest key, if none of the others is about there too."""
    span = max(map(key, group)) - min(map(key, group))
    return _first(group, key, max(margin, span / 3))


def _directions(things: list[Seen]) -> Iterator[SceneExpression]:
    for noun, group in _comparable(things):
        for sense, (key, margin, extreme_texts, place_texts) in _SIDES.items():
            for texts, rule in ((extreme_texts, _first), (place_texts, _apart)):
                yield from _said(texts, noun, rule(group, key, margin), sense)
        yield from _corners(noun, group)
        yield from _said(_MIDDLE_TEXTS, noun, _middle(group), 'middle')


def _said(
    texts: tuple[str, ...], noun: str, seen: Seen | None, sense: str,
) -> Iterator[SceneExpression]:
    if seen is not None:
        for text in texts:
            yield SceneExpression(text.format(noun, *sense.split()), seen.row, 'direction', sense)


def _corners(noun: str, group: list[Seen]) -> Iterator[SceneExpression]:
    for corner in product(('top', 'bottom'), ('left', 'right')):
        vertical, horizontal = (
            _apart(group, key, margin) for key, margin, *_ in (_SIDES[side] for side in corner))
        if vertical is not None and vertical is horizontal:
            yield from _said(_CORNER_TEXTS, noun, vertical, ' '.join(corner))


def _middle(group: list[Seen]) -> Seen | None:
    """The middle one of three or five in a row from left to right, about half-way."""
    ordered = _from_left(group)
    if ordered is None or len(group) % 2 == 0:
        return None
    middle = ordered[len(group) // 2]
    left, right = _column(ordered[0]), _column(ordered[-1])
    return middle if 0.25 <= (_column(middle) - left) / (right - left) <= 0.75 else None


def _column(seen: Seen) -> float:
    return require(seen.column, 'where an object is that is spoken of')


def _from_left(group: list[Seen]) -> list[Seen] | None:
    """The group from left to right; None where two are nearly level."""
    ordered = sorted(group, key=_column)
    clear = all(_column(after) - _column(before) >= SIDE_MARGIN
                for before, after in pairwise(ordered))
    return ordered if clear else None


def _ordinals(things: list[Seen]) -> Iterator[SceneExpression]:
    for noun, group in _comparable(things):
        ordered = _from_left(group)
        if ordered is None:
            continue
        for side, row in (('left', ordered), ('right', ordered[::-1])):
            # More words than objects, or fewer: what both have is named.
            for word, seen in zip(_ORDINALS, row, strict=False):
                yield SceneExpression(
                    f'the {word} {noun} from the {side}', seen.row, 'ordinal',
                    f'{word} from {side}')


def _superlatives(things: list[Seen]) -> Iterator[SceneExpression]:
    def log_volume(seen: Seen) -> float:
        return float(np.log(np.prod(seen.thing.extents)))

    def log_pixels(seen: Seen) -> float:
        return float(np.log(seen.pixels))
    for noun, group in _comparable(things):
        for sense, sign, words in (
                ('largest', 1, ('largest', 'biggest')), ('smallest', -1, ('smallest',))):
            real = _extreme(group, log_volume, sign, np.log(_SIZE_RATIO))
            looks = _extreme(group, log_pixels, sign, np.log(_PIXEL_RATIO))
            if real is None or real is not looks:
                continue
            for word in words:
                yield SceneExpression(f'the {word} {noun}', real.row, 'superlative', sense)


def names_of(seen: Seen, things: list[Seen]) -> list[str]:
    """Nouns that are true of this object alone, if it can be seen."""
    counts = [(seen.thing.name, len(by_name(things).get(seen.thing.name, ()))),
              (seen.thing.shape, len(by_shape(things)[seen.thing.shape]))]
    return [noun for noun, count in counts if count == 1 and seen.clear]


def _relations(things: list[Seen]) -> Iterator[SceneExpression]:
    for other in things:
        for name in names_of(other, things):
            for shape, group in by_shape(things).items():
                candidates = [seen for seen in group if seen.row != other.row]
                for relation, holds in RELATIONS.items():
                    # One of its shape needs no relation; what lies on what is worth saying.
                    if not candidates or (len(group) == 1 and relation not in ('on', 'in')):
                        continue
                    verdicts = [holds(seen, other, candidates) for seen in candidates]
                    if verdicts.count(True) != 1 or None in verdicts:
                        continue
                    seen = candidates[verdicts.index(True)]
                    for words in RELATION_TEXTS[relation]:
                        yield SceneExpression(
                            f'the {shape} {words} the {name}', seen.row, 'relation', relation)


def _on_any(things: list[Seen]) -> Iterator[SceneExpression]:
    """'the can on the plate' where there are several plates and a can on one of them alone.

    'the apple in the bowl' likewise.
    """
    shapes = by_shape(things)
    carried = [(seen, things[seen.thing.on]) for seen in things if seen.thing.on is not None]
    for seen, base in carried:
        rivals = [rival for rival, below in carried if rival.thing.shape == seen.thing.shape
                  and below.thing.shape == base.thing.shape]
        if len(rivals) == 1 and base.clear and len(shapes[base.thing.shape]) > 1:
            relation = 'in' if base.thing.shape in CONTAINERS else 'on'
            yield SceneExpression(f'the {seen.thing.shape} {relation} the {base.thing.shape}',
                                  seen.row, 'relation', relation)
