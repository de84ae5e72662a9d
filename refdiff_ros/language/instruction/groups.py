"""The objects that 'and' and commas join: 'the fork, the knife and the cup next to the plate'."""

from collections.abc import Sequence

from refdiff_ros.language.instruction.closed_classes import POSTURES
from refdiff_ros.language.instruction.segments import describes, Segment
from refdiff_ros.language.instruction.sentence import Sentence
from refdiff_ros.language.words import COLOURS, DETERMINERS, ING_NOUNS, SIZES

_DEFINITE = frozenset('the that this those these my your'.split())
_HAVING = frozenset('with wearing holding carrying has having containing'.split())
_INDEFINITE = frozenset('a an another other two three four some'.split())


def groups(sentence: Sentence, segments: Sequence[Segment]) -> list[list[Segment]]:
    """The segments of each object: those between 'and's.

    A comma alone parts objects only in a list that ends with 'and'.
    """
    found: list[list[Segment]] = [[]]
    for at, segment in enumerate(segments):
        if segment.kind == 'and' and (
                not _names(sentence, segments[at + 1:])
                or _describes_on(sentence, found[-1], segments[at + 1])
                or _belongs(sentence, found[-1], segments[at + 1])):
            found[-1].append(segment)
        elif segment.kind == 'and':
            found.append([])
        elif found[-1] and _is_next(sentence, found[-1][-1], segment) \
                and any(later.kind == 'and' for later in segments[at:]):
            found.append([segment])
        else:
            found[-1].append(segment)
    return [group for group in found if group]


def _names(sentence: Sentence, segments: Sequence[Segment]) -> bool:
    """Whether another object comes, and no more of the same: 'and below it', 'and the nearest'."""
    if not segments or segments[0].kind != 'noun':
        return False
    tokens = sentence.tokens[segments[0].start:segments[0].end]
    return any(not describes(token) or token.lower in COLOURS | SIZES for token in tokens)


def _describes_on(sentence: Sentence, group: Sequence[Segment], noun: Segment) -> bool:
    """Whether a noun phrase after 'and' still says where the one before is.

    'the cup next to a plate | and a fork' is one cup; 'the cup next to the plate and the fork' are
    a cup and a fork.
    """
    if len(group) < 2 or sentence.lower[noun.start] not in _INDEFINITE:
        return False
    return sentence.lower[group[0].start] in _DEFINITE and any(
        word in _INDEFINITE for word in sentence.words((group[-1].start, group[-1].end)))


def _belongs(sentence: Sentence, group: Sequence[Segment], noun: Segment) -> bool:
    """Whether a phrase after 'and' still tells what the object has or does.

    'a bowl filled with soup | and vegetables', 'a man wearing glasses | and a tie', 'the boy
    wearing a hat | and riding a bicycle'.
    """
    if len(group) < 2 or group[-1].kind not in ('preposition', 'clause'):
        return False
    first = sentence.tokens[noun.start]
    if first.lower.endswith('ing') and first.lower not in ING_NOUNS and noun.end > noun.start + 1 \
            or first.lower in POSTURES and noun.end > noun.start + 1:
        return True
    before = sentence.words((group[-1].start, group[-1].end))
    having = any(word in _HAVING for word in before)
    bare = before[-2:-1] and before[-2] in _HAVING and first.lower not in DETERMINERS
    return having and (bool(bare) or group[-1].kind == 'clause' and first.lower in _INDEFINITE)


def _is_next(sentence: Sentence, before: Segment, segment: Segment) -> bool:
    """Whether a noun phrase after a comma is the next of a list: not ', the one on the left'."""
    parted = before.kind == 'noun' or sentence.tokens[segment.start].comma
    return segment.kind == 'noun' and parted and (
        sentence.words((segment.start, segment.end)) != ('the', 'one')
        and sentence.tokens[segment.end - 1].pos in ('NOUN', 'PROPN', 'X', ''))
