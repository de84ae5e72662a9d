"""The whole method on small real models with random weights."""

from dataclasses import replace
import weakref

import numpy as np
import pytest
import torch

from refdiff_ros.engine import Engine
from refdiff_ros.errors import BadRequestError, OutOfMemoryError
from refdiff_ros.matching.scores import combine
from refdiff_ros.models.manager import parts_of
from refdiff_ros.models.untrained_sizes import SIZES
from refdiff_ros.presets import get_preset, Mode, PRESETS
from refdiff_ros.proposals import sam as sam_proposals
from refdiff_ros.results import Frame, Status

# Random weights propose nothing under the published thresholds, and 1024 px would take minutes.
SMALL = {
    'generative': {'image_size': 64},
    'proposals': {'points_per_side': 4, 'pred_iou_thresh': -10.0, 'stability_score_thresh': -1.0,
                  'box_nms_thresh': 0.9, 'min_area_px': 0, 'max_proposals': 2},
}


def small(name='onboard', **changes):
    return get_preset(name).override(SMALL).override(changes)


def count_calls(module):
    """A list that grows by one with every forward call of `module`, and the hook's handle."""
    calls = []
    return calls, module.register_forward_hook(lambda *_: calls.append(1))


@pytest.mark.parametrize('name', sorted(PRESETS))
@pytest.mark.parametrize('mode', list(Mode))
def test_every_preset_answers_in_every_mode(models, frame, name, mode):
    answer = Engine(models, small(name)).segment(frame, 'the red mug on the left', mode)
    assert answer.mask.shape == frame.size_hw
    assert answer.status in (Status.FOUND, Status.NOT_FOUND, Status.AMBIGUOUS)
    assert answer.reason
    assert (answer.correlation is not None) == mode.generative
    used = np.isfinite(answer.scores.total)
    assert used.any()
    assert np.isfinite(answer.scores.generative[used]).all() == mode.generative
    assert np.isfinite(answer.scores.discriminative[used]).all() == mode.discriminative
    if answer.status.has_mask:
        np.testing.assert_array_equal(answer.mask, answer.proposals[answer.index])
        assert answer.index == np.nanargmax(answer.scores.total)


@pytest.mark.parametrize('name', sorted(PRESETS))
def test_the_same_seed_gives_the_same_answer(models, frame, name):
    first, second = (
        Engine(models, small(name), seed=3).segment(frame, 'blue box') for _ in range(2))
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_array_equal(first.correlation, second.correlation)
    np.testing.assert_array_equal(first.scores.total, second.scores.total)


def test_another_seed_draws_other_noise(models, frame):
    maps = [Engine(models, small(), seed=seed).segment(frame, 'box', Mode.G).correlation
            for seed in (0, 1)]
    assert np.abs(maps[0] - maps[1]).max() > 1e-4


@pytest.mark.parametrize('name', sorted(PRESETS))
def test_a_second_expression_on_a_kept_frame_equals_a_fresh_engine(models, frame, name):
    kept = Engine(models, small(name))
    kept.segment(frame, 'the left red mug')
    second = kept.segment(frame, 'blue box behind the plate')
    fresh = Engine(models, small(name)).segment(frame, 'blue box behind the plate')
    np.testing.assert_allclose(second.correlation, fresh.correlation, atol=1e-5)
    np.testing.assert_allclose(second.scores.total, fresh.scores.total, atol=1e-5)
    np.testing.assert_array_equal(second.mask, fresh.mask)


@pytest.mark.parametrize('name', sorted(PRESETS))
def test_expressions_asked_together_are_answered_as_alone(models, frame, name):
    asked = ['the red box', 'blue mug on the left', 'the red box']
    together, hook = count_calls(models.diffusion.unet.mid_block)
    found = Engine(models, small(name)).segment_all(frame, asked)
    hook.remove()
    apart, hook = count_calls(models.diffusion.unet.mid_block)
    alone = [Engine(models, small(name)).segment(frame, text) for text in asked]
    hook.remove()
    assert len(together) < len(apart)
    for one, expected in zip(found, alone, strict=True):
        assert one.status == expected.status
        np.testing.assert_allclose(one.correlation, expected.correlation, atol=1e-3)
        np.testing.assert_allclose(one.scores.total, expected.scores.total, atol=1e-3)


@pytest.mark.parametrize('name', sorted(PRESETS))
def test_a_second_expression_runs_no_module_of_the_frame(models, frame, name):
    engine = Engine(models, small(name))
    engine.segment(frame, 'red mug')
    modules = {
        'vae': models.diffusion.vae.encoder, 'sam encoder': models.sam.image_encoder.neck,
        'sam decoder': models.sam.mask_decoder.iou_prediction_head,
        'clip patches': models.clip.model.vision_model.embeddings.patch_embedding,
    }
    counts = {label: count_calls(module) for label, module in modules.items()}
    engine.segment(frame, 'green bowl')
    for _, hook in counts.values():
        hook.remove()
    assert {label: len(calls) for label, (calls, _) in counts.items()} == dict.fromkeys(counts, 0)


