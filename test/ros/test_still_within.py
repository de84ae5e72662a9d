"""The node's `still_within`: proposals stay under a standing expression, never for a call."""

import time

import numpy as np
import pytest
from ros_graph import image

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.ros.answers import answer
from refdiff_ros.ros.frame_sync import FrameSet
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.sim.render import render_scenes
from refdiff_ros.sim.scene import random_scene


@pytest.fixture(scope='module')
def engine():
    models = load_bundle('tabletop_mini')
    return Engine(models, resolve_preset(models, 'onboard'))


@pytest.fixture(scope='module')
def view():
    return next(iter(render_scenes([random_scene(12)], (192, 256), depth=False)))


@pytest.fixture
def prompts(engine):
    """Grows by one with every batch of prompts that the segmentor is asked."""
    asked = []
    hook = engine.models.sam.mask_decoder.iou_prediction_head.register_forward_hook(
        lambda *_: asked.append(1))
    yield asked
    hook.remove()


def ask(engine, view, noise_seed, config, standing):
    noise = np.random.default_rng(noise_seed).normal(0, 2, view.frame.image_rgb.shape)
    pixels = np.clip(view.frame.image_rgb + noise, 0, 255).astype(np.uint8)
    frame_set = FrameSet(image=image(pixels), depth=None, camera_info=None)
    return answer(engine, frame_set, f'the {view.objects[0].name}', config, time.monotonic(),
                  standing)


def test_a_standing_expression_keeps_what_did_not_change(engine, view, prompts):
    config = NodeConfig(still_within=8.0)
    first = ask(engine, view, 1, config, standing=1)
    assert first.status.name == 'FOUND' and prompts
    prompts.clear()
    second = ask(engine, view, 2, config, standing=1)
    assert second.status.name == 'FOUND' and not prompts
    call = ask(engine, view, 3, config, standing=0)
    assert call.status.name == 'FOUND' and prompts
    prompts.clear()
    ask(engine, view, 4, config, standing=1)  # the call between them has cost nothing
    assert not prompts


def test_by_default_each_frame_is_looked_at_anew(engine, view, prompts):
    for seed in (5, 6):
        prompts.clear()
        ask(engine, view, seed, NodeConfig(), standing=1)
        assert prompts
