"""What kind of words an expression uses to single its object out."""

from refdiff_ros.language.directions import is_direction
from refdiff_ros.language.relations import find_relations
from refdiff_ros.language.words import (
    CLAUSE_WORDS,
    COLOURS,
    ED_NOUNS,
    ING_NOUNS,
    LOOSE_WORDS,
    ORDINALS,
    SIZE_SUPERLATIVES,
    SIZES,
    split_words,
    Word,
)

KINDS = ('position', 'relation', 'attribute', 'plain')

_DESCRIBING = COLOURS | SIZES | SIZE_SUPERLATIVES.keys() | LOOSE_WORDS | CLAUSE_WORDS | {
    'with', 'without', 'in'}


def expression_kind(text: str) -> str:
    """One of `KINDS`, by the words alone; the first rule that holds decides.

    1. 'relation': it says how the object stands to another one ('man behind the bus').
    2. 'position': a direction or an ordinal ('left man', 'second from the top').
    3. 'attribute': a colour, a size, another describing word, a word in -ing or -ed, or a phrase
       after 'with', 'in', 'who' and the like ('striped shirt', 'man with a hat').
    4. 'plain': nothing of these ('the giraffe', 'teddy bear').
    """
    words = split_words(text)
    if find_relations(text, words):
        return 'relation'
    if any(is_direction(words, row) or _is_ordinal(word) for row, word in enumerate(words)):
        return 'position'
    return 'attribute' if any(map(_describes, words)) else 'plain'


def _is_ordinal(word: Word) -> bool:
    return word.lower in ORDINALS or (
        word.lower[0].isdigit() and word.lower.endswith(('st', 'nd', 'rd', 'th')))


def _describes(word: Word) -> bool:
    lower = word.lower
    participle = (lower.endswith('ing') and lower not in ING_NOUNS) or (
        lower.endswith('ed') and lower not in ED_NOUNS)
    return lower in _DESCRIBING or (participle and len(lower) > 4)