def test_another_frame_runs_them_again(models, frame):
    engine = Engine(models, small())
    engine.segment(frame, 'red mug')
    calls, hook = count_calls(models.sam.image_encoder.neck)
    engine.segment(Frame(255 - frame.image_rgb), 'red mug')
    hook.remove()
    assert len(calls) == 1


def test_prefetch_leaves_nothing_of_the_frame_to_do(models, frame):
    engine = Engine(models, small())
    engine.prefetch(frame)
    counts = [count_calls(module)
              for module in (
                  models.diffusion.vae.encoder, models.sam.image_encoder.neck,
                  models.clip.model.vision_model.embeddings.patch_embedding,
                  models.diffusion.unet.down_blocks[0].resnets[0].conv1)]  # before any text
    answer = engine.segment(frame, 'red mug')
    for _, hook in counts:
        hook.remove()
    assert [len(calls) for calls, _ in counts] == [0, 0, 0, 0]
    assert 'sam_encoder' not in answer.timings_ms and 'unet' in answer.timings_ms


def test_scoring_only_survivors_equals_scoring_everything(models, frame):
    everything = small(proposals={'max_proposals': 0})
    all_rows = Engine(models, everything).segment(frame, 'the left red mug').scores
    some = Engine(models, small()).segment(frame, 'the left red mug').scores
    survivors = np.isfinite(some.total)
    assert 0 < survivors.sum() < len(survivors)
    for name in ('generative', 'discriminative'):
        np.testing.assert_allclose(
            getattr(some, name)[survivors], getattr(all_rows, name)[survivors], atol=1e-5)


def test_a_changed_decision_recomputes_nothing(models, frame):
    engine = Engine(models, small())
    before = engine.segment(frame, 'red mug')
    engine.preset = replace(
        engine.preset, selection=replace(engine.preset.selection, min_score=1e3))
    after = engine.segment(frame, 'red mug')
    assert after.status is Status.NOT_FOUND and not after.mask.any()
    assert 'sam_encoder' not in after.timings_ms
    np.testing.assert_array_equal(before.scores.total, after.scores.total)


def test_an_untrained_bundle_says_so_in_every_answer(models, frame):
    answer = Engine(models, small()).segment(frame, 'red mug')
    assert models.notice and models.notice in answer.notes


# With neither text nor picture model there are no scores, without a segmentor only one region.
@pytest.mark.parametrize('mode, needed', [
    (Mode.G, {'diffusion'}), (Mode.GS, {'diffusion', 'sam'}), (Mode.DS, {'clip', 'sam'}),
    (Mode.FULL, {'diffusion', 'clip', 'sam'})])
def test_a_mode_answers_without_the_parts_that_it_does_not_use(models, frame, mode, needed):
    unused = dict.fromkeys({'diffusion', 'clip', 'sam'} - needed)
    answer = Engine(replace(models, **unused), small(), mode).segment(frame, 'red mug')
    assert answer.mask.shape == frame.size_hw
    assert parts_of(mode) == needed | {'parser'}
    for name in needed:
        with pytest.raises(BadRequestError, match='expected'):
            Engine(replace(models, **unused, **{name: None}), small(), mode).segment(
                frame, 'red mug')


def test_without_a_segmentor_the_mode_is_named_that_needs_none(models, frame):
    with pytest.raises(BadRequestError, match='use mode G'):
        Engine(replace(models, sam=None), small()).segment(frame, 'red mug')


@pytest.mark.parametrize('expression', ['', '   ', 'x' * 10_000])
def test_a_useless_expression_leaves_the_engine_answering(models, frame, expression):
    engine = Engine(models, small())
    with pytest.raises(BadRequestError):
        engine.segment(frame, expression)
    assert engine.segment(frame, 'red mug').reason


@pytest.mark.parametrize('size_hw', [(1, 1), (3, 200), (31, 17)])
def test_odd_image_sizes_are_answered(models, size_hw):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    for mode in Mode:
        answer = Engine(models, small()).segment(Frame(image), 'red mug', mode)
        assert answer.mask.shape == size_hw


