"""What precedes the text in a UNet, computed once."""

import pytest
from tiny_models import tiny_diffusion
import torch

from refdiff_ros.generative.unet_prefix import prefix_modules, shared_prefix
from refdiff_ros.models.manager import load_bundle


def tiny():
    return tiny_diffusion().unet, 8


def shipped():
    return load_bundle('tabletop_mini', device='cpu').diffusion.unet, 24


@pytest.mark.parametrize('make', [tiny, shipped])
@torch.no_grad()
def test_passes_are_those_without_sharing(make):
    unet, side = make()
    torch.manual_seed(0)
    latents = torch.randn(1, 4, side, side)
    texts = torch.randn(2, 5, unet.config.cross_attention_dim)
    plain = [unet(latents, 51, text[None]).sample for text in texts]
    kept = {}
    with shared_prefix(unet, kept):
        shared = [unet(latents, 51, text[None]).sample for text in texts]
        together = unet(latents.expand(2, -1, -1, -1), 51, texts).sample
    assert (plain[0] - plain[1]).abs().max() > 1e-4
    for row in range(2):
        torch.testing.assert_close(shared[row], plain[row], rtol=0, atol=0)
        torch.testing.assert_close(together[row:row + 1], plain[row], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(unet(latents, 51, texts[:1]).sample, plain[0], rtol=0, atol=0)


@torch.no_grad()
def test_two_latents_several_times_over():
    unet, side = tiny()
    torch.manual_seed(1)
    latents = torch.randn(2, 4, side, side)
    texts = torch.randn(4, 5, unet.config.cross_attention_dim)
    expected = unet(latents.repeat(2, 1, 1, 1), 1, texts).sample
    with shared_prefix(unet, {}, rows=2):
        found = unet(latents.repeat(2, 1, 1, 1), 1, texts).sample
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_prefix_is_computed_once_and_ends_before_the_text():
    unet, side = tiny()
    names, computed = prefix_modules(unet), []
    assert names[0] == 'conv_in' and not any('attn2' in name for name in names)
    inner = unet.conv_in.forward
    unet.conv_in.forward = lambda *args: (computed.append(1), inner(*args))[1]
    kept, width = {}, unet.config.cross_attention_dim
    for _ in range(3):
        with shared_prefix(unet, kept):
            unet(torch.zeros(1, 4, side, side), 1, torch.zeros(1, 5, width))
    assert len(computed) == 1 and set(kept) == set(names)
    unet(torch.zeros(1, 4, side, side), 1, torch.zeros(1, 5, width))
    assert len(computed) == 2


def test_the_forward_functions_come_back_after_an_error():
    unet, _ = tiny()
    with pytest.raises(ZeroDivisionError), shared_prefix(unet, {}):
        raise ZeroDivisionError
    assert 'forward' not in vars(unet.conv_in)
