"""Clauses that only together say something: 'in the cabinet | take the red one'."""

from collections.abc import Sequence
from dataclasses import replace

from refdiff_ros.language.instruction.clause import read_clause
from refdiff_ros.language.instruction.clauses import clauses, JOINERS, opens_sentence
from refdiff_ros.language.instruction.details import with_details
from refdiff_ros.language.instruction.openings import Mood, read_opening
from refdiff_ros.language.instruction.ordering import without_denial
from refdiff_ros.language.instruction.results import (
    Action,
    NoObjectReason,
    Reference,
    Role,
    Step,
    THEMES,
)
from refdiff_ros.language.instruction.sentence import Sentence
from refdiff_ros.language.instruction.step import ClauseReading, no_object, theme_of

# What a phrase before a verb ends with when it says how one looks, and not where a thing is.
_VIEWS = ('view', 'perspective', 'position', 'side', 'left', 'right')


def read_clauses(sentence: Sentence) -> list[ClauseReading]:
    """The readings of all clauses, in the order said."""
    readings = without_denial(_on_body(_one_by_one(sentence)))
    return _implied(_without_conditions(_topical(_fronted(_contrasted(readings)))))


def _one_by_one(sentence: Sentence) -> list[ClauseReading]:
    """'do not | <something> | touch it' forbids up to the next mark or 'and'."""
    found, negated = [], False
    spans = clauses(sentence)
    follow = [*(start for start, _ in spans[1:]), len(sentence.tokens)]
    for (start, end), after in zip(spans, follow, strict=True):
        first = sentence.tokens[start]
        reading = replace(
            read_clause(sentence, (start, end)), joined=first.lower in JOINERS,
            opens_sentence=opens_sentence(sentence, start))
        reading = with_details(sentence, reading, (start, after))
        if negated and not (reading.joined or first.comma):
            reading = reading.forbidding()
        opening = read_opening(sentence.lower, start, end)
        negated = opening.negated and opening.mood is Mood.COMMAND and not reading.forbidden
        found.append(reading)
    return found


def _on_body(readings: Sequence[ClauseReading]) -> list[ClauseReading]:
    """'raise your hand | and put it on the table' is about the robot's hand in both."""
    found: list[ClauseReading] = []
    for reading in readings:
        body = bool(found) and found[-1].reason is NoObjectReason.OWN_BODY
        if body and reading.steps and all(
                one.said.lower() == 'it' for step in reading.steps for one in step.references
                if one.role in THEMES):
            reading = no_object(NoObjectReason.OWN_BODY)
        found.append(reading)
    return found


def _contrasted(readings: Sequence[ClauseReading]) -> list[ClauseReading]:
    """'don't take the red one | but the blue one': the blue one is to be taken."""
    found: list[ClauseReading] = []
    for reading in readings:
        named = reading.joined and [step.action for step in reading.steps] == [Action.REFER]
        frames = [one.frame for one in found if one.frame is not None and one.frame.verb]
        denied = found[-1].denied if found else ()
        if named and denied and denied[0].of(Role.PLACE) and _bare_phrase(reading):
            found[-1], reading = replace(found[-1], forbidden=(), denied=()), _placed(
                reading, denied[0])
        elif named and frames and found[-1].forbidden and not found[-1].steps:
            step, frame = reading.steps[0], frames[-1]
            references = tuple(
                replace(one, role=theme_of(frame.action)) if one.role is Role.OBJECT else one
                for one in step.references)
            reading = replace(reading, steps=(replace(
                step, action=frame.action, verb=frame.verb, references=references),))
        found.append(reading)
    return found


def _placed(reading: ClauseReading, denied: Step) -> ClauseReading:
    """'don't put it on the tray | but in the box': the same thing, to the other place."""
    others = tuple(one for one in denied.references if one.role is not Role.PLACE)
    step = replace(denied, references=(*others, *_bare_phrase(reading)), alternatives=())
    return replace(reading, steps=(step,))


def _fronted(readings: Sequence[ClauseReading]) -> list[ClauseReading]:
    """'in the cabinet | grasp the blue block': the phrase goes with the command after it."""
    found: list[ClauseReading] = []
    for reading in readings:
        phrase = _bare_phrase(found[-1]) if found else ()
        if phrase and reading.steps and any(_says_view(one) for one in phrase):
            found[-1] = reading
        elif phrase and reading.steps and not reading.joined:
            first = reading.steps[0]
            role = Role.PLACE if first.missing else Role.SOURCE
            references = (*first.references, *(replace(one, role=role) for one in phrase))
            found[-1] = replace(reading, steps=(
                replace(first, references=references, missing=()), *reading.steps[1:]))
        else:
            found.append(reading)
    return found


def _implied(readings: Sequence[ClauseReading]) -> list[ClauseReading]:
    """'pick up the mug | and place on the tray': the mug, without 'it'."""
    found: list[ClauseReading] = []
    for reading in readings:
        step = reading.incomplete
        before = any(one.role in THEMES for other in found for last in other.steps
                     for one in last.references)
        if step is not None and before and reading.reason is NoObjectReason.MISSING:
            at = step.references[0].span[0]
            it = Reference(theme_of(step.action), '', '', (at, at), pronoun=True)
            reading = ClauseReading(
                (replace(step, references=(it, *step.references)),), frame=reading.frame)
        found.append(reading)
    return found


def _topical(readings: Sequence[ClauseReading]) -> list[ClauseReading]:
    """'the green cube, | put it on the red one': the cube is what is put."""
    found: list[ClauseReading] = []
    for reading in readings:
        topic = _topic(found[-1]) if found and not (
            reading.joined or reading.opens_sentence) else None
        step = reading.steps[0] if reading.steps else reading.incomplete
        if topic is None or step is None or step.action is Action.REFER:
            found.append(reading)
            continue
        themes = [one for one in step.references if one.role in THEMES]
        if themes and themes[0].said.lower() not in ('it', 'them', 'that', 'this', 'these'):
            found.append(reading)
            continue
        others = tuple(one for one in step.references if one not in themes[:1])
        step = replace(step, references=(replace(topic, role=theme_of(step.action)), *others))
        found[-1] = replace(reading, steps=(step, *reading.steps[1:]), reason=None,
                            note='; '.join(filter(None, (found[-1].note, reading.note))))
    return found


def _without_conditions(readings: Sequence[ClauseReading]) -> list[ClauseReading]:
    """What only a condition is about is no step: 'when the can is there, | take the mug'."""
    orders = any(step.action is not Action.REFER for reading in readings for step in reading.steps)
    return [replace(reading, steps=()) if orders and reading.note.startswith('a condition')
            and all(step.action is Action.REFER for step in reading.steps) else reading
            for reading in readings]


def _topic(reading: ClauseReading) -> Reference | None:
    """The one object that a clause only names; None for other clauses."""
    if [step.action for step in reading.steps] != [Action.REFER]:
        return None
    themes = [one for one in reading.steps[0].references if one.role in THEMES]
    return themes[0] if len(themes) == 1 and not themes[0].pronoun else None


def _bare_phrase(reading: ClauseReading) -> tuple[Reference, ...]:
    """The references of a clause that names no object but where one is."""
    if [step.action for step in reading.steps] != [Action.REFER]:
        return ()
    references = reading.steps[0].references
    return () if any(one.role in THEMES for one in references) else references


def _says_view(reference: Reference) -> bool:
    return reference.relation == 'to' or reference.expression.lower().endswith(_VIEWS)
