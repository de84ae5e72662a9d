"""A sentence as the stages after `speech` see it: its words with what the parser says of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from refdiff_ros.language.instruction.speech import Heard, listen
from refdiff_ros.language.tokens import is_modifier, make_tokens, Token
from refdiff_ros.language.words import DETERMINERS, PREPOSITIONS, Word

Span = tuple[int, int]  # rows of tokens: the first, and the one after the last


@dataclass(frozen=True)
class Sentence:
    """The words of an instruction, in rows.

    Attributes:
        heard: the words as they were meant, with their places in the text.
        tokens: the same with tags and tree; empty tags without a parser.
    """

    heard: Heard
    tokens: tuple[Token, ...]

    @cached_property
    def lower(self) -> tuple[str, ...]:
        """The words in lower case."""
        return tuple(token.lower for token in self.tokens)

    def words(self, span: Span) -> tuple[str, ...]:
        """The words of some rows in lower case."""
        return self.lower[slice(*span)]

    def characters(self, span: Span) -> tuple[int, int]:
        """Where some rows stand in the text."""
        return self.tokens[span[0]].word.start, self.tokens[span[1] - 1].word.end

    def said(self, span: Span) -> str:
        """Some rows as they stand in the text."""
        return self.heard.text[slice(*self.characters(span))]

    def meant(self, span: Span) -> str:
        """Some rows as they were meant: without fillers and slips."""
        return self.heard.phrase(tuple(token.word for token in self.tokens[slice(*span)]))


def parse_sentence(text: str, nlp: Callable[[str], Any] | None) -> Sentence:
    """The words of `text` with what the parser says of them.

    The parser takes 'can' for a verb wherever it stands: where it must be a noun, another noun
    is parsed in its place.
    """
    heard = listen(text)
    shown = tuple(Word('jar', word.start, word.end) if _is_can(heard.words, row) else word
                  for row, word in enumerate(heard.words))
    tokens, _ = make_tokens(shown, text, nlp)
    return Sentence(
        heard, tuple(replace(token, word=word) for token, word in zip(tokens, heard.words)))


def _is_can(words: tuple[Word, ...], row: int) -> bool:
    if words[row].lower != 'can' or row == 0:
        return False
    before = words[row - 1]
    following = words[row + 1].lower if row + 1 < len(words) else ''
    described = before.lower in DETERMINERS | PREPOSITIONS | {'empty'} or is_modifier(
        Token(before))
    return described and following not in ('you', 'i', 'we', 'not')
