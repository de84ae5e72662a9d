"""From an expression to the word for its object: the dependency tree, mended by rules.

A parser that learned from a treebank has met few telegraphic expressions and commands. Each rule
here is a function that looks at the word which stands for the object so far and gives a better
one, or the same. Without a parser the rules start from the head of the first noun phrase; with
one they start from the tree's root too, and the tagger decides between the two answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refdiff_ros.commands import object_phrase
from refdiff_ros.directions import DIRECTION_OF, SIDES
from refdiff_ros.head_finder import find_head
from refdiff_ros.words import (
    CLAUSE_WORDS,
    COLOURS,
    DETERMINERS,
    ED_NOUNS,
    ING_NOUNS,
    LOOSE_WORDS,
    ORDINALS,
    PARTITIVES,
    PREPOSITIONS,
    SIZES,
    VIEWERS,
    Word,
)

_NOMINAL = frozenset(('NOUN', 'PROPN', 'PRON'))
_NO_PARTS = frozenset(('VERB', 'AUX', 'ADV', 'ADP', 'SCONJ', 'PART'))
_MODIFIERS = frozenset(('amod', 'compound', 'nmod', 'advmod', 'flat'))
_SUBJECTS = ('nsubj', 'nsubj:pass', 'nsubjpass', 'csubj', 'nsubj:outer')
_ORDINAL_ROWS = {word: row for row, word in enumerate(
    'first second third fourth fifth sixth seventh eighth ninth tenth'.split(), 1)}
_SUFFIXED = ('st', 'nd', 'rd', 'th')
_NO_SUPERLATIVES = frozenset(
    'forest chest nest guest vest west test rest harvest breast interest request dest quest crest '
    'pest invest arrest priest contest protest zest artist'.split())


@dataclass(frozen=True)
class Token:
    """A word with what the parser says of it; empty and None without a parser."""

    word: Word
    pos: str = ''
    dep: str = ''
    head: int | None = None
    comma: bool = False  # whether punctuation stands before it
    fruit: bool = False  # a colour's word that names an object

    @property
    def lower(self) -> str:
        """The word in lower case."""
        return self.word.lower


@dataclass(frozen=True)
class Reading:
    """What the rules found.

    Attributes:
        root: the word for the object.
        has_noun: whether it is a noun; otherwise it is the best word there is.
        conjuncts: all objects that are named ('the mug and the plate'), the root first; empty
            for one object.
        ordinals: counted from 1; -1 is the last.
        superlatives: in lower case, in the order written.
        span: characters of the text that name and describe the object; the rest is a command.
    """

    root: Word
    has_noun: bool
    conjuncts: tuple[str, ...]
    ordinals: tuple[int, ...]
    superlatives: tuple[str, ...]
    span: tuple[int, int]


def read(words: tuple[Word, ...], text: str, nlp: Callable[[str], Any] | None = None) -> Reading:
    """Read an expression.

    Args:
        words: the words of `text`, at least one.
        text: the expression.
        nlp: a spaCy pipeline with a tagger and a dependency parser, or None for rules alone.
    """
    phrase = object_phrase(words, text)
    spelled = spell_out(phrase, text)
    tokens, row = _apply_rules(spelled, text, None)
    if nlp is not None:
        tokens, by_tree = _apply_rules(spelled, text, nlp)
        row = _better(tokens, row, by_tree)
    root = tokens[row].word
    named = Word(text[root.start:root.end], root.start, root.end)
    return Reading(
        root=named, has_noun=not _is_modifier(tokens[row]), conjuncts=conjuncts(tokens, row),
        ordinals=ordinals(phrase), superlatives=superlatives(phrase),
        span=(phrase[0].start, phrase[-1].end))


def _apply_rules(
    words: tuple[Word, ...], text: str, nlp: Callable[[str], Any] | None,
) -> tuple[list[Token], int]:
    tokens, row = _tokens(words, text, nlp)
    for rule in _RULES:
        row = rule(tokens, row)
    return tokens, row


def _better(tokens: list[Token], by_rules: int, by_tree: int) -> int:
    """The rules' answer, unless the parser takes it for what describes another noun.

    Rules know how expressions are built and the parser knows words: in 'shiny folded towel' it
    sees that 'shiny' is none of the nouns.
    """
    token, other = tokens[by_rules], tokens[by_tree]
    if _is_modifier(token):
        return by_tree
    described = token.pos not in _NOMINAL and token.dep in _MODIFIERS
    return by_tree if described and other.pos in _NOMINAL else by_rules


def spell_out(words: tuple[Word, ...], text: str) -> tuple[Word, ...]:
    """'w/' and 'w/o' as 'with' and 'without', at the characters where they stand."""
    spelled: list[Word] = []
    for row, word in enumerate(words):
        slash = text[word.end:word.end + 1] == '/'
        if word.lower == 'o' and row and text[word.start - 1] == '/' \
                and words[row - 1].lower == 'w':
            spelled[-1] = Word('without', spelled[-1].start, word.end)
        elif word.lower == 'w' and row and (slash or row + 1 < len(words)):
            spelled.append(Word('with', word.start, word.end))
        else:
            spelled.append(word)
    return tuple(spelled)


def _tokens(
    words: tuple[Word, ...], text: str, nlp: Callable[[str], Any] | None,
) -> tuple[list[Token], int]:
    commas = [row > 0 and _parted(text[words[row - 1].end:word.start], words[row - 1])
              for row, word in enumerate(words)]
    if nlp is None:
        plain = [Token(word, comma=comma, fruit=_is_fruit(words, row))
                 for row, (word, comma) in enumerate(zip(words, commas))]
        return plain, _head_row(plain, words)
    # The parser sees the words as spelled out; each of its tokens lies inside one word or mark.
    spaced, starts = '', []
    for word, comma in zip(words, commas):
        spaced += (', ' if comma else ' ') if spaced else ''
        starts.append(len(spaced))
        spaced += word.text
    doc = nlp(spaced)
    row_of = {}
    for token in doc:
        for row, (start, word) in enumerate(zip(starts, words)):
            if start <= token.idx < start + len(word.text):
                row_of[token.i] = row
    found: dict[int, Any] = {}
    for token in doc:  # of the parts of a word ("dog's") its own head stands for it
        row = row_of.get(token.i)
        if row is not None and (row not in found or row_of.get(token.head.i) != row):
            found.setdefault(row, token)
    tokens = [
        Token(word, found[row].pos_, found[row].dep_, row_of.get(found[row].head.i), commas[row],
              _is_fruit(words, row))
        if row in found else Token(word, comma=commas[row]) for row, word in enumerate(words)]
    root = next((row_of[token.i] for token in doc if token.dep_ == 'ROOT' and token.i in row_of),
                None)
    return tokens, _head_row(tokens, words) if root is None else root


def _parted(between: str, before: Word) -> bool:
    # 'Mr. Brown' and 'U.S.' go on after their full stop.
    stop = '. ' in between and len(before.text) > 2
    return stop or any(mark in between for mark in ',;:(!?')


def _head_row(tokens: list[Token], words: tuple[Word, ...]) -> int:
    nouns = _nouns(tokens)
    if nouns:
        return nouns[-1]
    word, _ = find_head(words)
    return words.index(word)


def _is_fruit(words: tuple[Word, ...], row: int) -> bool:
    """Whether 'orange' is one: nothing follows that it could describe."""
    if words[row].lower != 'orange':
        return False
    if row + 1 == len(words):
        return row > 0 and words[row - 1].lower in DETERMINERS
    after = words[row + 1].lower
    return after in PREPOSITIONS | CLAUSE_WORDS - {'and', 'or'} or (
        after.endswith('ing') and after not in ING_NOUNS)


def _is_modifier(token: Token) -> bool:
    lower = token.lower
    return not token.fruit and (
        lower in DETERMINERS or lower in COLOURS or lower in ORDINALS or lower in SIZES
        or lower in DIRECTION_OF or lower in LOOSE_WORDS or lower[0].isdigit()
        or _is_superlative(lower) or lower.endswith('-most')
        or lower.endswith('ly') and lower not in ED_NOUNS
        or lower.endswith(("'s", '’s')))


def _is_superlative(lower: str) -> bool:
    return lower.endswith('est') and len(lower) > 4 and lower not in _NO_SUPERLATIVES


def _by_lists(token: Token) -> bool:
    """Whether a word may be a noun as far as the closed classes of words tell."""
    return token.fruit or not (
        _is_modifier(token) or token.lower in PREPOSITIONS or token.lower in CLAUSE_WORDS)


def _may_be_noun(token: Token) -> bool:
    return _by_lists(token) and (token.pos in _NOMINAL or token.pos in ('', 'X', 'SYM', 'INTJ'))


def _nouns(tokens: list[Token], start: int = 0) -> list[int]:
    """Rows of the nouns of the first phrase; where the tagger saw none, what may be one."""
    phrase = _first_phrase(tokens, start)
    return ([row for row in phrase if _may_be_noun(tokens[row])]
            or [row for row in phrase if _by_lists(tokens[row]) and tokens[row].pos != 'AUX'])


def _first_phrase(tokens: list[Token], start: int) -> list[int]:
    """Rows of the first noun phrase from `start` on: up to what follows its noun."""
    rows: list[int] = []
    for row in range(start, len(tokens)):
        seen = [tokens[before] for before in rows if _by_lists(tokens[before])]
        # 'paint | the door': a verb before an article is no noun that the tagger missed.
        command = tokens[row].lower in DETERMINERS and all(t.pos == 'VERB' for t in seen)
        if seen and not command and (
                _opens_another(tokens, row) or _describes_what_came(tokens, row, seen)):
            break
        lower = tokens[row].lower
        if lower not in PREPOSITIONS and lower not in CLAUSE_WORDS - DETERMINERS:
            rows.append(row)
    return rows


def _opens_another(tokens: list[Token], row: int) -> bool:
    """Whether a word of a closed class ends the noun phrase before it."""
    token, lower = tokens[row], tokens[row].lower
    if token.comma or lower in PREPOSITIONS or lower in CLAUSE_WORDS or lower in DETERMINERS:
        return not (lower in LOOSE_WORDS and not token.comma and _noun_follows(tokens, row))
    # 'the bottom mug' begins with a direction, 'mug bottom left' ends with one.
    return (lower in DIRECTION_OF or lower in LOOSE_WORDS) and not _noun_follows(tokens, row)


def _describes_what_came(tokens: list[Token], row: int, seen: list[Token]) -> bool:
    """Whether a verb or its participle begins what is said of the noun before it."""
    token, lower = tokens[row], tokens[row].lower
    participle = (
        lower.endswith('ing') and len(lower) > 4 and lower not in ING_NOUNS
        or lower.endswith(('ly', 'ed')) and len(lower) > 3 and lower not in ED_NOUNS)
    if not token.pos:
        return participle
    if not participle and token.pos not in _NO_PARTS:
        return False
    if not any(before.pos in _NOMINAL or before.dep == 'ROOT' for before in seen):
        # Adjectives alone came so far: 'a wonderful | grooming service' goes on.
        return token.dep not in _MODIFIERS or token.head is None or token.head < row
    return token.pos in _NO_PARTS or not _noun_follows(tokens, row)


def _noun_follows(tokens: list[Token], row: int) -> bool:
    after = tokens[row + 1:row + 2]
    if not after or after[0].comma or not _may_be_noun(after[0]) or after[0].lower in SIDES:
        return False
    # Without a tagger only 'left hand' is sure to hold a noun; 'walking dog' may be anything.
    return after[0].pos in ('NOUN', 'PROPN') or (
        not after[0].pos and tokens[row].lower in DIRECTION_OF)


def verb_gives_its_noun(tokens: list[Token], row: int) -> int:
    """'man is riding' gives 'man': the subject, else a noun before, else the object."""
    if tokens[row].pos in _NOMINAL or tokens[row].pos in ('', 'X') or _is_modifier(tokens[row]):
        return row
    children = [child for child, token in enumerate(tokens) if token.head == row and child != row]
    for child in children:
        if tokens[child].dep in _SUBJECTS and _may_be_noun(tokens[child]):
            return child
    phrase = _nouns(tokens)
    before = [at for at in phrase if at < row]
    objects = [child for child in children
               if tokens[child].dep in ('obj', 'dobj') and _may_be_noun(tokens[child])]
    return (before[-1:] or objects[:1] or phrase[-1:] or [row])[0]


def ing_gives_the_noun_before(tokens: list[Token], row: int) -> int:
    """'guy standing' gives 'guy'; 'cutting board', 'ring' stay."""
    lower = tokens[row].lower
    if not lower.endswith('ing') or len(lower) <= 4 or lower in ING_NOUNS:
        return row
    before = [at for at in range(row) if _by_lists(tokens[at])
              and tokens[at].pos in ('', 'NOUN', 'PROPN', 'PRON', 'VERB')]
    return before[-1] if before and not _noun_follows(tokens, row) else row


def root_is_in_the_first_phrase(tokens: list[Token], row: int) -> int:
    """A root beyond the first noun phrase gives that phrase's last noun ('tie | on the chair')."""
    nouns = _nouns(tokens)
    return row if not nouns or row in nouns else nouns[-1]


