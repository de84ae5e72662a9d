"""The root word by rules, for when no dependency parser is installed.

An English noun phrase ends with its noun, before the first preposition or clause: 'the small red
mug | behind the box'.
"""

from refdiff_ros.language.directions import DIRECTION_OF
from refdiff_ros.language.words import (
    CLAUSE_WORDS,
    COLOURS,
    DETERMINERS,
    ING_NOUNS,
    ORDINALS,
    PREPOSITIONS,
    SIZES,
    Word,
)


def find_head(words: tuple[Word, ...]) -> tuple[Word, bool]:
    """The root word, and whether it is a noun as far as rules can tell.

    Args:
        words: the expression's words, at least one.
    """
    phrase = _first_phrase(words)
    nouns = [word for word in phrase if not _is_modifier(word)]
    if nouns:
        return nouns[-1], True
    named = [word for word in phrase if word.lower not in DETERMINERS]
    return (named or list(words))[-1], False


def _first_phrase(words: tuple[Word, ...]) -> list[Word]:
    phrase: list[Word] = []
    for row, word in enumerate(words):
        if any(not _is_modifier(before) for before in phrase) and _ends_phrase(words, row):
            break
        # 'next to', 'of' at the very start hold nothing: the phrase begins after them.
        if word.lower not in PREPOSITIONS and word.lower not in CLAUSE_WORDS - DETERMINERS:
            phrase.append(word)
    return phrase


def _ends_phrase(words: tuple[Word, ...], row: int) -> bool:
    word = words[row].lower
    if word in PREPOSITIONS or word in CLAUSE_WORDS:
        return True
    if word in DETERMINERS:  # a second noun phrase begins: 'woman | the left one'
        return True
    return word.endswith('ing') and len(word) > 4 and word not in ING_NOUNS


def _is_modifier(word: Word) -> bool:
    lower = word.lower
    return (lower in DETERMINERS or lower in COLOURS or lower in ORDINALS or lower in SIZES
            or lower in DIRECTION_OF or lower[0].isdigit() or lower in ('far', 'very', 'most'))
