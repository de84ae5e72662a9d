"""From an expression to the word for its object: the dependency tree, mended by rules.

A parser that learned from a treebank has met few telegraphic expressions and commands. Each rule
here is a function that looks at the word which stands for the object so far and gives a better
one, or the same. Without a parser the rules start from the head of the first noun phrase; with
one they start from the tree's root too, and the parser tells between the two answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refdiff_ros.language.object_phrase import object_phrase
from refdiff_ros.language.tokens import (
    describes_what_came,
    is_modifier,
    is_superlative,
    make_tokens,
    may_be_noun,
    may_be_noun_by_lists,
    MODIFIERS,
    NOMINAL,
    noun_follows,
    nouns_of,
    opens_another,
    spell_out,
    Token,
)
from refdiff_ros.language.words import (
    CLAUSE_WORDS,
    DETERMINERS,
    ING_NOUNS,
    PARTITIVES,
    PREPOSITIONS,
    SIZE_COMPARATIVES,
    VIEWERS,
    Word,
)

_SUBJECTS = ('nsubj', 'nsubj:pass', 'nsubjpass', 'csubj', 'nsubj:outer')
_ORDINAL_ROWS = {word: row for row, word in enumerate(
    'first second third fourth fifth sixth seventh eighth ninth tenth'.split(), 1)}
_SUFFIXED = ('st', 'nd', 'rd', 'th')


@dataclass(frozen=True)
class Reading:
    """What the rules found.

    Attributes:
        root: the word for the object.
        has_noun: whether it is a noun; otherwise it is the best word there is.
        conjuncts: all objects that are named ('the mug and the plate'), the root first; empty
            for one object.
        span: characters of the text that name and describe the object; the rest is a command.
    """

    root: Word
    has_noun: bool
    conjuncts: tuple[str, ...]
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
        root=named, has_noun=not is_modifier(tokens[row]), conjuncts=conjuncts(tokens, row),
        span=(phrase[0].start, phrase[-1].end))


def _apply_rules(
    words: tuple[Word, ...], text: str, nlp: Callable[[str], Any] | None,
) -> tuple[list[Token], int]:
    tokens, row = make_tokens(words, text, nlp)
    for rule in _RULES:
        row = rule(tokens, row)
    return tokens, row


def _better(tokens: list[Token], by_rules: int, by_tree: int) -> int:
    """The rules' answer, unless the parser takes it for what describes another noun.

    Rules know how expressions are built and the parser knows words: in 'shiny folded towel' it
    sees that 'shiny' is none of the nouns.
    """
    token, other = tokens[by_rules], tokens[by_tree]
    if is_modifier(token):
        return by_tree
    described = token.pos not in NOMINAL and token.dep in MODIFIERS
    return by_tree if described and other.pos in NOMINAL else by_rules


def verb_gives_its_noun(tokens: list[Token], row: int) -> int:
    """'man is riding' gives 'man': the subject, else a noun before, else the object."""
    if tokens[row].pos in NOMINAL or tokens[row].pos in ('', 'X') or is_modifier(tokens[row]):
        return row
    children = [child for child, token in enumerate(tokens) if token.head == row and child != row]
    for child in children:
        if tokens[child].dep in _SUBJECTS and may_be_noun(tokens[child]):
            return child
    phrase = nouns_of(tokens)
    before = [at for at in phrase if at < row]
    objects = [child for child in children
               if tokens[child].dep in ('obj', 'dobj') and may_be_noun(tokens[child])]
    return (before[-1:] or objects[:1] or phrase[-1:] or [row])[0]


def ing_gives_the_noun_before(tokens: list[Token], row: int) -> int:
    """'guy standing' gives 'guy'; 'cutting board', 'ring' stay."""
    lower = tokens[row].lower
    if not lower.endswith('ing') or len(lower) <= 4 or lower in ING_NOUNS:
        return row
    before = [at for at in range(row) if may_be_noun_by_lists(tokens[at])
              and tokens[at].pos in ('', 'NOUN', 'PROPN', 'PRON', 'VERB')]
    return before[-1] if before and not noun_follows(tokens, row) else row


def root_is_in_the_first_phrase(tokens: list[Token], row: int) -> int:
    """A root beyond the first noun phrase gives that phrase's last noun ('tie | on the chair')."""
    nouns = nouns_of(tokens)
    return row if not nouns or row in nouns else nouns[-1]


def compound_ends_with_its_noun(tokens: list[Token], row: int) -> int:
    """'tennis player' and "mans hand" are a player and a hand."""
    while row + 1 < len(tokens) and not tokens[row + 1].comma \
            and may_be_noun(tokens[row]) and tokens[row + 1].pos in ('NOUN', 'PROPN') \
            and may_be_noun(tokens[row + 1]) and tokens[row + 1].dep != 'flat' \
            and not opens_another(tokens, row + 1) \
            and not describes_what_came(tokens, row + 1, tokens[row:row + 1]):
        row += 1
    return row


def direction_gives_the_noun_it_modifies(tokens: list[Token], row: int) -> int:
    """'left', 'blue', 'second' or 'largest' as root give the noun that they tell apart."""
    nouns = nouns_of(tokens)
    if not nouns:
        return row
    if _only_viewer(tokens, nouns):
        described = [at for at in range(nouns[0]) if is_modifier(tokens[at])
                     and tokens[at].lower not in DETERMINERS]
        return described[0] if described else row
    return nouns[-1] if is_modifier(tokens[row]) else row


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
        nouns = nouns_of(tokens, row + 2)
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
        nouns = nouns_of(tokens, start)
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
    """'second', '2nd', 'last', 'next to last' as numbers: 2, 2, -1, -2."""
    found: list[int] = []
    all_lower = [word.lower for word in words]
    for row, lower in enumerate(all_lower):
        if tuple(all_lower[row + 1:row + 3]) == ('to', 'last') and (
                lower == 'next' or lower in _ORDINAL_ROWS):
            return (-_ORDINAL_ROWS.get(lower, 2),)
        if lower in _ORDINAL_ROWS:
            found.append(_ORDINAL_ROWS[lower])
        elif lower == 'last':
            found.append(-1)
        elif lower[:-2].isdigit() and lower.endswith(_SUFFIXED):
            found.append(int(lower[:-2]))
    return tuple(found)


def is_ordinal(lower: str) -> bool:
    """Whether a word in lower case counts: 'second', '2nd', 'last'."""
    return lower in _ORDINAL_ROWS or lower == 'last' or (
        lower[:-2].isdigit() and lower.endswith(_SUFFIXED))


def superlatives(words: tuple[Word, ...]) -> tuple[str, ...]:
    """'largest', 'most expensive', in lower case; 'the larger mug' is the largest one."""
    found = []
    compared = any(word.lower == 'than' for word in words)
    for row, word in enumerate(words):
        lower = word.lower
        if lower in ('most', 'least') and row + 1 < len(words):
            found.append(f'{lower} {words[row + 1].lower}')
        elif lower in ('best', 'worst') or is_superlative(lower):
            found.append(lower)
        elif lower in SIZE_COMPARATIVES and not compared:
            found.append(SIZE_COMPARATIVES[lower])
    return tuple(found)
