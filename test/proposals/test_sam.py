"""SAM's proposals against segment-anything's own automatic mask generator."""

import numpy as np
import pytest
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from segment_anything.utils.amg import build_point_grid
from tiny_models import tiny_sam
import torch

from refdiff_ros.models.sam_config import set_sam_dtype
from refdiff_ros.presets import get_preset, ProposalConfig
from refdiff_ros.proposals import sam as sam_proposals
from refdiff_ros.proposals import sam_decoder
from refdiff_ros.proposals.points import point_grid
from refdiff_ros.proposals.sam import filter_proposals, propose
from refdiff_ros.proposals.sam1 import prompts_at_once
from refdiff_ros.proposals.sam_embedding import embed
from refdiff_ros.results import Frame

# Random weights predict a quality near 0 and masks without a sharp edge: with these settings
# each step cuts some of the masks and lets some through (a test says so).
SETTINGS = {'points_per_side': 6, 'points_per_batch': 7, 'stability_score_offset': 0.04,
            'box_nms_thresh': 0.98}


@pytest.fixture(scope='module')
def sam():
    return sam_of_128_pixels()


@torch.no_grad()
def spread(sam):
    """Make masks depend on their point and cover a part of the image."""
    for weight in sam.mask_decoder.parameters():
        if weight.ndim > 1:
            weight *= 2
    sam.mask_threshold = 0.1
    return sam


def sam_of_64_pixels():
    return spread(tiny_sam())


def sam_of_128_pixels():
    torch.manual_seed(3)
    return spread(Sam(
        ImageEncoderViT(img_size=128, embed_dim=16, depth=1, num_heads=2, out_chans=16),
        PromptEncoder(16, (8, 8), (128, 128), 4),
        MaskDecoder(transformer_dim=16, transformer=TwoWayTransformer(1, 16, 2, 32)),
        pixel_mean=[100.0, 110.0, 120.0], pixel_std=[50.0, 60.0, 70.0]).eval())


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return Frame(np.ascontiguousarray(blocks.repeat(8, 0).repeat(8, 1)[:height, :width]))


def config_between(sam, frame, **changes):
    """Thresholds at the medians of what this model gives: half the masks pass each."""
    everything = propose(sam, frame, ProposalConfig(
        **SETTINGS | {'box_nms_thresh': 1.0}, pred_iou_thresh=-99, stability_score_thresh=-1))
    quality = float(np.median(everything.predicted_iou))
    stability = float(np.nanmedian(everything.stability))
    return ProposalConfig(**SETTINGS | {
        'pred_iou_thresh': quality, 'stability_score_thresh': stability} | changes)


def reference(sam, frame, config):
    generator = SamAutomaticMaskGenerator(
        sam, points_per_side=config.points_per_side, points_per_batch=config.points_per_batch,
        pred_iou_thresh=config.pred_iou_thresh,
        stability_score_thresh=config.stability_score_thresh,
        stability_score_offset=config.stability_score_offset,
        box_nms_thresh=config.box_nms_thresh)
    return generator.generate(frame.image_rgb)


def assert_same(found, expected):
    assert len(found.masks) == len(expected)
    for row, record in enumerate(expected):
        np.testing.assert_array_equal(found.masks[row], record['segmentation'])
    np.testing.assert_allclose(
        found.predicted_iou, [record['predicted_iou'] for record in expected], atol=1e-5)
    # A share of pixels: how many threads sum the logits can move one of ten thousands over a cut.
    np.testing.assert_allclose(
        found.stability, [record['stability_score'] for record in expected], atol=5e-5)


@pytest.mark.parametrize('size_hw', [(48, 64), (90, 33), (200, 300)])
@pytest.mark.parametrize('make', [sam_of_64_pixels, sam_of_128_pixels])
@pytest.mark.parametrize('box_nms_thresh', [0.7, 0.98, 1.0])
def test_the_masks_are_those_of_the_original_in_its_order(make, size_hw, box_nms_thresh):
    sam, frame = make(), picture(*size_hw)
    config = config_between(sam, frame, box_nms_thresh=box_nms_thresh)
    found = propose(sam, frame, config)
    assert_same(found, reference(sam, frame, config))
    assert found.masks.dtype == bool and found.masks.shape[1:] == size_hw
    assert (np.diff(found.predicted_iou) <= 0).all()


def test_agreement_changes_the_order_and_not_the_masks(sam):
    frame = picture(48, 64)
    alone = propose(sam, frame, config_between(sam, frame, box_nms_thresh=1.0))
    found = propose(sam, frame, config_between(
        sam, frame, box_nms_thresh=1.0, rated_by='agreement'))
    np.testing.assert_array_equal(alone.quality, alone.predicted_iou)
    assert (np.diff(found.quality) <= 0).all()
    assert sorted(found.predicted_iou) == sorted(alone.predicted_iou)  # the same masks
    agreed = 3 * found.quality - found.predicted_iou - found.stability
    assert agreed.min() > -1e-5 and agreed.max() < 1 + 1e-5 and np.ptp(agreed) > 0.1


def test_nothing_to_rate_is_no_error(sam):
    config = ProposalConfig(points_per_side=4, pred_iou_thresh=99.0, rated_by='agreement')
    assert propose(sam, picture(48, 64), config).quality.shape == (0,)


