import dataclasses

import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import get_preset, override, parse_overrides, PRESETS


def test_published_hyper_parameters_of_paper():
    paper = get_preset('paper')
    assert (paper.generative.start_step, paper.selection.alpha) == (2, 0.1)
    assert paper.discriminative.beta == 0.3
    assert paper.generative.image_size == 1024
    assert paper.proposals.thresholds[0] == 0.05 and paper.proposals.thresholds[-1] == 0.95
    assert len(paper.proposals.thresholds) == 19


def test_override_replaces_nested_values_and_leaves_the_preset_alone():
    changed = get_preset('onboard').override(
        {'generative': {'image_size': 128, 'layers': ['a', 'b']}, 'selection': {'alpha': 0.4}})
    assert changed.generative.image_size == 128
    assert changed.generative.layers == ('a', 'b')
    assert changed.selection.alpha == 0.4
    assert get_preset('onboard').generative.image_size != 128


@pytest.mark.parametrize('values, match', [
    ({'generative': {'image_sise': 1}}, r"in onboard.generative, got 'image_sise'"),
    ({'beta': 0.2}, "in onboard, got 'beta'"),
    ({'discriminative': {'beta': 1.5}}, r'discriminative.beta in 0..1, got 1.5'),
    ({'generative': {'start_step': 1, 'unet_steps': 2}}, 'unet_steps <= start_step'),
    ({'proposals': {'thresholds': []}}, 'at least one'),
    ({'generative': {'layers': 'mid,up'}}, r"list in onboard.generative.layers.*got 'mid,up'"),
    ({'selection': {'temperature': 0}}, 'temperature > 0'),
    ({'spatial': {'kind': 'magic'}}, "'none' or 'geometry', got 'magic'"),
    ({'spatial': {'parts': ['place']}}, "spatial.parts of .*'direction'.*got .'place',."),
    ({'spatial': {'temperature': 0.0}}, 'spatial.temperature > 0, got 0.0'),
    ({'spatial': {'temperature_of': 'range'}}, "'spread' or 'score', got 'range'"),
    ({'spatial': {'least_spread': -0.1}}, 'least_spread >= 0'),
    ({'spatial': {'weight': -1}}, 'spatial.weight >= 0, got -1'),
    ({'spatial': {'floor': 0}}, 'spatial.floor in .0, 1., got 0'),
    ({'discriminative': {'text': 'root'}}, "'expression' or 'phrase', got 'root'"),
    ({'discriminative': {'crop_fit': 'round'}}, "'square', 'tight' or 'box', got 'round'"),
    ({'discriminative': {'crop_margin': 0.5}}, 'crop_margin in 1..10, got 0.5'),
    ({'discriminative': {'crop_background': 'white'}}, "'grey' or 'picture', got 'white'"),
    ({'discriminative': {'crop_tokens': 'some'}}, "'all' or 'object', got 'some'"),
    ({'discriminative': {'crop_fit': 'tight', 'crop_tokens': 'object'}}, "'all' with crop_fit"),
    ({'generative': {'fit': 'center_square', 'pad_square': False}}, "pad_square, or fit 'letter"),
    ({'discriminative': {'crop_source_side': -1}}, 'crop_source_side >= 0, got -1'),
])
def test_override_says_what_is_wrong(values, match):
    with pytest.raises(BadRequestError, match=match):
        get_preset('onboard').override(values)


def test_an_unknown_preset_lists_the_known():
    with pytest.raises(BadRequestError, match=r"\['onboard', 'paper', 'released'\], got 'fast'"):
        get_preset('fast')


@pytest.mark.parametrize('name', sorted(PRESETS))
def test_presets_are_hashable_and_frozen(name):
    preset = get_preset(name)
    for part in ('generative', 'proposals', 'discriminative', 'selection', 'spatial'):
        hash(getattr(preset, part))
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset.name = 'other'


@pytest.mark.parametrize('name', ['paper', 'released'])
def test_what_mends_the_equations_is_off_in_what_others_published(name):
    preset = get_preset(name)
    assert preset.spatial.kind == 'none' and preset.discriminative.text == 'expression'
    assert preset.discriminative.crop_fit in ('square', 'tight')
    assert preset.discriminative.crop_source_side == 0


def test_overrides_are_json_or_text():
    assert parse_overrides(['generative.fit=letterbox', 'generative.layers=["a"]', 'root=rules',
                            'selection.min_score=null']) == {
        'generative': {'fit': 'letterbox', 'layers': ['a']}, 'root': 'rules',
        'selection': {'min_score': None}}
    for texts in (['=1'], ['a.=1'], ['a=1', 'a.b=2']):
        with pytest.raises(BadRequestError, match='expected'):
            parse_overrides(texts)


@pytest.mark.parametrize('values', [
    {'selection': 3}, {'selection': {'alpha': 'much'}}, {'generative': {'layers': 3}}])
def test_values_of_another_type_are_refused(values):
    with pytest.raises(BadRequestError, match='expected'):
        override(get_preset('onboard'), values)
