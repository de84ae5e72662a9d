"""Of which objects of a scene a generated expression is true: of none, of one, or of several.

`expressions` gives those that are true of exactly one object of the scene that it is given. Asked
in another scene they may be true of none, and 'the mug' is true of each of two mugs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.expressions import (
    by_name,
    by_shape,
    expressions,
    names_of,
    RELATION_TEXTS,
    SceneExpression,
)
from refdiff_ros.sim.paints import SURFACES, WIDE_COLOURS
from refdiff_ros.sim.render import SceneView
from refdiff_ros.sim.scene_relations import RELATIONS
from refdiff_ros.sim.sightings import see, Seen
from refdiff_ros.sim.wide_shapes import WIDE_SHAPES

_NAMES = frozenset((*WIDE_COLOURS, *SURFACES))
# The fewest objects that there must be for 'the second mug' to be one of them.
_ORDINALS = {'first': 1, 'second': 2, 'third': 3}


@dataclass(frozen=True)
class SharedExpression:
    """An expression that is true of several objects alike.

    Attributes:
        text: 'the mug left of the red box'.
        rows: of the objects in the view, two or more.
        kind, sense: as in `SceneExpression`.
    """

    text: str
    rows: tuple[int, ...]
    kind: str
    sense: str = ''


class SceneTruth:
    """What is true of the objects of one scene.

    Args:
        view: the scene in which is asked.
    """

    def __init__(self, view: SceneView):
        self._view, self._things = view, see(view)

    def holders(self, said: SceneExpression) -> list[bool | None]:
        """For each object whether `said` is true of it; None where nobody can say.

        Objects that are hidden count like all others. What tells one of several apart ('the left
        mug') is undecided where there is one only, and where `expressions` does not say it.

        Args:
            said: an expression of this scene or of another one.

        Raises:
            BadRequestError: a text that `expressions` does not make.
        """
        nouns = _nouns(said.text)
        head = [seen.row for seen in self._things if _is(seen, nouns[0])]
        verdicts: list[bool | None] = [
            None if _may_be(seen, nouns[0]) else False for seen in self._things]
        if said.kind == 'relation':
            others = [seen for seen in self._things
                      if _is(seen, nouns[-1]) or _may_be(seen, nouns[-1])]
            for row in head:
                verdicts[row] = _related(self._things[row], others, said.sense, self._things)
        elif said.kind in ('plain', 'attribute'):
            for row in head:
                verdicts[row] = True
        elif said.kind != 'ordinal' or len(head) >= _ORDINALS[said.sense.split()[0]]:
            for row in head:
                told = self._said.get(said.text)
                verdicts[row] = None if told is None else row == told
        return verdicts

    def is_of_none(self, said: SceneExpression) -> bool:
        """Whether `said` is plainly true of no object."""
        return all(verdict is False for verdict in self.holders(said))

    @cached_property
    def _said(self) -> dict[str, int]:
        return {same.text: same.row for same in expressions(self._view)}


def shared_expressions(view: SceneView) -> list[SharedExpression]:
    """Every expression by noun or by relation that is true of several objects of `view` alike.

    All of them are seen well, and of every other object it is plainly false.
    """
    things = see(view)
    found = [*_alike(things), *_alike_placed(things)]
    return [shared for shared in found if all(things[row].clear for row in shared.rows)]


def _nouns(text: str) -> list[tuple[str | None, str]]:
    """(colour or None, shape) of each object that is named, in order."""
    words = text.split()
    found = [(words[k - 1] if words[k - 1] in _NAMES else None, word)
             for k, word in enumerate(words) if word in WIDE_SHAPES]
    if not found:
        raise BadRequestError(f'expected an expression with a shape of {sorted(WIDE_SHAPES)}, '
                              f'got {text!r}')
    return found


def _is(seen: Seen, noun: tuple[str | None, str]) -> bool:
    colour, shape = noun
    return seen.thing.shape == shape and colour in (None, seen.thing.colour)


def _may_be(seen: Seen, noun: tuple[str | None, str]) -> bool:
    """Whether some would call it so: a mug with red stripes 'red mug'."""
    colour, shape = noun
    return seen.thing.shape == shape and colour in seen.thing.also


def _related(
    seen: Seen, others: list[Seen], relation: str, things: list[Seen],
) -> bool | None:
    """Whether `seen` stands in a relation to any of `others`."""
    verdicts = []
    for other in others:
        if other.row != seen.row:
            rivals = [rival for rival in things
                      if rival.thing.shape == seen.thing.shape and rival.row != other.row]
            verdicts.append(RELATIONS[relation](seen, other, rivals))
    return True if True in verdicts else None if None in verdicts else False


def _alike(things: list[Seen]) -> Iterator[SharedExpression]:
    for kind, groups in (('plain', by_shape(things)), ('attribute', by_name(things))):
        for noun, group in groups.items():
            if len(group) > 1:
                yield SharedExpression(f'the {noun}', tuple(seen.row for seen in group), kind)


def _alike_placed(things: list[Seen]) -> Iterator[SharedExpression]:
    for other in things:
        for name in names_of(other, things):
            for shape, group in by_shape(things).items():
                candidates = [seen for seen in group if seen.row != other.row]
                for relation, holds in RELATIONS.items():
                    verdicts = [holds(seen, other, candidates) for seen in candidates]
                    rows = tuple(seen.row for seen, verdict in zip(
                        candidates, verdicts, strict=True) if verdict)
                    if len(rows) < 2 or None in verdicts:
                        continue
                    for words in RELATION_TEXTS[relation]:
                        yield SharedExpression(
                            f'the {shape} {words} the {name}', rows, 'relation', relation)
