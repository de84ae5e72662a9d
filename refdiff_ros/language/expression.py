"""From a sentence to its root word, its direction words and its relations."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
import unicodedata

from refdiff_ros.errors import BadRequestError
from refdiff_ros.language import root_rules
from refdiff_ros.language.directions import find_directions
from refdiff_ros.language.object_phrase import object_phrase
from refdiff_ros.language.own_phrase import own_phrase
from refdiff_ros.language.relations import find_relations, RelationSpan
from refdiff_ros.language.root_without_parser import find_head
from refdiff_ros.language.shipped_parser import load_parser
from refdiff_ros.language.valid_text import from_outside, MAX_CHARACTERS
from refdiff_ros.language.words import ARTICLES, split_words, Word
from refdiff_ros.results import ReferringExpression
from refdiff_ros.stages import stage

__all__ = (
    'MAX_CHARACTERS', 'clean_text', 'load_parser', 'parse', 'parser_name', 'root_alone')

_NO_PIPELINE = 'no spaCy pipeline is loaded: rules found the root word'

_SUBJECTS = frozenset(('nsubj', 'nsubjpass', 'nsubj:pass', 'csubj', 'csubjpass', 'csubj:pass'))
_NOUN_TAGS = frozenset(('NOUN', 'PROPN', 'PRON', ''))


@stage('parse')
def parse(
    text: str, nlp: Callable[[str], Any] | None = None, root: str = 'dependency',
) -> ReferringExpression:
    """Parse a referring expression.

    Args:
        text: an English noun phrase or sentence, 1 to 1,000 characters.
        nlp: a spaCy pipeline with a dependency parser; without one, rules find the root and the
            result says so.
        root: 'dependency' takes the ROOT of the dependency tree (the paper, Sec. 3.2); 'subject'
            takes the first token that is ROOT or a subject, at the first place where its letters
            stand in the text, as the authors' code does; 'rules' mends the tree's root by rules
            that know commands and telegraphic expressions (`rule_layer`). Without a pipeline
            'dependency' and 'subject' are the head of the first noun phrase.

    Raises:
        BadRequestError: the expression is empty, too long, or has no word in it.
    """
    text = clean_text(text)
    words = split_words(text)
    if not words:
        raise BadRequestError(
            f'expected a referring expression in words, got {text!r}: name the object, for '
            "example 'the red mug'")
    if all(word.lower in ARTICLES for word in words):
        raise BadRequestError(
            f'expected a word for an object, got only articles in {text!r}: name the object, for '
            "example 'the red mug'")
    if root == 'rules':
        return _parse_by_rules(text, words, nlp)
    if nlp is None:
        word, has_noun = find_head(words)
        parser = 'rules'
    else:
        word, has_noun = _tree_root(nlp(text), text, root)
        parser = parser_name(nlp)
    relations = find_relations(text, words)
    directions = find_directions(words, word, tuple(found.other_span for found in relations))
    return ReferringExpression(
        text=text, root=word.text, root_span=(word.start, word.end), has_noun=has_noun,
        directions=directions, relations=tuple(found.relation for found in relations),
        parser=parser, notes=_notes(nlp, word, has_noun), phrase=_phrase_by_rules(text, words))


def _phrase_by_rules(text: str, words: tuple[Word, ...]) -> str:
    # The tree's root may be a command's verb or a word of another noun phrase.
    described = object_phrase(words, text)
    root, _ = find_head(described)
    relations = find_relations(text[:described[-1].end], described, described[0].start)
    return own_phrase(text, described, root, relations)


def root_alone(expression: ReferringExpression) -> ReferringExpression | None:
    """The expression of the root's own noun phrase ('the red mug'); None where it has none."""
    phrase = expression.phrase
    words = split_words(phrase)
    if not words:
        return None
    named = [word for word in words if word.text == expression.root]
    root, has_noun = (named[-1], expression.has_noun) if named else find_head(words)
    return ReferringExpression(
        text=phrase, root=root.text, root_span=(root.start, root.end), has_noun=has_noun,
        parser=expression.parser, phrase=phrase)


def _parse_by_rules(
    text: str, words: tuple[Word, ...], nlp: Callable[[str], Any] | None,
) -> ReferringExpression:
    reading = root_rules.read(words, text, nlp)
    word, (first, end) = reading.root, reading.span
    # What a command does with the object ('... in the box') says nothing about where it is.
    described = tuple(found for found in words if first <= found.start < end)
    relations = find_relations(text[:end], described, first)
    directions = find_directions(described, word, tuple(found.other_span for found in relations))
    own = tuple(found for found in described if not _is_of_relation(found, relations))
    return ReferringExpression(
        text=text, root=word.text, root_span=(word.start, word.end), has_noun=reading.has_noun,
        directions=directions, relations=tuple(found.relation for found in relations),
        parser='rules' if nlp is None else f'{parser_name(nlp)}+rules',
        notes=_notes(nlp, word, reading.has_noun), conjuncts=reading.conjuncts,
        ordinals=root_rules.ordinals(own), superlatives=root_rules.superlatives(own),
        phrase=own_phrase(text, described, word, relations))


def _is_of_relation(word: Word, relations: tuple[RelationSpan, ...]) -> bool:
    """Whether a word belongs to a relation ('closest to') or to its other noun phrase."""
    return any(found.start <= word.start < found.other_span[1] for found in relations)


@lru_cache(maxsize=4)
def parser_name(nlp: Any) -> str:
    """How results name a spaCy pipeline: 'spacy:<language>_<name>'."""
    return f"spacy:{nlp.meta.get('lang', '')}_{nlp.meta.get('name', '')}"


def _notes(nlp: Callable[[str], Any] | None, root: Word, has_noun: bool) -> tuple[str, ...]:
    notes = [] if nlp is not None else [_NO_PIPELINE]
    if not has_noun:
        notes.append(f'no object noun was found: {root.text!r} stands for the object')
    return tuple(notes)


def clean_text(text: str) -> str:
    """`text` in one line, without control characters and outer white space, as `valid_text`.

    Raises:
        BadRequestError: it is no str, empty, or longer than `MAX_CHARACTERS`.
    """
    if not isinstance(text, str):
        raise BadRequestError(f'expected an expression as str, got {type(text).__name__}')
    text = from_outside(text)
    if len(text) > MAX_CHARACTERS:
        raise BadRequestError(
            f'expected an expression of at most {MAX_CHARACTERS} characters, got more: '
            'describe one object in one sentence')
    # Line breaks and tabs are white space; other control characters would reach logs and prompts.
    plain = ''.join(' ' if character.isspace() else character for character in text
                    if character.isspace() or unicodedata.category(character) != 'Cc')
    plain = plain.strip()
    if not plain:
        raise BadRequestError('expected a referring expression, got an empty one: name the '
                              "object, for example 'the red mug'")
    return plain


def _tree_root(doc: Any, text: str, root: str) -> tuple[Word, bool]:
    tokens = [token for token in doc if not token.is_space]
    if root == 'subject':
        token = next((t for t in tokens if t.dep_ == 'ROOT' or t.dep_ in _SUBJECTS), tokens[0])
        start = text.find(token.text)
    else:
        token = next((t for t in tokens if t.dep_ == 'ROOT'), tokens[0])
        start = token.idx
    return Word(token.text, start, start + len(token.text)), token.pos_ in _NOUN_TAGS
