"""What 'it', 'them', 'the blue one' and 'the red and ...' stand for in the same instruction."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
import re

from refdiff_ros.language.instruction.results import Reference, Role, Step, THEMES
from refdiff_ros.language.words import (
    COLOURS,
    DETERMINERS,
    ORDINALS,
    PREPOSITIONS,
    SIZES,
    split_words,
)

# '' is said in 'pick up the mug and place on the tray'.
_RESOLVED = frozenset(
    ('', 'it', 'them', 'they', 'both of them', 'all of them', 'them all', 'them both'))
_INNER = re.compile(r'\b(it|them)\b', re.IGNORECASE)
_ONE = re.compile(r'\bone\b', re.IGNORECASE)
# Words that tell two of a kind apart, by what they tell.
_CONTRASTS = (COLOURS, SIZES | frozenset('thick thin tall short'.split()), ORDINALS)

_FOR_CONTAINERS = frozenset('open close lock'.split())

HeadNoun = Callable[[str], str]


@dataclass(frozen=True)
class _Named:
    """A reference that came before: its row among all, its step, and itself."""

    row: int
    step: int
    reference: Reference
    verb: str = ''


def resolve(
    steps: Sequence[Step], forbidden: Sequence[Reference], head_noun: HeadNoun,
) -> tuple[tuple[Step, ...], tuple[Reference, ...]]:
    """The steps, and what is forbidden, with what their words stand for written out.

    Args:
        steps: in the order said.
        forbidden: what must be left alone.
        head_noun: gives the noun of an expression, '' where it has none.
    """
    named: list[_Named] = []
    resolved = []
    for at, step in enumerate(steps):
        references = _completed(step.references, head_noun)
        found = []
        for reference in references:
            themes = {one.expression for one in found if one.role in THEMES}
            new = [_with_noun(one, [*(n.reference for n in named), *forbidden], head_noun)
                   for one in _resolved(reference, named, at, step.verb, themes)]
            for one in new:
                named.append(_Named(len(named), at, one, step.verb))
            found += new
        alternatives = tuple(
            tuple(one for reference in _completed(split, head_noun)
                  for one in _resolved(reference, named, at, step.verb))
            for split in step.alternatives)
        resolved.append(replace(step, references=tuple(found), alternatives=alternatives))
    left_alone = tuple(one for reference in forbidden
                       for one in _resolved(reference, named, len(steps)))
    return tuple(resolved), left_alone


def reordered(steps: Sequence[Step], order: Sequence[int]) -> tuple[Step, ...]:
    """Resolved steps in another order, the rows of their antecedents likewise.

    Args:
        steps: of `resolve`.
        order: the row of each step in the new order.
    """
    starts, total = [], 0
    for step in steps:
        starts.append(total)
        total += len(step.references)
    places: dict[int, int] = {}
    for at in order:
        for row in range(len(steps[at].references)):
            places[starts[at] + row] = len(places)

    def moved(references: Sequence[Reference]) -> tuple[Reference, ...]:
        return tuple(one if one.antecedent is None else replace(
            one, antecedent=places[one.antecedent]) for one in references)
    return tuple(replace(
        steps[at], references=moved(steps[at].references),
        alternatives=tuple(moved(one) for one in steps[at].alternatives)) for at in order)


def _resolved(
    reference: Reference, named: Sequence[_Named], step: int, verb: str = '',
    themes: Collection[str] = (),
) -> list[Reference]:
    """The reference with its antecedent; one for each object that 'them' stands for.

    Nothing goes into or beside itself: a place is none of the step's own `themes`.
    """
    if not reference.pronoun:
        return [reference]
    said = reference.said.lower()
    inner = _INNER.search(reference.expression)
    if said not in _RESOLVED and inner is None:
        return [reference]
    plural = (said if inner is None else inner.group().lower()) != 'it'
    before = [one for one in named if one.step < step or inner is not None]
    if inner is None and reference.role in (Role.PLACE, Role.SOURCE):
        before = [one for one in before if one.reference.expression not in themes]
    antecedents = _antecedents(before, plural, verb)
    if not antecedents:
        return [reference]
    if inner is None:
        return [replace(reference, expression=one.reference.expression, antecedent=one.row)
                for one in antecedents]
    names = ' and '.join(one.reference.expression for one in antecedents)
    if not names:
        return [reference]
    return [replace(reference, antecedent=antecedents[0].row,
                    expression=_INNER.sub(lambda _: names, reference.expression, count=1))]


def _antecedents(before: Sequence[_Named], plural: bool, verb: str) -> list[_Named]:
    """The objects of the last step that had some; without one, the last place.

    What is closed after something was put into it is the place.
    """
    if verb in _FOR_CONTAINERS and before and before[-1].reference.relation == 'in':
        return [before[-1]]
    opened = [one for one in before if one.verb in _FOR_CONTAINERS and not plural]
    if verb in _FOR_CONTAINERS and opened:  # 'open the drawer, put it inside and close it'
        return opened[-1:]
    themes = [one for one in before if one.reference.role in THEMES]
    if not themes:
        return [one for one in before
                if one.reference.role in (Role.PLACE, Role.SOURCE)][-1:]
    last = [one for one in themes if one.step == themes[-1].step]
    return last if plural else last[-1:]


def _completed(references: tuple[Reference, ...], head_noun: HeadNoun) -> list[Reference]:
    """'the red | and the blue cube': the first is a cube as well."""
    found = list(references)
    for row in range(len(found) - 2, -1, -1):
        one, following = found[row], found[row + 1]
        if one.role is following.role and _only_tells_apart(one.expression):
            noun = head_noun(following.expression)
            if noun and not _only_tells_apart(following.expression):
                found[row] = replace(one, expression=f'{one.expression} {noun}')
                # 'the first and second can'
                if split_words(following.expression)[0].lower in ORDINALS:
                    found[row + 1] = replace(following, expression=f'the {following.expression}')
    return found


def _only_tells_apart(expression: str) -> bool:
    words = [word.lower for word in split_words(expression)]
    told = [word for word in words if word not in DETERMINERS]
    return bool(told) and all(any(word in kind for kind in _CONTRASTS) for word in told)


def _told_by(expression: str, noun: str, kind: frozenset[str]) -> bool:
    """Whether a word of `kind` describes the noun itself: 'the red block'."""
    words = [word.text for word in split_words(expression)]
    at = words.index(noun) if noun in words else 0
    described = next((row + 1 for row in range(at - 1, -1, -1)
                      if words[row].lower() in PREPOSITIONS), 0)
    return any(word.lower() in kind for word in words[described:at])


def _with_noun(
    reference: Reference, before: Sequence[Reference], head_noun: HeadNoun,
) -> Reference:
    """'the blue one' after 'the red block' is 'the blue block': both say a colour."""
    if _ONE.search(reference.expression) is None or reference.pronoun:
        return reference
    words = [word.lower for word in split_words(reference.expression)]
    at = words.index('one') if 'one' in words else 0
    kinds = [kind for kind in _CONTRASTS if any(word in kind for word in words[:at])]
    for other in reversed(before):
        if not other.expression or _ONE.search(other.expression):
            continue
        noun = head_noun(other.expression)
        if noun and not noun.lower().endswith('s') and any(
                _told_by(other.expression, noun, kind) for kind in kinds):
            return replace(reference, expression=_ONE.sub(noun, reference.expression, count=1))
    return reference
