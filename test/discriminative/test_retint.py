"""Tests of proposals shown in one colour."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from refdiff_ros.discriminative.retint import retinted
from refdiff_ros.discriminative.similarity import prepare_frame
from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import DiscriminativeConfig
from refdiff_ros.results import Frame, ReferringExpression

CONFIG = DiscriminativeConfig(beta=0.0, crop_fit='box', text_local='phrase')
MUG = ReferringExpression('the black mug', 'mug', (10, 13), phrase='the black mug')


@pytest.fixture(scope='module')
def frame():
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    masks = np.zeros((3, 48, 64), bool)
    masks[0, 4:20, 4:20] = masks[1, 10:40, 30:60] = masks[2, 20:46, 2:20] = True
    return Frame(image), masks


@pytest.mark.parametrize('colour', [(1.0, 1.0, 1.0), (0.1, 0.1, 0.1), (0.2, 0.4, 0.1)])
def test_a_thing_looks_alike_whatever_its_colour(colour):
    """The shading that tells its shape stays, and is as bright on black as on white."""
    shade = torch.linspace(0.5, 1, 100).reshape(10, 10)
    image = shade * torch.tensor(colour)[:, None, None] * 255
    mask = torch.ones(10, 10, dtype=torch.bool)
    white = retinted(shade.repeat(3, 1, 1) * 255, mask)
    torch.testing.assert_close(retinted(image, mask), white)
    assert (white[0] > white[1]).all()
    assert torch.equal(white[1], white[2])
    assert white.max() <= 255 * 0.85


def test_what_is_not_in_the_mask_does_not_set_the_brightness():
    image = torch.full((3, 8, 8), 40.0)
    image[:, :, 4:] = 255.0
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:, :4] = True
    assert retinted(image, mask)[0, 0, 0] == pytest.approx(255 * 0.85 * 0.85)
    assert not retinted(image, ~mask & mask).any()


def test_the_score_is_that_of_the_crop_and_the_shape(clip, frame):
    picture, masks = frame
    plain = prepare_frame(clip, picture, masks, CONFIG).score(MUG)
    once, twice = (prepare_frame(clip, picture, masks, replace(CONFIG, retint=share)).score(MUG)
                   for share in (0.5, 1.0))
    np.testing.assert_allclose(twice - plain, 2 * (once - plain), atol=1e-6)
    assert np.abs(once - plain).max() > 1e-3


def test_colour_words_and_other_rows_change_nothing_of_it(clip, frame):
    picture, masks = frame
    config = replace(CONFIG, retint=1.0)
    shapes = []
    for text in ('the black mug', 'the white mug'):
        asked = ReferringExpression(text, 'mug', (10, 13), phrase=text)
        whole = prepare_frame(clip, picture, masks, config).score(asked, np.array([2, 0]))
        shapes.append(whole - prepare_frame(clip, picture, masks, CONFIG).score(asked))
    np.testing.assert_allclose(shapes[0], shapes[1], atol=1e-6)
    assert np.isnan(shapes[0]).tolist() == [False, True, False]


def test_after_prefetch_only_text_is_paid_for(clip, frame):
    picture, masks = frame
    prepared = prepare_frame(clip, picture, masks, replace(CONFIG, retint=0.5))
    prepared.prefetch()
    passes = []
    hook = clip.model.vision_model.register_forward_hook(lambda *_: passes.append(1))
    prepared.score(MUG)
    hook.remove()
    assert not passes


def test_a_weight_below_0_is_refused():
    with pytest.raises(BadRequestError, match=r'discriminative\.retint >= 0, got -1'):
        DiscriminativeConfig(retint=-1)
