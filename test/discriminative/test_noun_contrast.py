"""Texts about other objects, and what CLIP makes of them."""

import numpy as np
import pytest
from tiny_models import tiny_clip

from refdiff_ros.discriminative.noun_contrast import (
    COLOURS,
    encode_others,
    NOUNS,
    other_texts,
    share_of_own,
)
from refdiff_ros.discriminative.similarity import prepare_frame
from refdiff_ros.discriminative.text_feature import text_features
from refdiff_ros.language.expression import parse
from refdiff_ros.presets import DiscriminativeConfig
from refdiff_ros.results import Frame


def test_the_root_gives_way_to_each_other_noun_and_the_colour_to_each_other():
    pairs = other_texts(parse('the red mug left of the box'), 'phrase', 'root')
    assert ('the red cup', 'cup') in pairs and ('the blue mug', 'mug') in pairs
    assert not any(sentence == 'the red mug' for sentence, _ in pairs)
    assert len(pairs) == len(NOUNS) - 1 + len(COLOURS) - 1


def test_the_whole_expression_keeps_what_is_not_the_root():
    pairs = other_texts(parse('the mug left of the box'), 'expression', 'root')
    assert ('the cup left of the box', 'cup') in pairs
    assert len(pairs) == len(NOUNS) - 1


def test_two_colours_are_left_alone_and_strange_roots_are_no_trouble():
    assert len(other_texts(parse('the red and blue mug'), 'phrase')) == len(NOUNS) - 1
    assert len(other_texts(parse('the thingamajig'), 'phrase', 'phrase')) == len(NOUNS)


def test_the_share_is_a_softmax_and_survives_large_scales():
    match = np.array([[0.30, 0.20], [0.20, 0.30]])
    assert share_of_own(match, 10.0) == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    assert share_of_own(match, 1e6) == pytest.approx([1.0, 0.0])


def test_others_are_encoded_as_expressions_are():
    clip, expression = tiny_clip(), parse('the red mug')
    others = encode_others(clip, [('the red mug', 'mug'), ('the red cup', 'cup')])
    alone = text_features(clip, expression, 'phrase', 'root')
    first = next(iter(others))
    np.testing.assert_allclose(first.sentence.numpy(), alone.sentence.numpy(), atol=1e-5)
    np.testing.assert_allclose(first.local.numpy(), alone.local.numpy(), atol=1e-5)


def test_a_frame_compares_the_expression_first():
    rng = np.random.default_rng(0)
    frame = Frame(rng.integers(0, 255, (32, 48, 3), dtype=np.uint8))
    masks = rng.random((3, 32, 48)) < 0.5
    state = prepare_frame(tiny_clip(), frame, masks, DiscriminativeConfig())
    expression, rows = parse('the red mug'), np.array([2, 0])
    match = state.contrast(expression, rows)
    assert match.shape == (2, len(NOUNS) + len(COLOURS) - 1)
    np.testing.assert_allclose(match[:, 0], state.score(expression)[rows], atol=1e-5)
    assert state.scale > 1
