"""Random weights in the published sizes, without the memory: on torch's meta device."""

import pytest
import torch

from refdiff_ros.errors import BundleError
from refdiff_ros.models import untrained
from refdiff_ros.models.bundle import read_manifest_file
from refdiff_ros.models.store import MANIFESTS
from refdiff_ros.models.untrained_sizes import FULL, SIZES
from refdiff_ros.presets import get_preset, PRESETS


def parameters(module):
    return sum(weight.numel() for weight in module.parameters())


def test_the_full_size_has_as_many_parameters_as_the_published_models():
    with torch.device('meta'):
        models = untrained.build_untrained(device='meta', size='full')
    diffusion = models.diffusion
    assert {name: parameters(module) for name, module in {
        'unet': diffusion.unet, 'vae': diffusion.vae, 'text': diffusion.text_encoder,
        'clip': models.clip.model, 'sam': models.sam}.items()} == {
        'unet': 859_520_964, 'vae': 83_653_863, 'text': 123_060_480, 'clip': 149_620_737,
        'sam': 641_090_608}


@pytest.mark.parametrize('name,count', [('vit_b', 93_735_472), ('sam2_tiny', 31_440_721)])
def test_lighter_segmentors_have_the_published_sizes(name, count):
    """SAM 2.1 Hiera tiny without what it needs for films, which is not loaded."""
    with torch.device('meta'):
        models = untrained.build_untrained(device='meta')
        untrained.take_lighter_segmentor(models, 'full', name)
    assert parameters(models.sam) == count
    tuned = read_manifest_file(MANIFESTS / f'sd15_{name}.json').overrides['onboard']
    for group in ('generative', 'discriminative'):
        assert models.overrides['onboard'][group] == tuned[group]


@pytest.mark.parametrize('size', sorted(SIZES))
def test_the_values_of_each_size_suit_the_presets(size):
    for name in PRESETS:
        get_preset(name).override(SIZES[size].overrides[name])


def test_the_full_size_leaves_the_presets_their_own_sizes():
    preset = get_preset('released').override(FULL.overrides['released'])
    assert preset.generative == get_preset('released').generative
    assert preset.proposals.points_per_side == 32


def test_an_unknown_segmentor_is_told():
    models = untrained.build_untrained()
    with pytest.raises(BundleError, match="'sam2_tiny', 'vit_b'.*'mini', got 'huge'"):
        untrained.take_lighter_segmentor(models, 'mini', 'huge')


def test_an_unknown_size_is_told():
    with pytest.raises(BundleError, match="'full', 'medium', 'mini'.*got 'huge'"):
        untrained.build_untrained(size='huge')
