"""What else a region might be called: the expression's own phrase with another noun or colour.

An expression that is true of a region fits it better than the same words about another object.
CLIP's own temperature, which it was trained with, says how much better counts how much; nothing is
fitted.

Letters: R regions, K other texts, E width of CLIP's common space.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import re

import numpy as np
import torch

from refdiff_ros.discriminative.text_feature import (
    encode_texts,
    local_of,
    sentence_of,
    TextFeatures,
)
from refdiff_ros.language.words import split_words
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.results import ReferringExpression

# Things about a house and a workplace, far enough apart that few of them are another's synonym.
NOUNS = tuple("""
    mug cup bowl bottle can box plate ball book knife fork spoon pen phone keyboard mouse lamp
    chair table wall floor hand person car dog cat tree door window shoe hat bag towel scissors
    hammer screwdriver brush clock flower banana apple orange
""".split())
COLOURS = tuple('red orange yellow green blue purple pink brown black white grey'.split())


@dataclass(frozen=True)
class OtherTexts:
    """Texts that say something else, as CLIP reads them.

    Attributes:
        sentences: (K, E) in the place of the expression.
        locals: (K, E) in the place of its root word, or phrase.
    """

    sentences: torch.Tensor
    locals: torch.Tensor

    def __iter__(self) -> Iterator[TextFeatures]:
        """Each as the text features of an expression."""
        pairs = zip(self.sentences, self.locals, strict=True)
        return (TextFeatures(sentence, local) for sentence, local in pairs)


def other_texts(
    expression: ReferringExpression, text: str = 'expression', local: str = 'root',
) -> list[tuple[str, str]]:
    """Pairs of a sentence and a local text that are about another object.

    First the expression with each other noun in place of its root word; then, where the phrase
    names a single colour, with each other colour.

    Args:
        expression: parsed.
        text: as in `sentence_of`.
        local: as in `local_of`.
    """
    named = {expression.root.lower(), *(word.lower() for word in expression.conjuncts)}
    sentence, beside = sentence_of(expression, text), local_of(expression, local)
    root = expression.root
    pairs = [(_swapped(sentence, root, noun, f'the {noun}'), _swapped(beside, root, noun, noun))
             for noun in NOUNS if noun not in named]
    words = {word.lower for word in split_words(expression.phrase)} - named
    colours = words.intersection(COLOURS)
    if len(colours) == 1:
        (own,) = colours
        pairs += [
            (_swapped(sentence, own, other, sentence), _swapped(beside, own, other, beside))
            for other in COLOURS if other != own]
    return pairs


def encode_others(clip: ClipModels, pairs: Sequence[tuple[str, str]]) -> OtherTexts:
    """The features of `other_texts`, all in one batch."""
    sentences, local_texts = zip(*pairs, strict=True)
    texts = list(dict.fromkeys((*sentences, *local_texts)))
    features = encode_texts(clip, texts)  # (T, E)
    rows = {each: row for row, each in enumerate(texts)}
    return OtherTexts(*(features[[rows[each] for each in part]]
                        for part in (sentences, local_texts)))


def share_of_own(match: np.ndarray, scale: float) -> np.ndarray:
    """How much of the belief the expression has beside the other texts, for each region.

    The softmax with which CLIP was trained, over the texts of one region.

    Args:
        match: (R, 1 + K), how well the expression and each other text fit each region.
        scale: CLIP's, one over its temperature.

    Returns:
        (R,) in 0..1.
    """
    logits = scale * match.astype(np.float64)
    behind = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(np.exp(behind[:, 0]) / np.exp(behind).sum(axis=1))


def _swapped(text: str, word: str, other: str, without: str) -> str:
    """The last whole `word` of `text` replaced, the head of a noun phrase; `without` if none."""
    places = list(re.finditer(rf'\b{re.escape(word)}\b', text, re.IGNORECASE))
    if not places:
        return without
    start, end = places[-1].span()
    return f'{text[:start]}{other}{text[end:]}'
