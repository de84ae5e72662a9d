"""SAM 2 as a segmentor: the library's own masks, on the way that SAM's take."""

import json
import logging

import numpy as np
import pytest
from tiny_models import tiny_model_set, tiny_sam2
import torch
from torchvision.ops import nms
from transformers.models.sam2 import Sam2ImageProcessor

from refdiff_ros.engine import Engine
from refdiff_ros.errors import BadRequestError
from refdiff_ros.models.bundle import MANIFEST
from refdiff_ros.models.compiling import compile_models
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.sam_config import is_sam2, set_sam2_dtype
from refdiff_ros.models.untrained import build_untrained
from refdiff_ros.models.writer import write_bundle
from refdiff_ros.presets import get_preset, Mode, ProposalConfig
from refdiff_ros.proposals.points import point_grid
from refdiff_ros.proposals.sam import propose
from refdiff_ros.proposals.segmentor import segmentor_of
from refdiff_ros.results import Frame
from refdiff_ros.warming import warm_up

EVERY = ProposalConfig(
    points_per_side=4, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0)


@pytest.fixture(scope='module')
def sam2():
    return tiny_sam2()


@pytest.fixture(scope='module')
def frame():
    rng = np.random.default_rng(0)
    return Frame(rng.integers(0, 256, (90, 130, 3), dtype=np.uint8))


def own_output(model, frame, side):
    """What the library gives for the same points, by its own preprocessing and forward pass."""
    processor = Sam2ImageProcessor(size={'height': 64, 'width': 64})
    pixels = processor(frame.image_rgb, return_tensors='pt').pixel_values
    points = torch.from_numpy(point_grid(side) * 64).float()[None, :, None]
    with torch.no_grad():
        return processor, model(pixel_values=pixels, input_points=points, multimask_output=True)


@pytest.mark.parametrize('batch', [1, 5, 64])
def test_logits_and_quality_are_the_librarys(sam2, frame, batch):
    _, expected = own_output(sam2, frame, 4)
    segmentor = segmentor_of(sam2)
    config = ProposalConfig(points_per_side=4, points_per_batch=batch, pred_iou_thresh=0.0)
    batches = list(segmentor.decode(
        segmentor.embed(frame, config), point_grid(config.points_per_side), config))
    assert len(batches) == -(-16 // batch)
    logits, quality = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert logits.std() > 0.1
    torch.testing.assert_close(logits, expected.pred_masks[0].flatten(0, 1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(quality, expected.iou_scores[0].flatten(), atol=1e-5, rtol=0)


def test_proposals_are_the_librarys_masks_best_first(sam2, frame):
    processor, expected = own_output(sam2, frame, 4)
    [masks] = processor.post_process_masks(expected.pred_masks, [frame.size_hw])
    masks, quality = masks.flatten(0, 1), expected.iou_scores[0].flatten()
    found = propose(sam2, frame, EVERY)
    # Masks of one prompt may have one box: of those only the best is kept.
    boxes = torch.from_numpy(np.stack([box_of(mask) for mask in masks.numpy()])).float()
    rows = nms(boxes, quality, 1.0)
    assert len(found.masks) == len(rows) > 8
    different = (found.masks != masks[rows].numpy()).mean(axis=(1, 2))
    assert different.max() < 1e-3  # a pixel whose logit is nearly 0
    np.testing.assert_allclose(found.predicted_iou, quality[rows], atol=1e-5)


def box_of(mask):
    """First and last column and row, zeros of an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (columns[0], rows[0], columns[-1], rows[-1]) if len(rows) else (0, 0, 0, 0)


def test_poor_prompts_are_left_out_alike(sam2, frame):
    everything = propose(sam2, frame, EVERY)
    threshold = float(np.median(everything.predicted_iou))
    found = propose(sam2, frame, ProposalConfig(
        points_per_side=4, pred_iou_thresh=threshold, stability_score_thresh=0.0,
        box_nms_thresh=1.0))
    good = everything.predicted_iou > threshold
    np.testing.assert_array_equal(found.masks, everything.masks[good])


def test_another_side_is_refused(sam2, frame):
    with pytest.raises(BadRequestError, match='image_side 0 or 64, the only side.*got 32'):
        segmentor_of(sam2).embed(frame, ProposalConfig(image_side=32))
    segmentor_of(sam2).embed(frame, ProposalConfig(image_side=64, pad_square=False))


def test_half_precision_is_for_the_encoder_alone(frame):
    model = set_sam2_dtype(tiny_sam2(), torch.bfloat16)
    assert {value.dtype for value in model.mask_decoder.parameters()} == {torch.float32}
    assert {value.dtype for value in model.vision_encoder.parameters()} == {torch.bfloat16}
    found = propose(model, frame, EVERY)
    assert found.predicted_iou.dtype == np.float32
    assert len(found.masks)


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    models = build_untrained()
    models.sam = tiny_sam2()
    folder = tmp_path_factory.mktemp('sam2') / 'bundle'
    write_bundle(models, folder)
    return folder


def test_bundle_with_sam2_is_written_loaded_warmed_and_answers(written, frame):
    assert json.loads((written / MANIFEST).read_text())['parts']['sam']['layout'] == 'transformers'
    models = load_bundle(str(written), device='cpu')
    expected = tiny_sam2().state_dict()
    assert is_sam2(models.sam)
    assert all(torch.equal(value, expected[key]) for key, value in models.sam.state_dict().items())
    preset = get_preset('onboard').override(models.overrides['onboard'])
    assert 'sam' in warm_up(models, preset)
    answer = Engine(models, preset, Mode.FULL).segment(frame, 'the red mug')
    assert len(answer.proposals) > 0


def test_compile_says_that_it_leaves_sam2_alone(caplog):
    models = tiny_model_set()
    models.sam = tiny_sam2()
    with caplog.at_level(logging.WARNING):
        compile_models(models)
    assert 'compile does nothing here' in caplog.text
