"""One model on the device at a time."""

import numpy as np
import pytest
import torch

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.residency import Residency
from refdiff_ros.presets import Mode
from refdiff_ros.results import Frame

HOME, DEVICE = torch.device('cpu'), torch.device('meta')


def test_the_device_never_holds_two():
    groups = {name: [torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)] for name in ('one', 'two')}

    def places():
        return {name: {w.device.type for module in modules for w in module.parameters()}
                for name, modules in groups.items()}
    # 'meta' forgets values, which this test does not need.
    residency = Residency(groups, DEVICE, HOME)
    assert residency.resident is None and places() == {'one': {'cpu'}, 'two': {'cpu'}}
    residency.need('one')
    assert places() == {'one': {'meta'}, 'two': {'cpu'}}
    groups['one'] = [torch.nn.Linear(2, 2)]  # what comes back from 'meta' cannot be moved
    residency.need('two')
    assert residency.resident == 'two' and places() == {'one': {'cpu'}, 'two': {'meta'}}


class Watched(Residency):
    """Notes what was needed."""

    def need(self, name):
        self.needed = [*getattr(self, 'needed', []), name]
        super().need(name)


@pytest.fixture(scope='module')
def models():
    return load_bundle('untrained_mini', device='cpu')


def test_every_stage_asks_for_its_model_before_it_runs(models):
    frame = Frame(np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8))
    engine = Engine(models, resolve_preset(models, 'onboard'))
    expected = engine.segment(frame, 'the red box next to the mug')
    owners = {'diffusion': [models.diffusion.unet, models.diffusion.vae.encoder],
              'clip': [models.clip.model.vision_model.encoder],
              'sam': [models.sam.image_encoder.neck]}
    resident_while_running = []
    models.residency = Watched({name: [] for name in owners}, HOME)
    hooks = [module.register_forward_pre_hook(
        lambda *_, name=name: resident_while_running.append((name, models.residency.resident)))
        for name, modules in owners.items() for module in modules]
    engine.forget_frames()
    for _ in range(2):
        found = engine.segment(frame, 'the red box next to the mug', Mode.FULL)
    engine.prefetch(frame)
    engine.token_attention(frame, found.expression)
    for hook in hooks:
        hook.remove()
    models.residency = None
    assert {name for name, _ in resident_while_running} == set(owners)
    assert all(name == resident for name, resident in resident_while_running)
    np.testing.assert_array_equal(found.mask, expected.mask)


def test_on_a_cpu_there_is_nothing_to_move(models):
    assert load_bundle('untrained_mini', device='cpu', low_memory=True).residency is None
