"""The door before grounding: a text passes as one referring expression, or says why it does not.

A text that asks for more than one object, names a place to go to, forbids, asks a question or says
'stop' would be cut down to its first noun. It is refused with a sentence instead, and the error
carries what was read, so that a caller can offer to follow the whole instruction.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import lru_cache
import math
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.expression import parse
from refdiff_ros.language.instruction.reader import read_instruction
from refdiff_ros.language.instruction.results import (
    Action,
    DialogueAct,
    Instruction,
    Quantity,
    Reference,
    Role,
    Step,
    THEMES,
)
from refdiff_ros.language.instruction.speech import listen
from refdiff_ros.results import ReferringExpression

# What lifts an object, or only names one.
PICKS = frozenset((Action.PICK, Action.REFER))
_ELSEWHERE = ': name one object, or give the whole text to what follows instructions'
_SECOND = {Role.RECIPIENT: 'who gets it', Role.TOOL: 'what to do it with'}


class NotOneExpressionError(BadRequestError):
    """A text does not ask for one object alone.

    Attributes:
        instruction: the text as it was read.
    """

    def __init__(self, message: str, instruction: Instruction):
        super().__init__(message)
        self.instruction = instruction


@dataclass(frozen=True)
class OneExpression:
    """A text that asks for one object.

    Attributes:
        text: what to ground: the text as it was meant, and of an order the words of its object.
        notes: what was guessed or not read of it, in sentences.
    """

    text: str
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=256)
def one_expression(text: str, actions: Collection[Action] = tuple(Action)) -> OneExpression:
    """The one referring expression that a text is.

    The rules read it without a parser: they are as often right, and many times as fast.

    Args:
        text: what a person said, 1 to 1,000 characters.
        actions: what the caller does with an object (`PICKS`); of other orders it would do a part.

    Raises:
        NotOneExpressionError: it names several objects or none, a place for it, what is to be
            left alone, a condition, how far, or another action; or it is a question or a stop
            word.
        BadRequestError: the text is empty, too long, or has no word in it.
    """
    found = read_instruction(text)
    refusal = _why_not(found, actions)
    if refusal:
        raise NotOneExpressionError(refusal, found)
    step = found.steps[0]
    if step.action is Action.REFER:
        meant = listen(found.text)
        return OneExpression(meant.phrase(meant.words) if found.notes else found.text, found.notes)
    theme = next(one for one in step.references if one.role in THEMES)
    return OneExpression(theme.expression, found.notes)


def is_order(text: str) -> bool:
    """Whether a text that does not pass is an order, which can be followed as a whole."""
    try:
        one_expression(text)
    except NotOneExpressionError as error:
        return bool(error.instruction.steps) and error.instruction.act is DialogueAct.ORDER
    except BadRequestError:
        pass
    return False


def parse_one(
    text: str, nlp: Callable[[str], Any] | None, root: str,
) -> ReferringExpression:
    """`expression.parse` of a text that passes the door.

    Raises:
        NotOneExpressionError, BadRequestError: as in `one_expression`.
    """
    one = one_expression(text)
    parsed = parse(one.text, nlp, root)
    return replace(parsed, notes=parsed.notes + one.notes)


def _why_not(found: Instruction, actions: Collection[Action]) -> str:
    """Why an instruction is no single expression, in a sentence; '' where it is one."""
    said = repr(found.text)
    if found.no_object is not None:
        return found.no_object.sentence
    if found.act is DialogueAct.STOP:
        return f'{said} begins with a stop word, and is no expression{_ELSEWHERE}'
    if found.forbidden:
        names = ' and '.join(repr(one.said) for one in found.forbidden)
        return f'{said} says what is to be left alone as well ({names}){_ELSEWHERE}'
    if any(note.startswith('a condition') for note in found.notes):
        return f'{said} has a condition, which is not read{_ELSEWHERE}'
    if len(found.steps) > 1:
        return f'{said} asks for {len(found.steps)} things, one after the other{_ELSEWHERE}'
    return _why_not_step(said, found.steps[0], actions)


def _why_not_step(said: str, step: Step, actions: Collection[Action]) -> str:
    placed = _place_of(step)
    if placed:
        return f'{said} says where something goes ({placed}){_ELSEWHERE}'
    second = next((one for one in step.references if one.role in _SECOND), None)
    if second is not None:
        return f'{said} says {_SECOND[second.role]} as well ({second.said!r}){_ELSEWHERE}'
    themes = [one for one in step.references if one.role in THEMES]
    several = _several(step, themes)
    if several:
        return f'{said} names more than one object ({several}){_ELSEWHERE}'
    if not math.isnan(step.distance_m) or not math.isnan(step.angle_rad):
        return f'{said} says how far something goes{_ELSEWHERE}'
    if themes[0].needs_last_answer:
        return (f'{themes[0].said!r} in {said} stands for an object that was named before: '
                'name it')
    if step.action not in actions:
        wanted = ' or '.join(sorted(action.value for action in actions))
        return (f'{said} asks to {step.verb or step.action.value}, and this does only '
                f'{wanted}{_ELSEWHERE}')
    return ''


def _place_of(step: Step) -> str:
    """The words that say where something goes; '' where none do."""
    places = [f'{one.relation} {one.said}' for one in step.of(Role.PLACE)]
    if step.action is Action.GO or places:
        return ', '.join(places) or step.verb
    moved = step.action in (Action.PLACE, Action.OTHER) and step.where
    return step.where if moved else 'a place is missing' if step.missing else ''


def _several(step: Step, themes: list[Reference]) -> str:
    """The words that name more than one object, or all of a kind; '' for one object.

    A plural that is only named ('bananas on the left') may be one region.
    """
    if len(themes) != 1:
        return ', '.join(repr(one.said) for one in themes) or 'none by a name'
    named = step.action is Action.REFER and themes[0].quantity is Quantity.ALL and (
        themes[0].said.lower().split()[0] not in ('all', 'every', 'each', 'everything'))
    return '' if themes[0].quantity is Quantity.ONE or named else repr(themes[0].said)
