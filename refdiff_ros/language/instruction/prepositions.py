"""Prepositions of one or more words: the relation that each says, and how surely it says a place.

'into the box' can only say where something goes; 'behind the box' more often says where it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import enum

from refdiff_ros.language.words import ORDINALS


class Kind(enum.IntEnum):
    """How a preposition serves a verb that needs a place; a larger number is the surer place."""

    MODIFIER = 0  # 'of', 'with', 'closest to': never a place
    SOURCE = 1  # 'from', 'out of'
    BESIDE = 2  # 'next to', 'behind'
    SIDE = 3  # 'to the left of'
    INSIDE = 4  # 'in', 'on'
    TOWARDS = 5  # 'to', 'into', 'onto'


@dataclass(frozen=True)
class Preposition:
    """A preposition: how many words it has, the relation it says, and its kind."""

    length: int
    relation: str
    kind: Kind


# Of pieces that have none; it names no place.
NO_PREPOSITION = Preposition(0, '', Kind.MODIFIER)

_SPELLINGS = {
    Kind.MODIFIER: {
        'of': 'of', 'with': 'with, without, containing, using', 'for': 'for', 'like': 'like',
        'about': 'about',
        'next to': 'closest to, nearest to',
        'away from': 'farthest from, furthest from, farther from, further from, '
                     'farthest away from, furthest away from, far away from, farther away from, '
                     'further away from'},
    Kind.SOURCE: {
        'from': 'from', 'in': 'out of, from inside', 'on': 'off, off of, from the top of',
        'under': 'from under, from underneath', 'behind': 'from behind'},
    Kind.BESIDE: {
        'next to': 'next to, near, near to, close to, closer to, nearer to, by, beside, besides, '
                   'alongside, adjacent to, against, nearby, '
                   'in the near of, near of, in the vicinity of, close by, right by, '
                   'at side of, at the side of, by the side of, at near of, in near of, '
                   'to the side of, on the side of',
        'behind': 'behind, in back of, at the back of', 'in front of': 'in front of, before',
        'under': 'under, underneath, beneath, below', 'above': 'above, over',
        'between': 'between, in between, among', 'across': 'across', 'along': 'along',
        'around': 'around', 'outside': 'outside, outside of', 'through': 'through',
        'past': 'past', 'opposite': 'opposite', 'away from': 'away from',
        'across from': 'across from'},
    Kind.SIDE: {
        'left of': 'to the left of, left of, on the left of',
        'right of': 'to the right of, right of, on the right of'},
    Kind.INSIDE: {
        'in': 'in, inside, inside of, within', 'on': 'on, on top of, on the top of, atop, upon',
        'at': 'at'},
    Kind.TOWARDS: {
        'to': 'to, over to, up to, toward, towards', 'in': 'into, in to, to inside',
        'on': 'onto, on to, to on top of', 'next to': 'up against, to next to',
        'behind': 'to behind', 'in front of': 'to in front of', 'under': 'to under, to below',
        'above': 'to above, to over'},
}
_TABLE = {
    tuple(spelling.split()): Preposition(len(spelling.split()), relation, kind)
    for kind, relations in _SPELLINGS.items()
    for relation, spellings in relations.items() for spelling in spellings.split(', ')
}
_LONGEST = max(map(len, _TABLE))
# 'the closest mug' and 'nearest the box'.
_NEAREST = frozenset(('nearest', 'closest'))


def _counts(lower: Sequence[str], row: int) -> bool:
    """Whether the words count from the end: 'the next to last mug', 'the third to last'."""
    ahead = row if lower[row] == 'next' else row - 1
    return tuple(lower[ahead + 1:ahead + 3]) == ('to', 'last') and ahead >= 0 and (
        lower[ahead] == 'next' or lower[ahead] in ORDINALS)


def preposition_at(lower: Sequence[str], row: int, end: int) -> Preposition | None:
    """The longest preposition that begins at `row` and ends before `end`.

    Args:
        lower: words in lower case.
    """
    for length in range(min(_LONGEST, end - row), 0, -1):
        found = _TABLE.get(tuple(lower[row:row + length]))
        if found is not None and not _counts(lower, row):
            return found
    if row + 1 < end and lower[row] in _NEAREST and lower[row + 1] in ('the', 'a', 'an'):
        return Preposition(1, 'next to', Kind.MODIFIER)
    return None
