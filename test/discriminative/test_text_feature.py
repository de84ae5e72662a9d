"""The text side of Eq. (10)."""

import logging

import pytest
from tiny_models import tiny_clip
import torch
from torch.nn import functional as F

from refdiff_ros.discriminative.text_feature import (
    mix_text,
    sentence_of,
    text_features,
    TextFeatures,
)
from refdiff_ros.results import ReferringExpression


def expression(text, root):
    start = text.index(root)
    return ReferringExpression(text=text, root=root, root_span=(start, start + len(root)))


@torch.no_grad()
def own_feature(clip, text):
    """A text through transformers' forward pass, alone and without padding."""
    ids = clip.tokenizer(text, return_tensors='pt')['input_ids']
    pooled = clip.model.text_model(input_ids=ids).pooler_output
    return F.normalize(clip.model.text_projection(pooled), dim=-1)[0]


def test_sentence_and_root_are_encoded_as_texts_of_their_own(clip):
    found = text_features(clip, expression('the red mug on the left', 'mug'))
    torch.testing.assert_close(
        found.sentence, own_feature(clip, 'the red mug on the left'), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.local, own_feature(clip, 'mug'), atol=1e-5, rtol=0)
    assert (found.sentence - found.local).abs().max() > 1e-4


def test_the_phrase_alone_is_read_where_asked_for(clip):
    words = ReferringExpression(
        text='the red mug on the left', root='mug', root_span=(8, 11), phrase='the red mug')
    found = text_features(clip, words, 'phrase')
    torch.testing.assert_close(found.sentence, own_feature(clip, 'the red mug'), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.local, own_feature(clip, 'mug'), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        text_features(clip, words).sentence, own_feature(clip, words.text), atol=1e-5, rtol=0)


def test_without_a_phrase_the_whole_expression_is_read():
    assert sentence_of(expression('bottom left', 'left'), 'phrase') == 'bottom left'


def test_the_mean_is_not_brought_back_to_length_1():
    features = TextFeatures(sentence=torch.tensor([1.0, 0.0]), local=torch.tensor([0.0, 1.0]))
    assert mix_text(features, 0.5).tolist() == [0.5, 0.5]
    assert mix_text(features, 1.0).tolist() == [1.0, 0.0]
    assert mix_text(features, 0.25).tolist() == [0.25, 0.75]


def test_a_text_beyond_the_limit_is_cut_with_a_warning(clip, caplog):
    long = 'mug ' + 'and another thing ' * 100
    with caplog.at_level(logging.WARNING):
        found = text_features(clip, expression(long.strip(), 'mug'))
    assert torch.isfinite(found.sentence).all()
    assert 'its end is cut' in caplog.text


def test_a_short_text_is_encoded_without_a_warning(clip, caplog):
    with caplog.at_level(logging.WARNING):
        text_features(clip, expression('mug', 'mug'))
    assert caplog.text == ''


@pytest.mark.parametrize('text', ['杯子', 'mug \N{HOT BEVERAGE}', 'é'])
def test_any_characters_are_encoded(clip, text):
    assert torch.isfinite(text_features(clip, expression(text, text)).sentence).all()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_gives_float32_features(dtype):
    half = tiny_clip()
    exact = text_features(half, expression('red mug', 'mug'))
    half.model.to(dtype)
    found = text_features(half, expression('red mug', 'mug'))
    assert found.sentence.dtype == torch.float32
    assert F.cosine_similarity(found.sentence, exact.sentence, dim=0) > 0.99
