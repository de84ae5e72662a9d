"""Captured maps against an attention processor that forms every probability."""

from diffusers import UNet2DConditionModel
from explicit_softmax import ExplicitSoftmax
import pytest
from tiny_models import tiny_diffusion
import torch

from refdiff_ros.errors import BundleError
from refdiff_ros.generative import attention

LENGTH = 9

# Other layouts than Stable Diffusion's first: 2.1's linear projections, XL's several transformer
# blocks a layer (unequal from level to level) and no attention at the latents' own level.
LAYOUTS = {
    'sd15': {},
    'linear': {'use_linear_projection': True, 'transformer_layers_per_block': 2,
               'attention_head_dim': (2, 4, 4, 4)},
    'xl': {'use_linear_projection': True, 'transformer_layers_per_block': (1, 2, 3),
           'block_out_channels': (8, 16, 16),
           'down_block_types': ('DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'),
           'up_block_types': ('CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D')},
}
# Down, middle, up; the up blocks have a layer more than the down blocks.
COUNTS = {'sd15': 6 + 1 + 9, 'linear': 12 + 2 + 18, 'xl': 4 + 6 + 3 + 9 + 6}


@pytest.fixture(scope='module')
def unet(request):
    return tiny_diffusion(**LAYOUTS[getattr(request, 'param', 'sd15')]).unet


any_layout = pytest.mark.parametrize('unet', LAYOUTS, indirect=True)


@pytest.fixture
def inputs(unet):
    torch.manual_seed(1)
    return {
        'sample': torch.randn(2, 4, 16, 16), 'timestep': torch.tensor([51]),
        'encoder_hidden_states': torch.randn(2, LENGTH, unet.config.cross_attention_dim)}


@pytest.fixture
def explicit(unet):
    """The same UNet with every attention spelt out; restored afterwards."""
    processors = unet.attn_processors
    recorder = ExplicitSoftmax()
    unet.set_attn_processor(recorder)
    yield recorder
    unet.set_attn_processor(processors)


@any_layout
def test_layers_are_in_the_order_in_which_they_run(unet, inputs, request):
    ran = []
    layers = attention.cross_attention_layers(unet)
    hooks = [unet.get_submodule(name).register_forward_hook(
        lambda *_, name=name: ran.append(name)) for name in layers]
    with torch.no_grad():
        unet(**inputs)
    for hook in hooks:
        hook.remove()
    assert tuple(ran) == layers
    assert len(layers) == COUNTS[request.node.callspec.params['unet']]


def test_released_layers_are_two_down_and_three_up_two_levels_below_the_latents(unet):
    assert attention.select_layers(unet, ('released',)) == tuple(
        f'{block}.attentions.{row}.transformer_blocks.0.attn2'
        for block, count in (('down_blocks.2', 2), ('up_blocks.1', 3)) for row in range(count))


def test_a_unet_that_wants_more_than_a_text_is_refused():
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8,), layers_per_block=1, cross_attention_dim=8,
        attention_head_dim=1, norm_num_groups=4, down_block_types=('CrossAttnDownBlock2D',),
        up_block_types=('CrossAttnUpBlock2D',), addition_embed_type='text_time',
        addition_time_embed_dim=4, projection_class_embeddings_input_dim=32)
    with pytest.raises(BundleError, match='SDXL and its like are not supported'):
        attention.select_layers(unet, ())


def test_an_unknown_layer_lists_what_there_is(unet):
    with pytest.raises(BundleError, match=r"got \['nose'\]; it has \['down_blocks.0"):
        attention.select_layers(unet, ('nose',))


@any_layout
@torch.no_grad()
def test_maps_equal_an_explicit_softmax(unet, inputs, explicit):
    layers = attention.cross_attention_layers(unet)
    groups = [(2,), (3, 4)]
    with attention.capture(unet, layers) as found:
        unet(**inputs)
    assert tuple(found) == layers
    for row, name in enumerate(layers):
        for reduce, direct in ((attention.mean_logits, explicit.logits[row]),
                               (attention.mean_probabilities, explicit.probabilities[row])):
            mean = direct.mean(dim=1)  # (B, P, L)
            expected = torch.stack([mean[..., 2], mean[..., 3:5].mean(dim=-1)], dim=1)
            torch.testing.assert_close(
                reduce(found[name], groups), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_token_bias_takes_tokens_out_of_the_softmax(unet, inputs, explicit):
    attended = torch.ones(2, LENGTH, dtype=torch.bool)
    attended[:, 5:] = False
    layer = attention.cross_attention_layers(unet)[0]
    with attention.capture(unet, (layer,)) as found:
        unet(**inputs, encoder_attention_mask=attended)
    bias = (~attended).float() * -10_000.0
    got = attention.mean_probabilities(found[layer], [(1,), (6,)], bias)
    expected = explicit.probabilities[0].mean(dim=1)[..., [1, 6]].transpose(1, 2)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    assert got[:, 1].max() < 1e-6


@torch.no_grad()
def test_chunks_of_places_change_nothing(unet, inputs, monkeypatch):
    layer = attention.cross_attention_layers(unet)[0]
    with attention.capture(unet, (layer,)) as found:
        unet(**inputs)
    whole = attention.mean_probabilities(found[layer], [(1,)])
    monkeypatch.setattr(attention, '_CHUNK_PLACES', 7)
    torch.testing.assert_close(attention.mean_probabilities(found[layer], [(1,)]), whole)


@torch.no_grad()
def test_the_fused_forward_pass_is_not_changed_by_capturing(unet, inputs):
    plain = unet(**inputs).sample
    with attention.capture(unet, attention.cross_attention_layers(unet)):
        captured = unet(**inputs).sample
    torch.testing.assert_close(captured, plain, atol=0, rtol=0)


@any_layout
@pytest.mark.parametrize('wanted', [(), ('released',)])
@torch.no_grad()
def test_a_truncated_pass_captures_what_the_full_pass_does(unet, inputs, wanted):
    layers = attention.select_layers(unet, wanted)
    with attention.capture(unet, layers) as full:
        unet(**inputs)
    short = attention.run_until_captured(unet, layers, **inputs)
    assert tuple(short) == layers
    for name in layers:
        torch.testing.assert_close(short[name].query, full[name].query, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(short[name].key, full[name].key, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_nothing_after_the_last_captured_layer_runs(unet, inputs):
    ran = []
    late = [unet.up_blocks[2], unet.up_blocks[3], unet.conv_out]
    early = [unet.down_blocks[2], unet.mid_block]
    hooks = [module.register_forward_hook(lambda module, *_: ran.append(module))
             for module in late + early]
    attention.run_until_captured(unet, attention.select_layers(unet, ('released',)), **inputs)
    for hook in hooks:
        hook.remove()
    assert ran == early


@torch.no_grad()
def test_an_error_inside_the_unet_is_passed_on_and_leaves_no_hook(unet, inputs):
    layers = attention.cross_attention_layers(unet)
    wrong = inputs | {'encoder_hidden_states': torch.zeros(2, LENGTH, 3)}
    with pytest.raises(RuntimeError):
        attention.run_until_captured(unet, layers, **wrong)
    assert not any(unet.get_submodule(name).to_k._forward_hooks for name in layers)
    assert not any(unet.get_submodule(name).to_q._forward_hooks for name in layers)
