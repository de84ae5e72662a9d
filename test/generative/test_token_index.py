import pytest
from tiny_models import tiny_tokenizer

from refdiff_ros.errors import BadRequestError
from refdiff_ros.generative.token_index import root_token_indices, span_token_indices
from refdiff_ros.language.expression import parse
from refdiff_ros.results import ReferringExpression


@pytest.fixture(scope='module')
def tokenizer():
    return tiny_tokenizer()


class SlowTokenizer:
    """A tokenizer without offsets, as the pure-Python ones are."""

    is_fast = False

    def __init__(self, fast):
        self._fast = fast
        self.model_max_length = fast.model_max_length

    def __call__(self, text, add_special_tokens=True, truncation=False):
        return self._fast(text, add_special_tokens=add_special_tokens, truncation=truncation)


@pytest.fixture(params=['offsets', 'prefix'])
def either(request, tokenizer):
    return tokenizer if request.param == 'offsets' else SlowTokenizer(tokenizer)


def _at(text, word, occurrence=0):
    start = -1
    for _ in range(occurrence + 1):
        start = text.index(word, start + 1)
    return ReferringExpression(text, word, (start, start + len(word)))


@pytest.mark.parametrize('expression, expected', [
    (_at('mug', 'mug'), (1,)),
    (_at('the red mug', 'mug'), (3,)),
    (_at('The RED Mug', 'Mug'), (3,)),
    (_at('red, (mug)!', 'mug'), (4,)),
    (_at('mug behind the mug', 'mug', 1), (4,)),
    (_at('mug behind the mug', 'mug', 0), (1,)),
    # 'bottle' has no token of its own: bo t t l e.
    (_at('red bottle left', 'bottle'), (2, 3, 4, 5, 6)),
    (_at("the mug's box", 'box'), (5,)),
])
def test_positions_count_the_start_token(either, expression, expected):
    assert root_token_indices(either, expression) == expected


@pytest.mark.parametrize('text', [
    'the red mug on the left', 'café bottle', 'bottle, bottle; box', 'zwölf größere Boxen'])
def test_each_words_tokens_decode_to_the_word(tokenizer, text):
    ids = tokenizer(text).input_ids
    for word in parse(text).text.split():
        start = text.index(word)
        rows = span_token_indices(tokenizer, text, (start, start + len(word)))
        assert tokenizer.decode([ids[row] for row in rows]).replace(' ', '') == word.lower()


def test_a_suffix_moves_nothing_before_it(either):
    expression = _at('the red mug', 'mug')
    assert root_token_indices(either, expression, ', ') == (3,)


def test_a_root_beyond_the_limit_says_how_far(either):
    expression = _at('red ' * 40 + 'mug', 'mug')
    with pytest.raises(BadRequestError, match="'mug' among the first 30 tokens .* at token 41"):
        root_token_indices(either, expression)


def test_the_last_place_is_the_end_tokens(either):
    assert root_token_indices(either, _at('red ' * 29 + 'mug', 'mug')) == (30,)
    with pytest.raises(BadRequestError, match='say it shorter'):
        root_token_indices(either, _at('red ' * 30 + 'mug', 'mug'))
