"""From the steps of an instruction to what the robot does, or the sentence why it cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import enum
import math
import re

from refdiff_ros.errors import RefDiffError
from refdiff_ros.language.instruction.results import (
    Action,
    Instruction,
    Quantity,
    Reference,
    Role,
    Step,
)
from refdiff_ros.pick.place import BESIDE

# 'see if you can find' asks politely, and is no condition.
_CONDITION = re.compile(r'(?<!see )\b(if|unless)\b(?! you (can|could|see|find|please))', re.I)
_TABLES = frozenset(('table', 'desk', 'counter', 'tabletop', 'worktop', 'surface'))
_BACK = ('back', 'where it was', 'where it came from', 'back again')
_DOWN = ('down', 'here', 'there', 'aside', 'away', 'somewhere', 'somewhere else', 'on', '')
_WAYS = {'to the left': (-1.0, 0.0), 'left': (-1.0, 0.0), 'to the right': (1.0, 0.0),
         'right': (1.0, 0.0), 'forward': (0.0, 1.0), 'forwards': (0.0, 1.0),
         'away from me': (0.0, 1.0), 'to the back': (0.0, 1.0), 'backward': (0.0, -1.0),
         'backwards': (0.0, -1.0), 'towards me': (0.0, -1.0), 'closer': (0.0, -1.0),
         'to the front': (0.0, -1.0)}


class NotReadError(RefDiffError):
    """The text has no step that can be followed; the message is for the person who said it."""


class CannotError(RefDiffError):
    """A step asks for what this robot cannot do; the message says what it can."""


class Kind(enum.Enum):
    """What a task does."""

    PICK = 'pick up'
    PLACE = 'put'
    HAND = 'hand over'
    POINT = 'point at'


class Where(enum.Enum):
    """Where something goes that no object tells."""

    ANCHOR = 'anchor'
    TABLE = 'table'
    BACK = 'back'
    WAY = 'way'


@dataclass(frozen=True)
class Task:
    """One thing to do with one object.

    Attributes:
        kind: what.
        step: row of the instruction's step.
        theme: row of the object in `Instruction.references`; -1 for one that is not named.
        anchors: rows of the things that the place goes by.
        relation: of the place.
        where: what tells the place.
        way: of a WAY: to the right and away, as the camera sees it.
        distance_m: how far along the way, or from the anchor's edge; NaN where it is not said.
        sentence: what it does, for a person.
    """

    kind: Kind
    step: int
    theme: int
    anchors: tuple[int, ...] = ()
    relation: str = ''
    where: Where = Where.ANCHOR
    way: tuple[float, float] = (0.0, 0.0)
    distance_m: float = float('nan')
    sentence: str = ''


def tasks_of(instruction: Instruction) -> tuple[Task, ...]:
    """The tasks of an instruction, in order.

    Raises:
        NotReadError: it has no step, or a condition that was not read.
        CannotError: a step is none that this robot can do.
    """
    if instruction.no_object is not None:
        raise NotReadError(instruction.no_object.sentence)
    condition = next((note for note in instruction.notes if 'condition' in note), '')
    if not condition and _CONDITION.search(instruction.text):
        condition = f'a condition was not read: {instruction.text!r}'
    if condition:
        raise NotReadError(f'{condition}: say what to do without a condition')
    tasks: list[Task] = []
    row = 0
    for number, step in enumerate(instruction.steps):
        rows = range(row, row + len(step.references))
        tasks += _of_step(instruction, number, step, rows)
        row += len(step.references)
    return tuple(tasks)


def _of_step(instruction: Instruction, number: int, step: Step, rows: range) -> Iterator[Task]:
    by_role: dict[Role, list[int]] = {}
    for row, reference in zip(rows, step.references, strict=True):
        by_role.setdefault(reference.role, []).append(row)
    if step.action is Action.REFER:
        name = step.references[0].said or step.references[0].expression
        raise NotReadError(f'what to do with {name} is not said: for example '
                           f"'pick up {name}'")
    if step.action not in (Action.PICK, Action.PLACE, Action.HAND, Action.POINT):
        raise CannotError(f"'{step.verb or step.action.value}' is nothing that this robot can do: "
                          'it picks up, puts somewhere, hands over and points')
    themes = by_role.get(Role.PICK) or by_role.get(Role.POINT) or by_role.get(
        Role.OBJECT) or [-1]
    names = [_name(instruction, row) for row in themes]
    _check_amounts(instruction, step, themes, names)
    if Role.PLACE in step.missing:
        raise NotReadError(f'where to put {names[0]} is not said')
    if step.action is Action.PICK and len(themes) > 1:
        raise CannotError(f'the hand holds one thing at a time, and {len(themes)} are to be '
                          'picked up: say where the first one goes')
    for theme, name in zip(themes, names, strict=True):
        yield _task(instruction, number, step, theme, name, by_role)


def _check_amounts(instruction: Instruction, step: Step, themes: Sequence[int],
                   names: Sequence[str]) -> None:
    """Refuse how many and how far where the robot cannot do so."""
    for row in themes:
        if row >= 0 and instruction.references[row].quantity is not Quantity.ONE:
            raise CannotError(f'{_name(instruction, row)!r} is more than one thing: name one '
                              'after the other')
    if not math.isnan(step.angle_rad):
        raise CannotError(f'{names[0]} cannot be turned by this robot: say where it goes')
    if not math.isnan(step.distance_m) and step.action is not Action.PLACE:
        raise CannotError("how far is only taken for a place, such as '5 cm left of the plate': "
                          f'say {step.verb or step.action.value} without it')


def _task(instruction: Instruction, number: int, step: Step, theme: int, name: str,
          by_role: dict[Role, list[int]]) -> Task:
    if step.action is Action.PICK:
        return Task(Kind.PICK, number, theme, sentence=f'pick up {name}')
    if step.action is Action.POINT:
        return Task(Kind.POINT, number, theme, sentence=f'point at {name}')
    if step.action is Action.HAND:
        return Task(Kind.HAND, number, theme, sentence=f'hand over {name}')
    return _placing(instruction, number, step, theme, name, by_role)


def _placing(instruction: Instruction, number: int, step: Step, theme: int, name: str,
             by_role: dict[Role, list[int]]) -> Task:
    distance = step.distance_m
    anchors = by_role.get(Role.PLACE, [])
    if anchors:
        relation = instruction.references[anchors[0]].relation
        names = ' and '.join(_name(instruction, row) for row in anchors)
        if _is_table(instruction.references[anchors[0]]) and relation in ('on', 'onto', 'to'):
            return Task(Kind.PLACE, number, theme, where=Where.TABLE,
                        sentence=f'put {name} on the table')
        far = ''
        if not math.isnan(distance):
            if relation not in BESIDE:
                raise CannotError(f"how far is taken for a place beside something, not "
                                  f"'{relation}' it")
            far = f'{100 * distance:g} cm '
        return Task(Kind.PLACE, number, theme, tuple(anchors), relation, distance_m=distance,
                    sentence=f'put {name} {far}{relation} {names}')
    where = step.where.lower().strip()
    if where in _BACK or (step.verb in ('return',) and not where):
        return Task(Kind.PLACE, number, theme, where=Where.BACK, sentence=f'put {name} back')
    if where in _WAYS:
        return Task(Kind.PLACE, number, theme, where=Where.WAY, way=_WAYS[where],
                    distance_m=distance, sentence=f'move {name} {where}')
    if where in _DOWN:
        return Task(Kind.PLACE, number, theme, where=Where.TABLE,
                    sentence=f'put {name} down')
    raise CannotError(f"'{where}' is no place that this robot knows: name a thing that it goes "
                      'on, in or beside')


def _is_table(reference: Reference) -> bool:
    return reference.expression.lower().removeprefix('the ') in _TABLES


def _name(instruction: Instruction, row: int) -> str:
    if row < 0:
        return 'it'
    reference = instruction.references[row]
    return reference.expression or reference.said or 'it'
