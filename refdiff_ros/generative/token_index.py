"""Where a word of an expression stands in the tokenised prompt.

Letter: L text tokens, start and end tokens counted.
"""

from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.results import ReferringExpression


def root_token_indices(
    tokenizer: Any, expression: ReferringExpression, suffix: str = '',
) -> tuple[int, ...]:
    """Positions of the root's tokens in the encoded prompt, the start token counted.

    A root that is split into several sub-tokens has several positions, in order. The occurrence
    at `expression.root_span` counts, so a word that stands twice is told apart.

    Args:
        tokenizer: a Hugging Face tokenizer; `CLIPTokenizer` or any other.
        expression: the parsed expression.
        suffix: what is appended to the text before it is encoded.

    Raises:
        BadRequestError: the root lies beyond the tokenizer's `model_max_length`, or the
            tokenizer has no token for it.
    """
    return span_token_indices(tokenizer, expression.text + suffix, expression.root_span)


def span_token_indices(
    tokenizer: Any, text: str, span: tuple[int, int],
) -> tuple[int, ...]:
    """Positions of the tokens that cover the characters `span` of `text`.

    Raises:
        BadRequestError: as in `root_token_indices`.
    """
    word = text[slice(*span)]
    if getattr(tokenizer, 'is_fast', False):
        indices = _by_offsets(tokenizer, text, span)
    else:
        indices = _by_prefix(tokenizer, text, span)
    if not indices:
        raise BadRequestError(
            f"expected tokens for {word!r}, but the model's tokenizer has none: use words in "
            'Latin letters')
    limit = tokenizer.model_max_length
    # The last place of a truncated prompt is the end token's.
    if indices[-1] >= limit - 1:
        raise BadRequestError(
            f'expected {word!r} among the first {limit - 2} tokens of the expression, got it at '
            f'token {indices[-1]}: say it shorter')
    return indices


def _by_offsets(tokenizer: Any, text: str, span: tuple[int, int]) -> tuple[int, ...]:
    offsets = tokenizer(text, return_offsets_mapping=True, truncation=False)['offset_mapping']
    start, end = span
    # Special tokens have empty offsets and overlap nothing.
    return tuple(row for row, (first, last) in enumerate(offsets)
                 if max(first, start) < min(last, end))


def _by_prefix(tokenizer: Any, text: str, span: tuple[int, int]) -> tuple[int, ...]:
    # A word starts a new token, so the text up to a word's end encodes as a prefix of the whole.
    before = _length(tokenizer, text[:span[0]].rstrip())
    until = _length(tokenizer, text[:span[1]])
    return tuple(range(1 + before, 1 + until))


def _length(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False, truncation=False)['input_ids'])
