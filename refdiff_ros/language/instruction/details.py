"""What a clause says besides its objects: for whom, how far, and how many."""

from collections.abc import Callable, Sequence
from dataclasses import replace
import math

from refdiff_ros.language.instruction.amounts import Amount
from refdiff_ros.language.instruction.openings import Mood, read_opening
from refdiff_ros.language.instruction.results import Quantity, Reference, Step
from refdiff_ros.language.instruction.sentence import Sentence, Span
from refdiff_ros.language.instruction.step import ClauseReading, for_person
from refdiff_ros.language.words import split_words

_PERSONS = frozenset('me us him her them'.split())
_SPEAKERS = {'i': 'me', 'me': 'me', 'my': 'me', 'we': 'us', 'us': 'us', 'our': 'us'}
# Plurals that name one thing, and words that end like a plural.
_NO_PLURALS = frozenset(
    'scissors pliers tongs tweezers glasses goggles trousers jeans pants shorts headphones stairs '
    'lens bus gas glass vase clothes binoculars compass cactus is this its clippers '
    'keys grapes'.split())
_PLURALS = frozenset(
    'knives shelves loaves leaves mice people men women children feet teeth dice ones these those '
    'everything everybody halves scarves'.split())
_ALL = frozenset('all every each everything'.split())
_ONE = frozenset('a an one this that another either any whichever whatever something'.split())
_NUMBERS = frozenset('three four five six seven eight nine ten several'.split())


def with_details(sentence: Sentence, reading: ClauseReading, span: Span) -> ClauseReading:
    """The reading with persons and amounts.

    Args:
        sentence: the whole sentence.
        reading: of the clause.
        span: the clause's rows, with the polite words at its end.
    """
    person = _person(sentence, reading, span)
    if person:
        reading = for_person(reading, person)
    return _with_amounts(sentence, reading, span)


def _person(sentence: Sentence, reading: ClauseReading, span: Span) -> str:
    """For whom a clause is done: 'for me', or who wants it ('I need ...'); '' where not said."""
    lower = sentence.lower
    named = [reference.span for step in reading.steps for reference in step.references]
    for row in range(span[0], span[1] - 1):
        at = sentence.tokens[row].word.start
        if lower[row] == 'for' and lower[row + 1] in _PERSONS and not any(
                first < at < last for first, last in named):
            return lower[row + 1]
    opening = read_opening(lower, *span)
    if opening.mood is not Mood.WANT:
        return ''
    return next((_SPEAKERS[word] for word in lower[span[0]:opening.end] if word in _SPEAKERS), '')


def _with_amounts(sentence: Sentence, reading: ClauseReading, span: Span) -> ClauseReading:
    start, _ = sentence.characters(span)
    limit = sentence.tokens[span[1]].word.start if span[1] < len(sentence.tokens) else None
    for amount in sentence.heard.amounts:
        if amount.start >= start and (limit is None or amount.start < limit):
            reading = _with_amount(sentence, reading, amount)
    return reading


def _with_amount(sentence: Sentence, reading: ClauseReading, amount: Amount) -> ClauseReading:
    """The amount on the step that it stands in; one inside a description is only noted."""
    inside = any(one.span[0] < amount.start < one.span[1]
                 for step in reading.steps for one in step.references)
    said = sentence.heard.text[amount.start:amount.end]
    if inside or not reading.steps:
        note = f'how far was not read: {said!r}'
        return replace(reading, note='; '.join(filter(None, (reading.note, note))))
    begun = [row for row, step in enumerate(reading.steps)
             if step.references and step.references[0].span[0] < amount.start]
    at = begun[-1] if begun else 0
    steps = list(reading.steps)
    steps[at] = _measured(steps[at], amount)
    return replace(reading, steps=tuple(steps))


def _measured(step: Step, amount: Amount) -> Step:
    if math.isnan(amount.angle_rad):
        return replace(step, distance_m=amount.distance_m)
    return replace(step, angle_rad=amount.angle_rad)


def with_quantity(
    reference: Reference, text: str, head_noun: Callable[[str], str],
) -> Reference:
    """The reference with how many objects it means.

    Args:
        reference: with what its pronoun stands for.
        text: the instruction.
        head_noun: gives the noun of an expression, '' where it has none.
    """
    words = [word.lower for word in split_words(reference.said)]
    before = [word.lower for word in split_words(text[:reference.span[0]])][-2:]
    if 'both' in before[-1:] or before == ['both', 'of']:
        words = ['both', *words]
    return replace(reference, quantity=_quantity(reference, words, head_noun))


def _quantity(
    reference: Reference, words: Sequence[str], head_noun: Callable[[str], str],
) -> Quantity:
    content = [word for word in words if word not in ('the', 'these', 'those', 'my', 'your')]
    if not content:
        return Quantity.ALL if words[:1] in (['these'], ['those']) else Quantity.ONE
    if 'both' in words[:2] or 'both' in words[-1:] or content[0] == 'two':
        return Quantity.BOTH
    if content[0] in _ALL or content[0] in _NUMBERS:
        return Quantity.ALL
    if content[0] in _ONE or 'of' in words[:4] and head_noun(reference.expression) not in content[
            :content.index('of') if 'of' in content else 0]:
        return Quantity.ONE
    if reference.pronoun:
        several = words[0] in ('them', 'they', 'these', 'those') and reference.antecedent is None
        return Quantity.ALL if several else Quantity.ONE
    return Quantity.ALL if _is_plural(head_noun(reference.expression).lower()) else Quantity.ONE


def _is_plural(noun: str) -> bool:
    if noun in _NO_PLURALS:
        return False
    return noun in _PLURALS or len(noun) > 3 and noun.endswith('s') and not noun.endswith(
        ('ss', 'us', 'is'))


def step_with_quantities(
    step: Step, text: str, head_noun: Callable[[str], str],
) -> Step:
    """The step, each reference with how many it means."""
    def counted(references: Sequence[Reference]) -> tuple[Reference, ...]:
        return tuple(with_quantity(one, text, head_noun) for one in references)
    return replace(step, references=counted(step.references),
                   alternatives=tuple(counted(one) for one in step.alternatives))
