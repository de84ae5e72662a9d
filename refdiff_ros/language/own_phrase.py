"""What an expression says of its object's looks: its noun phrase without where it is.

'the second red mug from the left' is 'the red mug', and so is 'the red mug behind the can'.
"""

from collections.abc import Sequence

from refdiff_ros.language.directions import DIRECTION_OF, is_direction, PICTURE_WORDS, SIDES
from refdiff_ros.language.relations import RelationSpan
from refdiff_ros.language.root_rules import is_ordinal
from refdiff_ros.language.words import (
    CLAUSE_WORDS,
    DETERMINERS,
    PREPOSITIONS,
    SIZE_COMPARATIVES,
    SIZE_SUPERLATIVES,
    VIEWERS,
    Word,
)

_PLACING = frozenset('on at in to from toward towards'.split())
_DEGREES = frozenset('far very'.split())
# What stands before a relation and says no more than it: 'standing right behind the box'.
_LEADING_IN = frozenset(
    'right directly just immediately standing sitting lying resting placed located positioned '
    'situated'.split())


def own_phrase(
    text: str, words: Sequence[Word], root: Word, relations: Sequence[RelationSpan] = (),
) -> str:
    """The words of the object's noun phrase that tell what it is and what it looks like.

    Direction words, ordinals, superlatives of size and everything from the first relation on are
    left out; superlatives of looks ('shiniest') stay, and so does 'with a handle'.

    Args:
        text: the expression.
        words: the words that name and describe the object.
        root: the word for the object.
        relations: those found among `words`.

    Returns:
        A part of `text` with single spaces where words were left out; '' where nothing tells
        what the object is ('bottom left').
    """
    words = tuple(words)
    dropped: set[int] = set()
    for row in range(len(words)):
        dropped.update(_place_rows(words, row, root))
    cut = min((found.start for found in relations if found.start >= root.end), default=None)
    kept = [row for row, word in enumerate(words)
            if row not in dropped and (cut is None or word.start < cut)]
    return _joined(text, words, _trimmed(words, kept, root))


def _place_rows(words: tuple[Word, ...], row: int, root: Word) -> range:
    """The rows of what says of the word at `row` where or which the object is."""
    lower = words[row].lower
    if is_direction(words, row):
        return _direction_rows(words, row, root)
    if is_ordinal(lower):
        return range(row, row + 1)
    compared = lower in SIZE_COMPARATIVES and not any(word.lower == 'than' for word in words)
    return range(row, row + (compared or lower in SIZE_SUPERLATIVES))


def _direction_rows(words: tuple[Word, ...], row: int, root: Word) -> range:
    start, end = row, row + 1
    while end < len(words) and words[end] != root and (
            words[end].lower in SIDES | DIRECTION_OF.keys()):
        end += 1
    while start and words[start - 1].lower in _DEGREES | DIRECTION_OF.keys():
        start -= 1
    if words[row].start < root.start:
        return range(start, end)
    before = start
    while before and words[before - 1].lower in DETERMINERS:
        before -= 1
    if before and words[before - 1].lower in _PLACING:
        start = before - 1
    return range(start, _after_picture(words, end))


def _after_picture(words: tuple[Word, ...], row: int) -> int:
    """The row after 'of the picture', 'to the camera' or 'row', if that comes at `row`."""
    end = row + (row < len(words) and words[row].lower in ('of', 'to', 'from'))
    while end < len(words) and words[end].lower in DETERMINERS:
        end += 1
    found = end < len(words) and words[end].lower in PICTURE_WORDS | VIEWERS
    return end + 1 if found else row


def _trimmed(words: tuple[Word, ...], kept: list[int], root: Word) -> list[int]:
    """Without what leads into a place that was left out ('that is', 'standing')."""
    trailing = PREPOSITIONS | CLAUSE_WORDS | DETERMINERS | _LEADING_IN
    while kept and words[kept[-1]] != root and words[kept[-1]].lower in trailing:
        kept = kept[:-1]
    ahead = [place for place, row in enumerate(kept) if words[row].start < root.start]
    opening = [place for place in ahead if words[kept[place]].lower in _PLACING]
    kept = kept[opening[-1] + 1:] if opening else kept
    articles = [place for place, row in enumerate(kept) if words[row].start < root.start
                and words[row].lower in DETERMINERS]
    # 'on the left the red mug' has two.
    doubled = len(articles) > 1 and opening
    return kept[articles[-1]:] if doubled else kept


def _joined(text: str, words: tuple[Word, ...], rows: list[int]) -> str:
    parts = []
    for place, row in enumerate(rows):
        if place:
            adjacent = rows[place - 1] == row - 1
            parts.append(text[words[row - 1].end:words[row].start] if adjacent else ' ')
        parts.append(text[words[row].start:words[row].end])
    return ''.join(parts)
