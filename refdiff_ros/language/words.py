"""Splitting an expression into words, and the small closed word classes of English.

Open classes (nouns, verbs) are not listed: a parser knows them, and the rules do without.
"""

from dataclasses import dataclass
from functools import cached_property
import re

# Letters with inner apostrophes or hyphens, digits with a letter suffix ('2nd').
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+[^\W\d_]*")


@dataclass(frozen=True)
class Word:
    """A word with its place in the text, in characters."""

    text: str
    start: int
    end: int

    @cached_property
    def lower(self) -> str:
        """The word in lower case."""
        return self.text.lower()


def split_words(text: str) -> tuple[Word, ...]:
    """The words of `text`, without punctuation."""
    return tuple(Word(match.group(), *match.span()) for match in _WORD.finditer(text))


ARTICLES = frozenset('a an the'.split())

DETERMINERS = frozenset(
    'a an the this that these those my your his her its our their some any each every'.split())

PREPOSITIONS = frozenset(
    'of in on at to from with without by near behind under underneath below beneath above over '
    'beside besides between among inside outside against around across along next off onto into '
    'toward towards through past for'.split())

# Words that open a clause about the noun before them.
CLAUSE_WORDS = frozenset(
    'that which who whose where is are was were be being has have had and or not it he she they '
    'while thats whos looks looking about what'.split())

COLOURS = frozenset(
    'red green blue yellow orange purple violet pink brown black white grey gray silver gold '
    'golden beige tan turquoise cyan magenta'.split())

ORDINALS = frozenset(
    'first second third fourth fifth sixth seventh eighth ninth tenth last'.split())

# Adjectives that often stand alone in telegraphic expressions ('the big one' said as 'big').
SIZES = frozenset(
    'big bigger biggest small smaller smallest large larger largest tall taller tallest short '
    'shorter shortest tiny huge little long longer longest wide narrow'.split())

# Superlatives that a mask's size tells: what is measured, and whether the most or the least of it.
SIZE_SUPERLATIVES = {
    word: (measure, sign)
    for measure, sign, words in (
        ('area', 1, 'largest biggest greatest hugest bulkiest'),
        ('area', -1, 'smallest littlest tiniest'),
        ('height', 1, 'tallest'), ('height', -1, 'shortest'),
        ('width', 1, 'widest broadest'), ('width', -1, 'narrowest thinnest'),
        ('length', 1, 'longest'))
    for word in words.split()
}

# 'The bigger one' of several is the biggest; 'bigger than the mug' is another matter.
SIZE_COMPARATIVES = dict(pair.split(':') for pair in (
    'larger:largest bigger:biggest smaller:smallest tinier:tiniest taller:tallest '
    'shorter:shortest wider:widest broader:broadest narrower:narrowest thinner:thinnest '
    'longer:longest').split())

# '-ing' words that are nouns or adjectives, not the start of a clause.
ING_NOUNS = frozenset(
    'building thing something anything ring earring string king ceiling painting clothing pudding '
    'railing wing sibling duckling awning swing spring dressing icing'.split())

# Words that describe and never name an object, wherever they stand.
LOOSE_WORDS = frozenset(
    'far very most more almost not no partially mostly slightly fully completely half full only '
    'just other another same different old young new own bald blond blonde dark bright '
    'number few two three four five six several both all many away down up here there '
    'facing empty wooden plastic metal'.split())

# Before 'of': quantities, pieces and pictures, where the noun after 'of' is the object.
PARTITIVES = frozenset(
    'slice slices piece pieces chunk bit part portion half pair pairs set bunch bunches group '
    'groups stack stacks pile piles herd flock crowd row rows couple lot lots number kind type '
    'sort one ones each any some all none two three bundle cluster '
    'side corner edge end loaf slab sheet sheets bouquet dozen pack'.split())

# Who looks, and what is looked at: no objects of the picture.
VIEWERS = frozenset('camera us me you viewer picture image photo screen frame'.split())

# Words in '-ed' and '-ly' that are nouns.
ED_NOUNS = frozenset(
    'bed seed weed reed shed sled breed speed moped steed bobsled fly lily belly jelly bully '
    'butterfly dragonfly jelly supply monopoly doily anomaly ally family trolley assembly'.split())