def test_each_step_of_the_comparison_cuts_something(sam):
    frame = picture(48, 64)

    def count(**changes):
        return len(propose(sam, frame, config_between(sam, frame, **changes)).masks)
    good = count(box_nms_thresh=1.0)
    assert 1 < count() < good
    assert good < count(box_nms_thresh=1.0, pred_iou_thresh=-99.0)
    assert good < count(box_nms_thresh=1.0, stability_score_thresh=-1.0)


def test_thresholds_of_zero_and_below_filter_nothing(sam):
    frame = picture(48, 64)
    config = ProposalConfig(**SETTINGS, pred_iou_thresh=-1.0, stability_score_thresh=-1.0)
    assert_same(propose(sam, frame, config), reference(sam, frame, config))


def test_batches_and_parts_do_not_change_the_answer(sam, monkeypatch):
    frame = picture(48, 64)
    together = propose(sam, frame, config_between(sam, frame, points_per_batch=36))
    config = config_between(sam, frame, points_per_batch=5)
    monkeypatch.setattr(sam_proposals, '_PIXEL_BUDGET', 1)
    alone = propose(sam, frame, config)
    assert len(alone.masks) > 1
    np.testing.assert_array_equal(alone.masks, together.masks)


def test_a_kept_embedding_saves_the_image_encoder(sam):
    frame = picture(48, 64)
    config = config_between(sam, frame)
    embedding = embed(sam, frame, config)
    calls = []
    hook = sam.image_encoder.patch_embed.register_forward_hook(lambda *_: calls.append(1))
    kept = propose(sam, frame, config, embedding)
    assert calls == []
    fresh = propose(sam, frame, config)
    hook.remove()
    assert len(calls) == 1
    np.testing.assert_array_equal(kept.masks, fresh.masks)


def test_nothing_good_gives_no_proposals(sam):
    found = propose(sam, picture(48, 64), ProposalConfig(points_per_side=2, pred_iou_thresh=99.0))
    assert found.masks.shape == (0, 48, 64) and found.masks.dtype == bool
    assert found.predicted_iou.shape == found.stability.shape == (0,)


@pytest.mark.parametrize('size_hw', [(1, 1), (1, 500), (600, 2)])
def test_images_of_any_shape_work(sam, size_hw):
    found = propose(sam, picture(*size_hw), ProposalConfig(
        points_per_side=2, pred_iou_thresh=-99.0, stability_score_thresh=-1.0))
    assert found.masks.shape[1:] == size_hw and len(found.masks) > 0


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_proposes_nearly_the_same(sam, dtype):
    frame = picture(48, 64)
    config = ProposalConfig(points_per_side=2, box_nms_thresh=1.0, pred_iou_thresh=-99.0,
                            stability_score_thresh=-1.0)
    half = sam_of_128_pixels()
    set_sam_dtype(half, dtype)
    exact, found = propose(sam, frame, config), propose(half, frame, config)
    assert found.predicted_iou.dtype == np.float32
    np.testing.assert_allclose(found.predicted_iou, exact.predicted_iou, atol=0.05)
    # A SAM halved as a whole works as well, only less precisely.
    assert len(propose(sam_of_128_pixels().to(dtype), frame, config).masks) > 0


@pytest.mark.parametrize('side', [1, 2, 7, 32])
def test_the_grid_is_segment_anythings(side):
    np.testing.assert_array_equal(point_grid(side), build_point_grid(side))


def test_filter_by_hand():
    masks = np.zeros((5, 4, 5), bool)
    for row, area in enumerate((0, 3, 20, 8, 3)):
        masks[row].reshape(-1)[:area] = True

    def rows(**settings):
        return filter_proposals(masks, ProposalConfig(**settings)).tolist()
    assert rows() == [1, 2, 3, 4]  # an empty mask is no proposal
    assert rows(min_area_px=3) == [2, 3]  # more than three pixels
    assert rows(max_area_fraction=0.4) == [1, 3, 4]  # at most 8 of 20
    assert rows(max_proposals=3) == [1, 2, 3]  # the first of equally large ones
    assert rows(max_proposals=2, max_area_fraction=0.9) == [1, 3]
    assert rows(max_proposals=9) == [1, 2, 3, 4]
    assert filter_proposals(masks[:0], ProposalConfig()).shape == (0,)


def test_the_released_filter_keeps_the_ten_largest_above_its_area():
    masks = np.zeros((13, 120, 120), bool)
    for row in range(12):
        masks[row].reshape(-1)[:10_000 + 10 * row] = True
    rows = filter_proposals(masks, get_preset('released').proposals)
    assert rows.tolist() == list(range(2, 12))
    assert 0 not in filter_proposals(masks[:5], get_preset('released').proposals)


@pytest.mark.parametrize('places, device, expected', [
    ((4096, 256), 'cpu', 4), ((64, 8), 'cpu', 32), ((1 << 16, 256), 'cpu', 1),
    ((4096, 256), 'meta', 32)])
def test_on_a_cpu_a_batch_of_prompts_fits_into_its_cache(places, device, expected):
    values = torch.empty(places, device=device)
    seen = sam_decoder.Picture(values, values, (1, places[0]))
    config = ProposalConfig(points_per_batch=32)
    assert prompts_at_once(seen, config) == expected
    assert prompts_at_once(seen, config, cache_bytes=values.numel() * 4 * 2) == (
        2 if device == 'cpu' else 32)
