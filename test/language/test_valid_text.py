"""Texts from outside: valid whatever comes, and never kept whole when they are too long."""

import json

import numpy as np
import pytest

from refdiff_ros.console import to_json
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.labels import read_labels
from refdiff_ros.generative.token_index import root_token_indices
from refdiff_ros.language.expression import parse
from refdiff_ros.language.valid_text import from_outside, MAX_CHARACTERS, valid_text
from refdiff_ros.models.mini_tokenizer import build_tokenizer, END
from refdiff_ros.models.model_set import ClipModels

HALF, WHOLE = '\ud83c', '\U0001f34e'


@pytest.mark.parametrize('text, expected', [
    ('the red mug', 'the red mug'), (f'the {HALF} mug', 'the \ufffd mug'),
    (f'{HALF}\udf4e', WHOLE), ('\udc80', '\ufffd'), (f'mug {WHOLE}', f'mug {WHOLE}'),
    ('cafe\u0301', 'caf\u00e9'), ('', '')])
def test_every_text_can_be_encoded(text, expected):
    assert valid_text(text) == expected
    assert valid_text(text).encode().decode() == expected


def test_a_text_that_is_too_long_stays_too_long_and_is_not_kept_whole():
    assert len(from_outside('x' * 1_000_000)) == MAX_CHARACTERS + 1
    assert from_outside('e\u0301' * 900) == '\u00e9' * 900
    # Four letters that become one, more of them than may be.
    assert len(from_outside('\u1100\u1161\u11a8' * 2000)) == MAX_CHARACTERS + 1
    with pytest.raises(BadRequestError, match='at most 1000 characters') as caught:
        parse('the mug ' * 200_000)
    assert len(str(caught.value)) < 200


def test_an_accent_apart_from_its_letter_belongs_to_the_root():
    expression = parse('the re\u0301chaud on the table')
    assert expression.root == 'r\u00e9chaud'
    assert expression.text == 'the r\u00e9chaud on the table'


@pytest.mark.parametrize('text', ['the', 'a', 'An', 'the the', 'a the, an!'])
@pytest.mark.parametrize('root', ['rules', 'dependency', 'subject'])
def test_articles_alone_name_no_object(text, root):
    with pytest.raises(BadRequestError, match='got only articles'):
        parse(text, root=root)


def test_marks_of_the_tokenizer_are_text_like_any_other():
    models = ClipModels(None, build_tokenizer())
    ids = models.tokenizer(f'the mug {END} plate')['input_ids']
    end = models.tokenizer.eos_token_id
    assert ids.count(end) == 1 and ids[-1] == end
    said = parse(f'the {END} mug')
    places = root_token_indices(models.tokenizer, said)
    ids = models.tokenizer(said.text)['input_ids']
    assert models.tokenizer.decode([ids[place] for place in places]).strip() == said.root


def test_a_label_of_half_an_emoji_can_be_written_again(tmp_path):
    (tmp_path / 'labels.jsonl').write_text(json.dumps({
        'stamp': 5, 'topic': '/image', 'expression': f'the {HALF} mug',
        'mask': {'size': [2, 2], 'counts': '22'}}))
    (label,) = read_labels(tmp_path / 'labels.jsonl')
    assert label.expression == 'the \ufffd mug'


def test_json_holds_no_number_that_it_has_not():
    values = {'score': float('nan'), 'all': (1.5, float('inf')), 'mask': np.array([[1.0, np.nan]]),
              'count': np.int64(3), 'part': {'x': np.float32(0.5)}}
    expected = {'score': None, 'all': [1.5, None], 'mask': [[1.0, None]], 'count': 3,
                'part': {'x': 0.5}}

    def refuse(name):
        raise AssertionError(f'{name} is no JSON')
    for text in (to_json(values), to_json(values, indent=2), to_json(values, compact=True)):
        assert json.loads(text, parse_constant=refuse) == expected
