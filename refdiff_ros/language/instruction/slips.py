"""Slips of the pen: 'bananna' is read as 'banana', and a real word as itself.

A word is mended only where it is none: `vocabulary/real_words.txt` holds the real words that lie
as near to a known one as a slip does ('bow' to 'bowl'), and `training.parser.real_words` makes it.
"""

from functools import cache
from importlib.resources import files

from refdiff_ros.language.directions import DIRECTION_OF
from refdiff_ros.language.words import (
    CLAUSE_WORDS,
    COLOURS,
    DETERMINERS,
    ORDINALS,
    PREPOSITIONS,
    SIZES,
)

# Two letters wrong are one word still where it has this many.
_LONG = 7
_PLACES = frozenset(
    'then them there here both other left right front back where which please'.split())
_COSTS = {'swapped': 0, 'doubled': 1, 'left out': 1, 'added': 2, 'changed': 3}
_TWO_SLIPS = 4
_FAR = 9


@cache
def object_nouns() -> tuple[str, ...]:
    """Nouns of `vocabulary/objects.txt`, each followed by its plural."""
    nouns = [noun for line in _lines('objects.txt') if not line.startswith('#')
             for noun in line.split()]
    return tuple(dict.fromkeys(form for noun in nouns for form in (noun, plural(noun))))


def plural(noun: str) -> str:
    """The plural of a noun in lower case: 'boxes', 'berries', 'cups'."""
    if noun.endswith('s') and not noun.endswith('ss'):
        return noun  # 'scissors', 'tongs'
    if noun.endswith(('ss', 'x', 'ch', 'sh')):
        return f'{noun}es'
    if noun.endswith('y') and noun[-2] not in 'aeou':
        return f'{noun[:-1]}ies'
    return f'{noun}s'


@cache
def _real_words() -> frozenset[str]:
    return frozenset(word for line in _lines('real_words.txt') if not line.startswith('#')
                     for word in line.split())


def _lines(name: str) -> list[str]:
    folder = files('refdiff_ros.language.instruction') / 'vocabulary'
    return (folder / name).read_text(encoding='utf-8').splitlines()


@cache
def _closed_words() -> frozenset[str]:
    """Words of the closed classes in which a slip is looked for."""
    return COLOURS | SIZES | ORDINALS | PREPOSITIONS | _PLACES | DIRECTION_OF.keys()


def is_slip_of_verb(word: str, verb: str) -> bool:
    """Whether a word that no verb is (in lower case) is a slip of one.

    Letters that are swapped or written twice are a slip even in a real word ('garb', 'putt').
    """
    return is_one_slip(word, verb) and (
        not is_real(word) or slip(word, verb) in ('swapped', 'doubled'))


def is_real(word: str) -> bool:
    """Whether a word in lower case is one of the real words that look like a slip."""
    return word in _real_words()


@cache
def mended(word: str) -> str | None:
    """The known word that `word` (in lower case) is a slip of; None for a real or a far word."""
    if is_real(word) or word in DETERMINERS or word in CLAUSE_WORDS:
        return None
    return nearest(word)


@cache
def _known() -> dict[str, tuple[str, ...]]:
    """The words in which a slip is looked for, by their first letter."""
    known: dict[str, list[str]] = {}
    for word in dict.fromkeys((*sorted(_closed_words()), *object_nouns())):
        known.setdefault(word[0], []).append(word)
    return {letter: tuple(words) for letter, words in known.items()}


@cache
def nearest(word: str) -> str | None:
    """The one known word that lies nearest, by slips; None where none or two lie near."""
    if len(word) < 3 or not word.isalpha() or word in _closed_words() or word in object_nouns():
        return None
    costs = {other: cost for other in _known().get(word[0], ())
             if (cost := _cost(word, other)) < _FAR}
    least = min(costs.values(), default=_FAR)
    among = [other for other, cost in costs.items() if cost == least]
    return among[0] if len(among) == 1 else None


def _cost(typed: str, meant: str) -> int:
    """How unlikely a slip is; `_FAR` for no slip."""
    if typed[0] != meant[0] or abs(len(typed) - len(meant)) > 2:
        return _FAR
    kind = slip(typed, meant)
    if kind and _long_enough(typed, meant, kind):
        return _COSTS[kind]
    return _TWO_SLIPS if len(meant) >= _LONG and _two_slips(typed, meant) else _FAR


def _long_enough(typed: str, meant: str, kind: str) -> bool:
    """Of three letters, too many words are near: colours, ways, and swapped letters count."""
    if min(len(typed), len(meant)) > 3 or kind in ('swapped', 'doubled'):
        return True
    return meant in _closed_words() and len(meant) > 2


def slip(typed: str, meant: str) -> str:
    """The one slip between two words: a key of `_COSTS`; '' for none or more."""
    rows = range(1, len(typed))
    if len(typed) == len(meant) + 1:
        added = [row for row in rows if typed[:row] + typed[row + 1:] == meant]
        doubled = any(typed[row] == typed[row - 1] for row in added)
        return 'doubled' if doubled else 'added' if added else ''
    if len(typed) == len(meant) - 1:
        return 'left out' if any(
            typed == meant[:row] + meant[row + 1:] for row in range(1, len(meant))) else ''
    if len(typed) != len(meant):
        return ''
    different = [row for row in rows if typed[row] != meant[row]]
    if len(different) == 1:
        return 'changed'
    swapped = len(different) == 2 and different[1] == different[0] + 1 and (
        typed[different[0]], typed[different[1]]) == (meant[different[1]], meant[different[0]])
    return 'swapped' if swapped else ''


def is_one_slip(typed: str, meant: str) -> bool:
    """Whether `typed` is `meant` (4 letters or more) with one letter wrong; the first is right.

    Wrong is: left out, changed, swapped with the next, or written twice (of 3 letters too).
    """
    if typed[0] != meant[0]:
        return False
    kind = slip(typed, meant)
    return kind == 'doubled' and len(meant) > 2 or (
        kind in ('left out', 'changed', 'swapped') and len(meant) > 3)


def _two_slips(typed: str, meant: str) -> bool:
    """Whether two letters are wrong: any two of left out, added, changed."""
    before = list(range(len(meant) + 1))
    for row, letter in enumerate(typed, 1):
        costs = [row]
        for column, other in enumerate(meant, 1):
            costs.append(min(before[column] + 1, costs[-1] + 1,
                             before[column - 1] + (letter != other)))
        before = costs
    return before[-1] <= 2