@pytest.mark.parametrize('size_hw', [(72, 96), (96, 72), (64, 64), (7, 200)])
def test_what_sd15_vit_h_leaves_out_is_left_out_of_pictures_of_any_shape(models, size_hw):
    values = SIZES['full'].overrides['onboard']
    assert not values['generative']['pad_square'] and not values['proposals']['pad_square']
    preset = small(
        generative={'pad_square': False}, proposals={'pad_square': False},
        discriminative={**values['discriminative'], 'crop_fit': 'box'})
    engine = Engine(models, preset)
    image = np.random.default_rng(1).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    answer = engine.segment(Frame(image), 'red mug')
    assert answer.mask.shape == answer.correlation.shape == size_hw
    engine.forget_frames()
    engine.prefetch(Frame(image))
    again = engine.segment(Frame(image), 'red mug')
    np.testing.assert_array_equal(answer.mask, again.mask)
    np.testing.assert_allclose(
        answer.scores.total, again.scores.total, rtol=0, atol=1e-6)


# Every mend of the equations at once. Random weights propose regions that overlap.
MENDS = {'spatial': {'kind': 'geometry'}, 'proposals': {'max_proposals': 0},
         'selection': {'rival_overlap': 1.0},
         'discriminative': {'text': 'phrase', 'crop_fit': 'box', 'crop_source_side': 48}}
PLACED = ['the second red mug from the left', 'the mug in the middle', 'the largest box',
          'the red mug next to the left blue box', 'the mug between the box and the plate',
          'the red mug on the plate']


@pytest.mark.parametrize('mode', list(Mode))
@pytest.mark.parametrize('expression', PLACED)
def test_places_count_in_every_mode(models, frame, mode, expression):
    depth_m = np.linspace(2, 1, 72 * 96, dtype=np.float32).reshape(72, 96)
    for seen in (frame, replace(frame, depth_m=depth_m)):
        answer = Engine(models, small(**MENDS)).segment(seen, expression, mode)
        used = np.isfinite(answer.scores.total)
        assert (answer.scores.spatial[used] <= 1e-6).all()
        assert any('places were compared' in note for note in answer.notes)
        assert answer.index == np.nanargmax(answer.scores.total)


def test_places_say_nothing_of_an_expression_without_any(models, frame):
    answer = Engine(models, small(**MENDS)).segment(frame, 'the red mug')
    assert answer.scores.spatial is None and not any('place' in note for note in answer.notes)


def test_where_proposals_are_one_region_places_do_not_count(models, frame):
    # Nested thresholds, one within the other.
    preset = small(**MENDS).override(
        {'selection': {'rival_overlap': 0.5}, 'proposals': {'weight_free': 'thresholds'}})
    answer = Engine(models, preset).segment(frame, PLACED[0], Mode.G)
    assert answer.scores.spatial is None
    assert any('fewer than two separate regions' in note for note in answer.notes)


def test_a_relation_to_what_has_no_noun_is_said_not_to_count(models, frame):
    answer = Engine(models, small(**MENDS)).segment(frame, 'left mug behind the second largest')
    assert any("'behind' did not count" in note for note in answer.notes)


@pytest.mark.parametrize('mode', [Mode.GS, Mode.DS, Mode.FULL])
def test_with_mends_a_second_expression_runs_no_module_of_the_frame(models, frame, mode):
    engine = Engine(models, small(**MENDS), mode)
    engine.segment(frame, 'the red mug behind the box')
    counts = [count_calls(module) for module in (
        models.diffusion.vae.encoder, models.sam.image_encoder.neck, models.sam.mask_decoder,
        models.clip.model.vision_model.embeddings.patch_embedding)]
    engine.segment(frame, 'the green bowl on the red plate')
    engine.segment(frame, 'the second box')
    for _, hook in counts:
        hook.remove()
    assert [len(calls) for calls, _ in counts] == [0, 0, 0, 0]


@pytest.mark.parametrize('name', ['paper', 'released'])
@pytest.mark.parametrize('mode', [Mode.GS, Mode.FULL])
def test_published_readings_do_not_look_at_places(models, frame, name, mode):
    answer = Engine(models, small(name)).segment(frame, PLACED[0], mode)
    combined = combine(
        answer.scores.generative, answer.scores.discriminative, mode, get_preset(name).selection)
    np.testing.assert_array_equal(answer.scores.total, combined)
    assert answer.scores.spatial is None


class _FailingProposals:
    """Runs out of memory in the first `failures` calls; keeps the batch sizes it saw."""

    def __init__(self, failures):
        self.failures = failures
        self.batches = []
        self.real = sam_proposals.propose

    def __call__(self, sam, frame, config, **asked):
        self.batches.append(config.points_per_batch)
        if len(self.batches) <= self.failures:
            raise torch.OutOfMemoryError('CUDA out of memory')
        return self.real(sam, frame, config, **asked)


