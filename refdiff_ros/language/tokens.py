"""The words of an expression with what a parser says of them, and its first noun phrase.

An expression begins with the noun phrase of its object, before the first preposition, clause or
participle: 'the small red mug | behind the box'. Closed classes of words find its end; a tagger,
where there is one, tells nouns from what describes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from refdiff_ros.language.directions import DIRECTION_OF, SIDES
from refdiff_ros.language.root_without_parser import find_head
from refdiff_ros.language.words import (
    CLAUSE_WORDS,
    COLOURS,
    DETERMINERS,
    ED_NOUNS,
    ING_NOUNS,
    LOOSE_WORDS,
    ORDINALS,
    PREPOSITIONS,
    SIZES,
    Word,
)

NOMINAL = frozenset(('NOUN', 'PROPN', 'PRON'))
_NO_PARTS = frozenset(('VERB', 'AUX', 'ADV', 'ADP', 'SCONJ', 'PART'))
MODIFIERS = frozenset(('amod', 'compound', 'nmod', 'advmod', 'flat'))
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


def make_tokens(
    words: tuple[Word, ...], text: str, nlp: Callable[[str], Any] | None,
) -> tuple[list[Token], int]:
    """The words with what the parser says of them, and the row of the root so far."""
    commas = [row > 0 and _parted(text[words[row - 1].end:word.start], words[row - 1])
              for row, word in enumerate(words)]
    if nlp is None:
        plain = [Token(word, comma=comma, fruit=_is_fruit(words, row))
                 for row, (word, comma) in enumerate(zip(words, commas))]
        return plain, _head_row(plain, words)
    # The parser sees the words as spelled out; each of its tokens lies inside one word or mark.
    spaced, starts = '', []
    shown = tuple(_shown(words, row) for row in range(len(words)))
    for said, comma in zip(shown, commas):
        spaced += (', ' if comma else ' ') if spaced else ''
        starts.append(len(spaced))
        spaced += said
    doc = nlp(spaced)
    row_of: dict[int, int] = {}
    for token in doc:
        for row, (start, said) in enumerate(zip(starts, shown)):
            if start <= token.idx < start + len(said):
                row_of[token.i] = row
    found: dict[int, Any] = {}
    for token in doc:  # of the parts of a word ("dog's") its own head stands for it
        own = row_of.get(token.i)
        if own is not None and (own not in found or row_of.get(token.head.i) != own):
            found.setdefault(own, token)
    tokens = [
        Token(word, found[row].pos_, found[row].dep_, row_of.get(found[row].head.i), commas[row],
              _is_fruit(words, row))
        if row in found else Token(word, comma=commas[row]) for row, word in enumerate(words)]
    root = next((row_of[token.i] for token in doc if token.dep_ == 'ROOT' and token.i in row_of),
                None)
    return tokens, _head_row(tokens, words) if root is None else root


def _shown(words: tuple[Word, ...], row: int) -> str:
    # The parser takes 'can' for a verb wherever it stands: where it must be a noun, it sees 'jar'.
    return 'jar' if is_can(words, row) else words[row].text


def is_can(words: Sequence[Word], row: int) -> bool:
    """Whether the word at `row` is a tin: 'the red can', and not 'can you'."""
    if words[row].lower != 'can':
        return False
    following = words[row + 1].lower if row + 1 < len(words) else ''
    if following in ('you', 'i', 'we', 'not', 'somebody', 'someone', 'anyone', 'anybody'):
        return False
    if row == 0:
        return following in PREPOSITIONS | {'left', 'right'}  # 'can next to the mug'
    before = words[row - 1].lower
    return before in DETERMINERS | PREPOSITIONS | {'empty'} or is_modifier(Token(words[row - 1]))


def _parted(between: str, before: Word) -> bool:
    # 'Mr. Brown' and 'U.S.' go on after their full stop.
    stop = '. ' in between and len(before.text) > 2
    return stop or any(mark in between for mark in ',;:(!?')


def _is_fruit(words: tuple[Word, ...], row: int) -> bool:
    """Whether 'orange' is one: nothing follows that it could describe."""
    if words[row].lower != 'orange':
        return False
    if row + 1 == len(words):
        return row > 0 and words[row - 1].lower in DETERMINERS
    after = words[row + 1].lower
    return after in PREPOSITIONS | CLAUSE_WORDS - {'and', 'or'} or (
        after.endswith('ing') and after not in ING_NOUNS)


def _head_row(tokens: list[Token], words: tuple[Word, ...]) -> int:
    nouns = nouns_of(tokens)
    if nouns:
        return nouns[-1]
    word, _ = find_head(words)
    return words.index(word)


def is_superlative(lower: str) -> bool:
    """Whether a word in lower case is an adjective like 'largest'."""
    return lower.endswith('est') and len(lower) > 4 and lower not in _NO_SUPERLATIVES


def is_modifier(token: Token) -> bool:
    """Whether the word describes or points and names no object."""
    lower = token.lower
    return not token.fruit and (
        lower in DETERMINERS or lower in COLOURS or lower in ORDINALS or lower in SIZES
        or lower in DIRECTION_OF or lower in LOOSE_WORDS or lower[0].isdigit()
        or is_superlative(lower) or lower.endswith('-most')
        or lower.endswith('ly') and lower not in ED_NOUNS
        or lower.endswith(("'s", '’s')))


def may_be_noun_by_lists(token: Token) -> bool:
    """Whether a word may be a noun as far as the closed classes of words tell."""
    return token.fruit or not (
        is_modifier(token) or token.lower in PREPOSITIONS or token.lower in CLAUSE_WORDS)


def may_be_noun(token: Token) -> bool:
    """Likewise, and no tagger objects."""
    return may_be_noun_by_lists(token) and token.pos in NOMINAL | {'', 'X', 'SYM', 'INTJ'}


def nouns_of(tokens: list[Token], start: int = 0) -> list[int]:
    """Rows of the nouns of the first phrase; where the tagger saw none, what may be one."""
    phrase = first_phrase(tokens, start)
    return ([row for row in phrase if may_be_noun(tokens[row])]
            or [row for row in phrase
                if may_be_noun_by_lists(tokens[row]) and tokens[row].pos != 'AUX'])


def first_phrase(tokens: list[Token], start: int) -> list[int]:
    """Rows of the first noun phrase from `start` on: up to what follows its noun."""
    rows: list[int] = []
    for row in range(start, len(tokens)):
        seen = [tokens[before] for before in rows if may_be_noun_by_lists(tokens[before])]
        # 'paint | the door': a verb before an article is no noun that the tagger missed.
        command = tokens[row].lower in DETERMINERS and all(t.pos == 'VERB' for t in seen)
        if seen and not command and (
                opens_another(tokens, row) or describes_what_came(tokens, row, seen)):
            break
        lower = tokens[row].lower
        if lower not in PREPOSITIONS and lower not in CLAUSE_WORDS - DETERMINERS:
            rows.append(row)
    return rows


def opens_another(tokens: list[Token], row: int) -> bool:
    """Whether a word of a closed class ends the noun phrase before it."""
    token, lower = tokens[row], tokens[row].lower
    if token.comma or lower in PREPOSITIONS or lower in CLAUSE_WORDS or lower in DETERMINERS:
        return not (lower in LOOSE_WORDS and not token.comma and noun_follows(tokens, row))
    # 'the bottom mug' begins with a direction, 'mug bottom left' ends with one.
    return (lower in DIRECTION_OF or lower in LOOSE_WORDS) and not noun_follows(tokens, row)


def describes_what_came(tokens: list[Token], row: int, seen: list[Token]) -> bool:
    """Whether a verb or its participle begins what is said of the noun before it."""
    token, lower = tokens[row], tokens[row].lower
    participle = (
        lower.endswith('ing') and len(lower) > 4 and lower not in ING_NOUNS
        or lower.endswith(('ly', 'ed')) and len(lower) > 3 and lower not in ED_NOUNS)
    if not token.pos:
        return participle
    if not participle and token.pos not in _NO_PARTS:
        return False
    if not any(before.pos in NOMINAL or before.dep == 'ROOT' for before in seen):
        # Adjectives alone came so far: 'a wonderful | grooming service' goes on.
        return token.dep not in MODIFIERS or token.head is None or token.head < row
    return token.pos in _NO_PARTS or not noun_follows(tokens, row)


def noun_follows(tokens: list[Token], row: int) -> bool:
    """Whether the next word is sure to be a noun."""
    after = tokens[row + 1:row + 2]
    if not after or after[0].comma or not may_be_noun(after[0]) or after[0].lower in SIDES:
        return False
    # Without a tagger only 'left hand' is sure to hold a noun; 'walking dog' may be anything.
    return after[0].pos in ('NOUN', 'PROPN') or (
        not after[0].pos and tokens[row].lower in DIRECTION_OF)