def compound_ends_with_its_noun(tokens: list[Token], row: int) -> int:
    """'tennis player' and "mans hand" are a player and a hand."""
    while row + 1 < len(tokens) and not tokens[row + 1].comma \
            and _may_be_noun(tokens[row]) and tokens[row + 1].pos in ('NOUN', 'PROPN') \
            and _may_be_noun(tokens[row + 1]) and tokens[row + 1].dep != 'flat' \
            and not _opens_another(tokens, row + 1) \
            and not _describes_what_came(tokens, row + 1, tokens[row:row + 1]):
        row += 1
    return row


def direction_gives_the_noun_it_modifies(tokens: list[Token], row: int) -> int:
    """'left', 'blue', 'second' or 'largest' as root give the noun that they tell apart."""
    nouns = _nouns(tokens)
    if not nouns:
        return row
    if _only_viewer(tokens, nouns):
        described = [at for at in range(nouns[0]) if _is_modifier(tokens[at])
                     and tokens[at].lower not in DETERMINERS]
        return described[0] if described else row
    return nouns[-1] if _is_modifier(tokens[row]) else row


def _only_viewer(tokens: list[Token], nouns: list[int]) -> bool:
    # 'closest to the camera' names nobody but the viewer.
    # 'the left picture' and 'the camera on the table' do.
    apart = any(token.lower in PREPOSITIONS or token.lower == 'to' for token in tokens[:nouns[0]])
    return apart and all(tokens[at].lower in VIEWERS for at in nouns)


