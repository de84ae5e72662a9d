"""On a GPU answers are those of a CPU; without one the same is asked of the CPU.

`bench/gpu.sh` runs this file where there is no ROS: it needs the models' packages alone.
"""

import numpy as np
import pytest
import torch

from refdiff_ros.benchmark.asked import draw_picture
from refdiff_ros.benchmark.random_masks import spread_masks
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.models.sam_config import set_segmentor_dtype
from refdiff_ros.models.untrained import build_untrained, take_lighter_segmentor
from refdiff_ros.presets import Mode
from refdiff_ros.results import Frame

FRAME = Frame(draw_picture((96, 128)))
DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason='there is no CUDA device'))]


def answer(device, dtype, segmentor, mode):
    models = build_untrained(device=device, dtype=dtype)
    if segmentor != 'vit_h':
        take_lighter_segmentor(models, 'mini', segmentor)
    spread_masks(models.sam.float(), FRAME)
    set_segmentor_dtype(models.sam, dtype)
    engine = Engine(models, resolve_preset(models, 'onboard'), mode)
    return engine.segment(FRAME, 'the red mug', check=False)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('segmentor', ['vit_h', 'vit_b', 'sam2_tiny'])
def test_float32_gives_the_same_proposals_and_scores(device, segmentor):
    expected = answer('cpu', torch.float32, segmentor, Mode.FULL)
    found = answer(device, torch.float32, segmentor, Mode.FULL)
    assert found.proposals.shape == expected.proposals.shape
    assert (found.proposals != expected.proposals).mean() < 0.02
    np.testing.assert_allclose(found.correlation, expected.correlation, atol=0.05)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('segmentor', ['vit_h', 'sam2_tiny'])
@pytest.mark.parametrize('mode', list(Mode))
def test_16_bit_answers_in_every_mode(device, segmentor, mode):
    found = answer(device, torch.bfloat16, segmentor, mode)
    assert found.mask.shape == FRAME.size_hw
    assert len(found.proposals)
    assert np.isfinite(found.scores.total).any()
