"""The baseline in the published order and preset `released` answer alike."""

import numpy as np
import pytest

from refdiff_ros.benchmark import published_order
from refdiff_ros.engine import Engine
from refdiff_ros.presets import get_preset, Mode
from refdiff_ros.results import Frame

# Random weights propose nothing under the published thresholds.
SMALL = {
    'generative': {'image_size': 32}, 'discriminative': {'crop_size': 32},
    'proposals': {'points_per_side': 4, 'pred_iou_thresh': -10.0, 'stability_score_thresh': -1.0,
                  'box_nms_thresh': 0.9, 'min_area_px': 30, 'max_proposals': 5},
}
TEXTS = ['the red mug', 'the blue box on the left', 'green plate to the right of the bottle']


@pytest.fixture(scope='module')
def frame():
    rng = np.random.default_rng(0)
    return Frame(np.ascontiguousarray(
        np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((12, 12, 1)))).astype(np.uint8))


def both(models, frame, text, changes=None, **options):
    preset = get_preset('released').override(SMALL).override(changes or {})
    ours = Engine(models, preset, seed=3).segment(frame, text)
    settings = published_order.settings_of(preset, **options)
    return ours, published_order.answer(models, frame.image_rgb, text, settings, seed=3)


def assert_same(ours, published, tolerance):
    np.testing.assert_array_equal(ours.proposals, published.masks)
    rows = np.flatnonzero(published.survivors)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(ours.scores.total)), rows)
    assert len(rows) > 1
    assert ours.index == published.index
    np.testing.assert_allclose(ours.correlation, published.correlation, atol=1e-5)
    np.testing.assert_allclose(ours.scores.generative[rows], published.generative[rows], atol=1e-5)
    for name in ('discriminative', 'total'):
        np.testing.assert_allclose(
            getattr(ours.scores, name)[rows], getattr(published, name)[rows], atol=tolerance)


@pytest.mark.parametrize('text,attention', [*((text, 'whole') for text in TEXTS),
                                            (TEXTS[0], 'sliced'), (TEXTS[0], 'fused')])
def test_both_choose_the_same_mask_by_the_same_scores(models, frame, text, attention):
    # The ramp of 'left' is in double precision there: a level at a few pixels.
    tolerance = 1e-4 if 'left' in text or 'right' in text else 1e-6
    assert_same(*both(models, frame, text, attention=attention), tolerance=tolerance)


def test_padding_is_hidden_from_the_unet_where_the_model_was_trained_so(models, frame):
    ours, published = both(models, frame, TEXTS[0], {'generative': {'mask_padding': True}})
    assert_same(ours, published, tolerance=1e-4)
    shown = Engine(models, get_preset('released').override(SMALL), seed=3).segment(
        frame, TEXTS[0], Mode.G)
    assert np.abs(shown.correlation - published.correlation).max() > 1e-4


def test_the_models_are_left_as_they_were(models, frame):
    settings = published_order.settings_of(get_preset('released').override(SMALL))
    before = models.diffusion.unet.attn_processors
    hooks = len(models.sam.image_encoder._forward_hooks)
    published_order.answer(models, frame.image_rgb, TEXTS[0], settings)
    after = models.diffusion.unet.attn_processors
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)
    assert len(models.sam.image_encoder._forward_hooks) == hooks


def test_it_runs_four_evaluations_and_all_crops_and_keeps_nothing(models, frame):
    counts = {'unet': [], 'patches': [], 'vae': []}
    handles = [
        models.diffusion.unet.register_forward_hook(
            lambda _m, args, _o: counts['unet'].append(len(args[0]))),
        models.clip.model.vision_model.embeddings.patch_embedding.register_forward_hook(
            lambda _m, args, _o: counts['patches'].append(len(args[0]))),
        models.diffusion.vae.encoder.register_forward_hook(
            lambda *_: counts['vae'].append(1))]
    settings = published_order.settings_of(get_preset('released').override(SMALL))
    for _ in range(2):
        found = published_order.answer(models, frame.image_rgb, TEXTS[0], settings)
    for handle in handles:
        handle.remove()
    assert counts['unet'] == [2, 2] * 2  # both prompts of each of two steps
    assert counts['patches'] == [1] * 2 * (len(found.masks) + 1)  # each crop, and the whole
    assert counts['vae'] == [1, 1]
    assert found.survivors.sum() < len(found.masks)
