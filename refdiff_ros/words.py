"""Splitting an expression into words, and the small closed word classes of English.

Open classes (nouns, verbs) are not listed: a parser knows them, and the rules do without.
"""

from dataclasses import dataclass
import re

# Letters with inner apostrophes or hyphens, digits with a letter suffix ('2nd').
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+[^\W\d_]*")


@dataclass(frozen=True)
class Word:
    """A word with its place in the text, in characters."""

    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The word in lower case."""
        return self.text.lower()


def split_words(text: str) -> tuple[Word, ...]:
    """The words of `text`, without punctuation."""
    return tuple(Word(match.group(), *match.span()) for match in _WORD.finditer(text))


DETERMINERS = frozenset(
    'a an the this that these those my your his her its our their some any each every'.split())

PREPOSITIONS = frozenset(
    'of in on at to from with without by near behind under underneath below beneath above over '
    'beside besides between among inside outside against around across along next'.split())

# Words that open a clause about the noun before them.
CLAUSE_WORDS = frozenset(
    'that which who whose where is are was were be being has have had and or not it he she they '
    'while'.split())

COLOURS = frozenset(
    'red green blue yellow orange purple violet pink brown black white grey gray silver gold '
    'golden beige tan turquoise cyan magenta'.split())

ORDINALS = frozenset(
    'first second third fourth fifth sixth seventh eighth ninth tenth last'.split())

# Adjectives that often stand alone in telegraphic expressions ('the big one' said as 'big').
SIZES = frozenset(
    'big bigger biggest small smaller smallest large larger largest tall taller tallest short '
    'shorter shortest tiny huge little long longer longest wide narrow'.split())

# '-ing' words that are nouns or adjectives, not the start of a clause.
ING_NOUNS = frozenset(
    'building thing something anything ring earring string king ceiling painting clothing pudding '
    'railing wing sibling duckling awning swing spring dressing icing'.split())
