"""A sentence as the stages after `speech` see it: its words with what the parser says of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from refdiff_ros.language.instruction.speech import Heard, listen
from refdiff_ros.language.tokens import make_tokens, Token

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
    def marked(self) -> str:
        """`Heard.marked`."""
        return self.heard.marked

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
    """The words of `text` with what the parser says of them."""
    heard = listen(text)
    tokens, _ = make_tokens(heard.words, heard.marked, nlp)
    return Sentence(heard, tuple(tokens))