def test_out_of_memory_is_tried_again_in_smaller_batches(models, frame, monkeypatch):
    failing = _FailingProposals(failures=1)
    monkeypatch.setattr(sam_proposals, 'propose', failing)
    answer = Engine(models, small()).segment(frame, 'red mug')
    assert answer.reason
    assert failing.batches == [64, 16]


def test_after_a_lack_of_memory_batches_stay_small_and_the_frame_stays_cached(
        models, frame, monkeypatch):
    failing = _FailingProposals(failures=1)
    monkeypatch.setattr(sam_proposals, 'propose', failing)
    engine = Engine(models, small())
    engine.segment(frame, 'red mug')
    engine.segment(frame, 'blue box')
    assert failing.batches == [64, 16]


def test_a_lack_of_memory_holds_no_tensors_of_the_failed_call(models, frame, monkeypatch):
    held = []

    def failing(sam, frame, config, **_asked):
        tensor = torch.zeros(8)
        held.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError('CUDA out of memory')
    freed = []
    monkeypatch.setattr(sam_proposals, 'propose', failing)
    monkeypatch.setattr('refdiff_ros.engine.free_caches',
                        lambda: freed.append([ref() is None for ref in held]))
    with pytest.raises(OutOfMemoryError):
        Engine(models, small()).segment(frame, 'red mug')
    assert freed == [[True], [True, True]]


def test_out_of_memory_twice_is_an_error_and_the_engine_lives(models, frame, monkeypatch):
    monkeypatch.setattr(sam_proposals, 'propose', _FailingProposals(failures=2))
    engine = Engine(models, small())
    with pytest.raises(OutOfMemoryError, match='lower points_per_batch'):
        engine.segment(frame, 'red mug')
    assert engine.segment(frame, 'red mug').reason


def test_other_errors_are_not_taken_for_a_lack_of_memory(models, frame, monkeypatch):
    def broken(*_, **_asked):
        raise RuntimeError('shape mismatch')
    monkeypatch.setattr(sam_proposals, 'propose', broken)
    with pytest.raises(RuntimeError, match='shape mismatch'):
        Engine(models, small()).segment(frame, 'red mug')


def judged(bias, **changes):
    """A preset with a calibration by which every region fits, or none."""
    return small(**{
        'calibration': {'mode': 'full', 'fit': {'bias': bias}, 'not_found_below': 0.5,
                        'fits_from': 0.5},
        'selection': {'rival_overlap': 1.0}, 'proposals': {'max_proposals': 3}} | changes)


def test_a_calibration_decides_in_its_mode_and_in_no_other(models, frame):
    engine = Engine(models, judged(-9.0))
    refused = engine.segment(frame, 'red mug')
    assert refused.status is Status.NOT_FOUND and not refused.mask.any()
    assert refused.calibrated and refused.presence == pytest.approx(1 / (1 + np.exp(9.0)))
    assert refused.question is None
    other = engine.segment(frame, 'red mug', Mode.DS)
    assert other.status is Status.FOUND and not other.calibrated and np.isnan(other.presence)


def test_regions_that_fit_are_asked_about(models, frame):
    asked = Engine(models, judged(9.0)).segment(frame, 'red mug')
    assert asked.status is Status.AMBIGUOUS and asked.rivals
    assert len(asked.question.descriptions) == 1 + len(asked.rivals)
    assert asked.question.text and asked.confidence < 0.6
    np.testing.assert_array_equal(asked.mask, asked.proposals[asked.index])


def test_the_likeliest_region_is_chosen_where_that_is_the_order(models, frame):
    turned = {'mode': 'full', 'fit': {'match': -9.0}}
    by_score, likeliest = (
        Engine(models, judged(0.0, calibration=turned,
                              selection={'rival_overlap': 1.0, 'order': order}))
        for order in ('score', 'probability'))
    for text in ('red mug', 'the leftmost red mug'):
        answer = likeliest.segment(frame, text)
        scored, known = np.isfinite(answer.scores.total), answer.scores.probability
        assert answer.index == np.nanargmax(known) and answer.index != np.nanargmax(
            answer.scores.total)
        np.testing.assert_array_equal(np.isfinite(known), scored)
        assert by_score.segment(frame, text).scores.probability is None
    assert answer.scores.spatial is not None
    # Nothing is calibrated in that mode.
    other = likeliest.segment(frame, 'red mug', Mode.DS)
    assert other.scores.probability is None and other.index == np.nanargmax(other.scores.total)


def test_decisions_by_scores_keep_the_calibrated_confidence(models, frame):
    by_scores = judged(-9.0, selection={'decide': 'scores'})
    answer = Engine(models, by_scores).segment(frame, 'red mug')
    assert answer.status is Status.FOUND and answer.calibrated
    assert answer.confidence < 0.01