def part_gives_the_whole(tokens: list[Token], row: int) -> int:
    """'slice of pizza' is pizza, 'pair of scissors' scissors, 'one of the mugs' mugs.

    What holds something ('glass of water', 'box of crackers') is the object itself.
    """
    while tokens[row].lower in PARTITIVES and row + 2 < len(tokens) \
            and tokens[row + 1].lower == 'of':
        nouns = _nouns(tokens, row + 2)
        if not nouns:
            break
        row = nouns[-1]
    return row


_RULES = (verb_gives_its_noun, ing_gives_the_noun_before, root_is_in_the_first_phrase,
          compound_ends_with_its_noun, direction_gives_the_noun_it_modifies,
          part_gives_the_whole)


def conjuncts(tokens: list[Token], row: int) -> tuple[str, ...]:
    """All objects that are named: 'the mug and the plate' gives both; () for one object."""
    found, after = [row], row + 1
    while after + 1 < len(tokens) and (
            tokens[after].lower in ('and', 'or') or tokens[after].comma):
        start = after + (tokens[after].lower in ('and', 'or'))
        nouns = _nouns(tokens, start)
        # A comma alone also parts a description ('boy, striped shirt'): a list ends with 'and'.
        listed = any(token.lower in ('and', 'or') for token in tokens[after:])
        phrase_before_preposition = nouns and not any(
            tokens[at].lower in PREPOSITIONS | CLAUSE_WORDS - {'and', 'or'}
            for at in range(start, nouns[-1]))
        if not listed or not phrase_before_preposition:
            break
        found.append(nouns[-1])
        after = nouns[-1] + 1
    return tuple(tokens[at].word.text for at in found) if len(found) > 1 else ()


def ordinals(words: tuple[Word, ...]) -> tuple[int, ...]:
    """'second', '2nd', 'last' as numbers: 2, 2, -1."""
    found = []
    for word in words:
        lower = word.lower
        if lower in _ORDINAL_ROWS:
            found.append(_ORDINAL_ROWS[lower])
        elif lower == 'last':
            found.append(-1)
        elif lower[:-2].isdigit() and lower.endswith(_SUFFIXED):
            found.append(int(lower[:-2]))
    return tuple(found)


def superlatives(words: tuple[Word, ...]) -> tuple[str, ...]:
    """'largest', 'most expensive', in lower case."""
    found = []
    for row, word in enumerate(words):
        lower = word.lower
        if lower in ('most', 'least') and row + 1 < len(words):
            found.append(f'{lower} {words[row + 1].lower}')
        elif lower in ('best', 'worst') or _is_superlative(lower):
            found.append(lower)
    return tuple(found)
