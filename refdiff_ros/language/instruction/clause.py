"""One clause: what it asks for, what it forbids, or why it names no object."""

from dataclasses import replace

from refdiff_ros.language.instruction.arguments import read_arguments
from refdiff_ros.language.instruction.clauses import CONDITIONS, is_time
from refdiff_ros.language.instruction.command import read_command
from refdiff_ros.language.instruction.naming import read_name
from refdiff_ros.language.instruction.openings import is_question, Mood, Opening, read_opening
from refdiff_ros.language.instruction.ordering import connective_at
from refdiff_ros.language.instruction.results import Action, NoObjectReason, THEMES
from refdiff_ros.language.instruction.sentence import Sentence, Span
from refdiff_ros.language.instruction.statements import read_passive_question, read_statement
from refdiff_ros.language.instruction.step import as_reading, ClauseReading, NAMED, no_object
from refdiff_ros.language.instruction.verbs import verb_at
from refdiff_ros.language.words import DETERMINERS

_ORDER = frozenset('first next finally lastly robot afterwards second'.split())
_NOT = frozenset(('not', 'never'))
_WEIGHTS = frozenset('kg g grams gram kilos kilo kilograms pounds lbs ounces oz tons'.split())
_NOTHING = frozenset('nothing none neither nor nobody'.split())


def read_clause(sentence: Sentence, span: Span) -> ClauseReading:
    """Read the rows of one clause.

    A 'not' that no rule has read makes all that the clause names forbidden.
    """
    reading = _read(sentence, span)
    opened = read_opening(sentence.lower, *span).end
    named = [reference.span for step in reading.steps for reference in step.references]
    words = sentence.tokens[opened:span[1]]
    unread = any(
        token.lower in _NOTHING or token.lower in _NOT and not any(
            first <= token.word.start < last for first, last in named)
        for token in words)
    if reading.denied and not any(
            one.role in THEMES for step in reading.denied for one in step.references) and all(
                step.action is Action.REFER for step in reading.denied):
        return replace(  # 'not in front of it' forbids a place, and nothing that lies there
            no_object(), note=f'a place was not read: {sentence.said(span)!r}')
    if not reading.steps or not unread:
        return reading
    if all(step.action is Action.REFER for step in reading.steps):  # 'the mug is not there'
        return no_object()
    return reading.forbidding()


def _read(sentence: Sentence, span: Span) -> ClauseReading:
    start, end = span
    ordered = connective_at(sentence.lower, start, end)
    if ordered is not None and ordered.inflected:
        verb = verb_at(sentence, ordered.end, end, gerund=True)
        if verb is not None:
            done = read_command(sentence, ordered.end, verb, False, end)
            return replace(done, order=ordered.order)
    if _is_condition(sentence, start, end):
        return _condition(sentence, start, end)
    if ordered is not None:
        return replace(_read(sentence, (ordered.end, end)), order=ordered.order)
    opening = read_opening(sentence.lower, start, end)
    if opening.mood is Mood.COMMAND and not opening.gerund:
        opening = _before_order(sentence, opening, end)
    row = opening.end
    if opening.mood is Mood.QUESTION:
        return no_object(NoObjectReason.QUESTION)
    denied = opening.mood is Mood.NAME and not opening.negated and (
        sentence.lower[row:row + 1] in (('not',), ('no',)))  # 'that is not it', 'there is no mug'
    if row >= end or denied:
        return no_object()
    if opening.mood is Mood.COMMAND:
        reading = _sentence(sentence, opening, end)
        if reading is not None:
            return reading
    return read_name(sentence, opening, end)


def _sentence(sentence: Sentence, opening: Opening, end: int) -> ClauseReading | None:
    """A command, a statement or a question; None for a noun phrase."""
    row, negated = opening.end, opening.negated
    verb = verb_at(sentence, row, end, opening.gerund)
    if verb is not None and not negated and _asks_weight(sentence, verb.end, end):
        return no_object(NoObjectReason.QUESTION)
    if verb is not None:
        return read_command(sentence, row, verb, negated, end)
    passive = read_passive_question(sentence, row, end, negated)
    if passive is not None:
        return passive
    if not negated and is_question(sentence.lower, row, end):
        return no_object(NoObjectReason.QUESTION)
    return read_statement(sentence, row, end, negated)


def _asks_weight(sentence: Sentence, row: int, end: int) -> bool:
    """Whether a verb's object is only a weight: 'can you lift 5 kg'."""
    return end == row + 2 and sentence.lower[row][0].isdigit() and (
        sentence.lower[row + 1] in _WEIGHTS)


def _is_condition(sentence: Sentence, start: int, end: int) -> bool:
    lower = sentence.lower
    row = start + (lower[start] in ('only', 'but', 'and'))
    polite = lower[row + 1:row + 3] in (('you', 'see'), ('you', 'find'), ('you', 'can'))
    purpose = lower[row:row + 2] in (('so', 'that'), ('so', 'it'), ('so', 'its'))
    return row < end and (
        lower[row] in CONDITIONS and not polite or purpose or is_time(lower[:end], row))


def _condition(sentence: Sentence, start: int, end: int) -> ClauseReading:
    """A condition is not read; what it is about may be 'it' in what comes after."""
    note = f'a condition was not read: {sentence.said((start, end))!r}'
    lower = sentence.lower
    subject = next((at for at in range(start, end) if lower[at] in DETERMINERS), None)
    verb = next((at for at in range(start, end) if lower[at] in ('is', 'are')), None)
    if start or subject is None or verb is None or subject > verb:
        return replace(no_object(), note=note)
    found = read_arguments(sentence, subject, verb, NAMED)
    return replace(as_reading(sentence, found, NAMED, negated=False), note=note)


def _before_order(sentence: Sentence, opening: Opening, end: int) -> Opening:
    """Past 'first', 'next' or 'robot' where a verb follows them."""
    lower, row = sentence.lower, opening.end
    while row + 1 < end and lower[row] in _ORDER and (
            sentence.tokens[row + 1].comma or lower[row + 1] in ('please', 'then')
            or lower[row + 1:row + 3] in (('can', 'you'), ('could', 'you'))
            or verb_at(sentence, row + 1, end) is not None):
        further = read_opening(lower, row + 1, end)
        opening = replace(further, negated=opening.negated or further.negated,
                          said=opening.said or further.said)
        row = opening.end
    return opening
