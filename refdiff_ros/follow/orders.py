"""Seeded orders for a settled table, with what must be true when they have been followed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from refdiff_ros.sim.render import SceneView
from refdiff_ros.sim.sightings import see, Seen
from refdiff_ros.sim.worlds import PAIRS, WORLD

# No gripper of this kind lifts a plate from above.
_MOVABLE = ('mug', 'bottle', 'can', 'box', 'ball', 'banana')
_ROUND = ('mug', 'can', 'ball')
KINDS = ('pick', 'on', 'in', 'next to', 'left of', 'two steps', 'ambiguous', 'absent object',
         'absent place', 'forbidden', 'stop', 'another order')


@dataclass(frozen=True)
class Goal:
    """What must be true at the end.

    Attributes:
        row: of the object.
        relation: 'held', 'on', 'in', 'next to', 'left of'.
        anchor: row of the other one; -1 for none.
    """

    row: int
    relation: str
    anchor: int = -1


@dataclass(frozen=True)
class OrderCase:
    """One order.

    Attributes:
        kind: one of `KINDS`.
        text: the order.
        goals: what must be true at the end; none where it is to be refused.
        meant: rows of the objects that are asked for, the answers to questions.
        ambiguous: whether a question is needed.
        forbidden: rows that must be left alone.
        stop_at_s: simulated seconds after the first motion at which a stop is called; -1: none.
        answer: what is said to the first question in place of a choice, ''.
    """

    kind: str
    text: str
    goals: tuple[Goal, ...] = ()
    meant: tuple[int, ...] = ()
    ambiguous: bool = False
    forbidden: tuple[int, ...] = ()
    stop_at_s: float = -1.0
    answer: str = ''


def order_case(view: SceneView, seed: int) -> OrderCase | None:
    """An order of a kind that the table allows, drawn evenly; None where it allows none."""
    rng = np.random.default_rng([seed, 13])
    things = see(view)
    for kind in rng.permutation(KINDS):
        case = _MAKERS[str(kind)](things, rng)
        if case is not None:
            return case
    return None


def _pick_text(name: str, rng: np.random.Generator) -> str:
    return _one(rng, ('pick up the {}', 'grab the {}', 'could you lift the {} please',
                      'take the {}', 'get the {}'), name)


def _one(rng: np.random.Generator, texts: Sequence[str], *names: str) -> str:
    return texts[int(rng.integers(len(texts)))].format(*names)


def _unique(things: Sequence[Seen], shapes: Sequence[str], rng: np.random.Generator,
            without: Sequence[int] = ()) -> Seen | None:
    """A clear thing of one of some shapes whose full name is its own."""
    names = [seen.thing.name for seen in things]
    carried = {seen.thing.on for seen in things}
    free = [seen for seen in things if seen.thing.shape in shapes and seen.clear
            and names.count(seen.thing.name) == 1 and seen.row not in without
            and seen.row not in carried]
    return free[int(rng.integers(len(free)))] if free else None


def _pick(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
    seen = _unique(things, _MOVABLE, rng)
    if seen is None:
        return None
    return OrderCase('pick', _pick_text(seen.thing.name, rng), (Goal(seen.row, 'held'),),
                     (seen.row,))


def _placed(relation: str, shapes: Sequence[str], anchors: Sequence[str], texts: Sequence[str],
            ) -> Callable[[Sequence[Seen], np.random.Generator], OrderCase | None]:
    def make(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
        seen = _unique(things, shapes, rng)
        if seen is None:
            return None
        anchor = _unique(things, anchors, rng, (seen.row,))
        if anchor is None or seen.thing.on is not None:
            return None
        return OrderCase(
            relation, _one(rng, texts, seen.thing.name, anchor.thing.name),
            (Goal(seen.row, relation, anchor.row),), (seen.row, anchor.row))
    return make


_on = _placed('on', _ROUND, ('plate',), (
    'put the {} on the {}', 'place the {} on the {}', 'set the {} down on the {}',
    'please move the {} onto the {}'))
_in = _placed('in', ('ball',), ('bowl',), (
    'put the {} in the {}', 'place the {} into the {}', 'drop the {} in the {}'))
_next_to = _placed('next to', _MOVABLE, ('mug', 'bottle', 'can', 'box', 'bowl', 'plate'), (
    'put the {} next to the {}', 'move the {} beside the {}', 'place the {} next to the {}'))
_left_of = _placed('left of', _MOVABLE, ('mug', 'bottle', 'can', 'box', 'bowl', 'plate'), (
    'put the {} to the left of the {}', 'move the {} left of the {}'))


def _two_steps(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
    one = _on(things, rng)
    if one is None:
        return None
    row, anchor = one.meant
    name, place = (things[k].thing.name for k in (row, anchor))
    text = _one(rng, ('pick up the {0} and put it on the {1}',
                      'take the {0}, then place it on the {1}'), name, place)
    return OrderCase('two steps', text, one.goals, one.meant)


def _ambiguous(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
    shapes = [seen.thing.shape for seen in things]
    carried = {seen.thing.on for seen in things}
    doubled = [seen for seen in things if shapes.count(seen.thing.shape) > 1
               and seen.thing.shape in _MOVABLE and seen.clear and seen.row not in carried
               and all(other.clear for other in things
                       if other.thing.shape == seen.thing.shape)]
    if not doubled:
        return None
    seen = doubled[int(rng.integers(len(doubled)))]
    return OrderCase('ambiguous', _pick_text(seen.thing.shape, rng), (Goal(seen.row, 'held'),),
                     (seen.row,), ambiguous=True)


def _absent_name(things: Sequence[Seen], shapes: Sequence[str], rng: np.random.Generator) -> str:
    present = {seen.thing.name for seen in things}
    names = [f'{colour} {shape}' for shape, colour in PAIRS[WORLD]
             if shape in shapes and f'{colour} {shape}' not in present]
    return names[int(rng.integers(len(names)))]


def _absent_object(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
    name = _absent_name(things, _MOVABLE, rng)
    plate = _unique(things, ('plate',), rng)
    text = _pick_text(name, rng) if plate is None else f'put the {name} on the {plate.thing.name}'
    return OrderCase('absent object', text)


def _absent_place(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
    seen = _unique(things, _ROUND, rng)
    if seen is None:
        return None
    name = _absent_name(things, ('plate', 'bowl'), rng)
    return OrderCase('absent place', f'put the {seen.thing.name} on the {name}')


def _forbidden(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
    one = _pick(things, rng)
    if one is None:
        return None
    other = _unique(things, _MOVABLE, rng, one.meant)
    if other is None:
        return None
    text = _one(rng, ("{}, but don't touch the {}", '{} and leave the {} alone'), one.text,
                other.thing.name)
    return OrderCase('forbidden', text, one.goals, one.meant, forbidden=(other.row,))


def _stop(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
    one = _on(things, rng) or _pick(things, rng)
    if one is None:
        return None
    return OrderCase('stop', one.text, meant=one.meant, stop_at_s=float(rng.uniform(0.2, 9.0)))


def _another_order(things: Sequence[Seen], rng: np.random.Generator) -> OrderCase | None:
    first, second = _ambiguous(things, rng), _pick(things, rng)
    if first is None or second is None:
        return None
    return OrderCase('another order', first.text, second.goals, second.meant, ambiguous=True,
                     answer=f'no, {second.text} instead')


_MAKERS: dict[str, Callable[[Sequence[Seen], np.random.Generator], OrderCase | None]] = {
    'pick': _pick, 'on': _on, 'in': _in, 'next to': _next_to, 'left of': _left_of,
    'two steps': _two_steps, 'ambiguous': _ambiguous, 'absent object': _absent_object,
    'absent place': _absent_place, 'forbidden': _forbidden, 'stop': _stop,
    'another order': _another_order}
