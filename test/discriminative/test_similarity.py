"""Eq. (6), (7) and (10) together, on a small real CLIP with random weights."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_models import tiny_clip
import torch

from refdiff_ros.discriminative import similarity as discriminative
from refdiff_ros.discriminative.crops import crop_features
from refdiff_ros.discriminative.masked_attention import masked_features, patch_masks, patch_memory
from refdiff_ros.discriminative.positional_bias import positional_bias
from refdiff_ros.discriminative.similarity import mix_features, prepare_frame, similarity
from refdiff_ros.discriminative.text_feature import text_features
from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import DiscriminativeConfig, get_preset
from refdiff_ros.results import DirectionWord, Frame, ReferringExpression

CONFIGS = {name: get_preset(name).discriminative for name in ('paper', 'released', 'onboard')}


@pytest.fixture(scope='module')
def frame():
    rng = np.random.default_rng(0)
    return Frame(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))


@pytest.fixture(scope='module')
def masks():
    masks = np.random.default_rng(1).random((6, 48, 64)) < 0.5
    masks[0, :, :40] = False
    masks[1, 20:] = False
    masks[2] = False  # an empty proposal
    return masks


def expression(text='red mug', root='mug', *directions):
    start = text.index(root)
    return ReferringExpression(
        text=text, root=root, root_span=(start, start + len(root)),
        directions=tuple(DirectionWord(direction, direction) for direction in directions))


class VisionCalls:
    """Counts how many images pass the vision tower and how many passes that takes."""

    def __init__(self, clip):
        self.images = self.passes = 0
        embedding = clip.model.vision_model.embeddings.patch_embedding
        self._hook = embedding.register_forward_hook(self._count)

    def _count(self, _, inputs, __):
        self.images += len(inputs[0])
        self.passes += 1

    def take(self):
        """The images since the last call."""
        images, self.images = self.images, 0
        return images

    def remove(self):
        self._hook.remove()


@pytest.fixture
def calls(clip):
    counter = VisionCalls(clip)
    yield counter
    counter.remove()


def test_eq_7_by_hand():
    masked, cropped = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert mix_features(masked, cropped, 0.3).tolist() == [pytest.approx([0.3, 0.7])]
    assert mix_features(None, cropped, 0.0) is cropped
    assert mix_features(masked, None, 1.0) is masked


def test_eq_10_by_hand():
    visual = torch.tensor([[0.3, 0.7], [1.0, 0.0]])
    assert similarity(visual, torch.tensor([0.5, 0.5])).tolist() == pytest.approx([0.5, 0.5])


def test_the_papers_score_from_its_parts(clip, frame, masks):
    config, words = CONFIGS['paper'], expression('left mug', 'mug', 'left')
    image = torch.from_numpy(frame.image_rgb.transpose(2, 0, 1).copy()).float()
    biased = image * torch.from_numpy(positional_bias((48, 64), ['left']))
    memory = patch_memory(clip, biased, config)
    masked = masked_features(clip, memory, patch_masks(masks, memory.grid_hw), 'penultimate')
    cropped = crop_features(clip, image, torch.from_numpy(masks), config)
    text = text_features(clip, words)
    expected = (0.3 * masked + 0.7 * cropped) @ (0.5 * text.sentence + 0.5 * text.local)
    found = prepare_frame(clip, frame, masks, config).score(words)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_released_score_from_its_parts(clip, frame, masks):
    config = replace(CONFIGS['released'], crop_size=32)
    words = expression('the mug left behind', 'mug')
    image = torch.from_numpy(frame.image_rgb.transpose(2, 0, 1).copy()).float()
    biased = image * torch.from_numpy(positional_bias((48, 64), ['left'], 'two_thirds'))
    memory = patch_memory(clip, image, config)
    soft = masked_features(clip, memory, patch_masks(masks, memory.grid_hw), 'last')
    hard = crop_features(clip, biased, torch.from_numpy(masks), config)
    text = text_features(clip, words)
    expected = 0.7 * hard @ text.sentence + 0.3 * soft @ (text.sentence + text.local) / 2
    found = prepare_frame(clip, frame, masks, config).score(words)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_mixed_features_and_mixed_scores_agree_for_equal_text_shares(clip, frame, masks):
    features = CONFIGS['paper']
    scores = replace(features, mix='scores')
    np.testing.assert_allclose(
        prepare_frame(clip, frame, masks, features).score(expression()),
        prepare_frame(clip, frame, masks, scores).score(expression()), atol=1e-6)


@pytest.mark.parametrize('name', CONFIGS)
def test_survivors_score_as_if_everything_was_scored(clip, frame, masks, name):
    config, words = CONFIGS[name], expression('left mug', 'mug', 'left')
    everything = prepare_frame(clip, frame, masks, config).score(words)
    rows = np.array([4, 1, 2])
    survivors = prepare_frame(clip, frame, masks, config).score(words, rows)
    np.testing.assert_allclose(survivors[rows], everything[rows], atol=1e-5)
    assert np.isnan(survivors[[0, 3, 5]]).all()
    assert np.isfinite(everything).all()
    assert np.ptp(everything) > 1e-5


def test_only_rows_asked_for_are_encoded(clip, frame, masks, calls):
    config = CONFIGS['paper']
    prepared = prepare_frame(clip, frame, masks, config)
    assert calls.take() == 0
    prepared.score(expression(), np.array([1, 3]))
    assert calls.take() == 1 + 2  # the patches' image and two crops
    prepared.score(expression(), np.array([1, 3, 5]))
    assert calls.take() == 1


@pytest.mark.parametrize('name', CONFIGS)
def test_a_second_expression_encodes_no_image(clip, frame, masks, calls, name):
    config = CONFIGS[name]
    prepared = prepare_frame(clip, frame, masks, config)
    first = prepared.score(expression('red mug', 'mug'))
    assert calls.take() == 1 + len(masks)
    second = prepared.score(expression('blue bowl', 'bowl'))
    assert calls.take() == 0
    assert np.abs(second - first).max() > 1e-5
    fresh = prepare_frame(clip, frame, masks, config).score(expression('blue bowl', 'bowl'))
    np.testing.assert_allclose(second, fresh, atol=1e-5)


def test_after_prefetch_only_directions_cost_the_image_encoder(clip, frame, masks, calls):
    config, rows = CONFIGS['paper'], np.array([0, 3])
    prepared = prepare_frame(clip, frame, masks, config)
    prepared.prefetch(rows)
    assert calls.take() == 1 + len(rows)
    found = prepared.score(expression('red mug', 'mug'), rows)
    assert calls.take() == 0
    fresh = prepare_frame(clip, frame, masks, config).score(expression('red mug', 'mug'), rows)
    np.testing.assert_allclose(found, fresh, atol=1e-5)
    calls.take()
    prepared.score(expression('left mug', 'mug', 'left'), rows)
    assert calls.take() == 1


def test_directions_cost_the_branch_that_they_bias(clip, frame, masks, calls):
    for name, cost in (('paper', 1), ('released', len(masks))):
        config = CONFIGS[name]
        prepared = prepare_frame(clip, frame, masks, config)
        plain = prepared.score(expression('a mug', 'mug'))
        calls.take()
        biased = prepared.score(expression('left mug', 'mug', 'left'))
        assert calls.take() == cost
        assert np.abs(biased - plain).max() > 1e-6
        prepared.score(expression('left bowl', 'bowl', 'left'))
        prepared.score(expression('a bowl', 'bowl'))
        assert calls.take() == 0


def test_few_patch_memories_are_kept_and_features_stay(clip, frame, masks, calls, monkeypatch):
    monkeypatch.setattr(discriminative, '_KEPT_MEMORIES', 1)
    config = CONFIGS['paper']
    prepared = prepare_frame(clip, frame, masks, config)
    for word in ('left', 'right', 'top'):
        prepared.score(expression(f'{word} mug', 'mug', word))
    assert len(prepared.memories) == 1
    calls.take()
    prepared.score(expression('left mug', 'mug', 'left'))
    assert calls.take() == 0


def test_box_crops_of_a_scaled_picture_are_kept_of_a_frame(clip, frame, masks, calls):
    config = replace(
        CONFIGS['onboard'], beta=0.0, crop_fit='box', crop_source_side=40, crop_batch=4)
    prepared = prepare_frame(clip, frame, masks, config)
    prepared.score(expression('red mug', 'mug'))
    assert (calls.take(), calls.passes) == (len(masks), 2)
    prepared.score(expression('blue bowl', 'bowl'))
    assert calls.take() == 0


@pytest.mark.parametrize('beta, images', [(0.0, 6), (1.0, 1)])
def test_a_branch_of_weight_zero_is_not_computed(clip, frame, masks, calls, beta, images):
    config = replace(CONFIGS['paper'], beta=beta)
    found = prepare_frame(clip, frame, masks, config).score(expression())
    assert calls.take() == images
    assert np.isfinite(found).all()


def test_the_text_is_encoded_once_per_expression(clip, frame, masks):
    passes = []
    hook = clip.model.text_model.register_forward_hook(lambda *_: passes.append(1))
    config = CONFIGS['paper']
    prepared = prepare_frame(clip, frame, masks, config)
    for _ in range(2):
        prepared.score(expression())
    hook.remove()
    assert len(passes) == 1


def test_with_the_phrase_alone_where_it_is_changes_no_score(clip, frame, masks, calls):
    config = replace(CONFIGS['paper'], text='phrase', positional='none')
    prepared = prepare_frame(clip, frame, masks, config)
    left, right = (
        replace(expression(f'red mug on the {side}', 'mug', side), phrase='red mug')
        for side in ('left', 'right'))
    found = prepared.score(left)
    np.testing.assert_array_equal(prepared.score(right), found)
    assert calls.take() == 1 + len(masks)
    whole = prepare_frame(clip, frame, masks, replace(config, text='expression')).score(left)
    assert np.abs(whole - found).max() > 1e-5


def test_no_proposals_and_no_rows(clip, frame, masks, calls):
    config = CONFIGS['paper']
    nothing = prepare_frame(clip, frame, masks[:0], config)
    assert nothing.score(expression()).shape == (0,)
    prepared = prepare_frame(clip, frame, masks, config)
    assert np.isnan(prepared.score(expression(), np.array([], int))).all()
    assert calls.take() == 0


@pytest.mark.parametrize('name', CONFIGS)
@pytest.mark.parametrize('size_hw', [(1, 1), (1, 1500), (300, 3)])
def test_images_of_any_shape_are_scored(clip, size_hw, name):
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    config, words = CONFIGS[name], expression('left mug', 'mug', 'left')
    prepared = prepare_frame(clip, Frame(image), np.ones((2, *size_hw), bool), config)
    assert np.isfinite(prepared.score(words)).all()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_scores_near_float32(frame, masks, dtype):
    config, half = CONFIGS['onboard'], tiny_clip()
    exact = prepare_frame(half, frame, masks, config).score(expression())
    half.model.to(dtype)
    found = prepare_frame(half, frame, masks, config).score(expression())
    np.testing.assert_allclose(found, exact, atol=0.03)


def test_what_does_not_fit_is_refused(clip, frame, masks):
    config = CONFIGS['paper']
    with pytest.raises(BadRequestError, match=r'expected masks \(N, 48, 64\) bool, got .*\(6, 47'):
        prepare_frame(clip, frame, masks[:, :47], config)
    with pytest.raises(BadRequestError, match='uint8'):
        prepare_frame(clip, frame, masks.astype(np.uint8), config)
    prepared = prepare_frame(clip, frame, masks, config)
    with pytest.raises(BadRequestError, match=r'expected rows in 0\.\.5, got -1\.\.0'):
        prepared.score(expression(), np.array([-1, 0]))


def test_small_proposals_are_seen_with_any_cover(clip, frame):
    masks = np.zeros((2, 48, 64), bool)
    masks[0, 30, 41] = masks[1, 10, 11] = True  # single pixels that the nearest grid misses
    scores = {}
    for cover in ('nearest', 'any'):
        config = DiscriminativeConfig(beta=1.0, patch_cover=cover)
        scores[cover] = prepare_frame(clip, frame, masks, config).score(expression())
    assert scores['nearest'][0] == pytest.approx(scores['nearest'][1], abs=1e-6)
    assert abs(scores['any'][0] - scores['any'][1]) > 1e-6
