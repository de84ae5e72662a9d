"""The correlation map against slow computations in the published order."""

from dataclasses import replace

from explicit_softmax import ExplicitSoftmax
import numpy as np
from PIL import Image
import pytest
from tiny_models import plain_hidden, tiny_diffusion
import torch
from torch.nn import functional

from refdiff_ros.caches import RecentCache
from refdiff_ros.errors import BadRequestError, BundleError
from refdiff_ros.generative import attention, correlation
from refdiff_ros.generative.image_fit import fit_image
from refdiff_ros.language.expression import parse
from refdiff_ros.presets import get_preset
from refdiff_ros.results import Frame

SIZE = 64
CONFIGS = {name: replace(get_preset(name).generative, image_size=SIZE)
           for name in ('paper', 'released', 'onboard')}


@pytest.fixture(scope='module')
def expression():
    return parse('the red mug next to the bottle')


def _latents(models, frame, config, timestep):
    """Noised latents by the plain diffusers calls, and the scheduler."""
    image, _ = fit_image(frame.image_rgb, SIZE, config.fit)
    posterior = models.vae.encode(image).latent_dist
    generator = torch.Generator().manual_seed(5)
    shape = posterior.mean.shape
    posterior_noise = torch.randn(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    latents = posterior.mean
    if config.sample_posterior:
        latents = latents + posterior.std * posterior_noise
    latents = latents * models.vae.config.scaling_factor
    models.scheduler.set_timesteps(20)
    assert models.scheduler.timesteps[-3:].tolist() == [101, 51, 1]
    return models.scheduler.add_noise(latents, noise, torch.tensor([timestep]))


def _explicit_pass(models, latents, timestep, hidden):
    recorder, processors = ExplicitSoftmax(), models.unet.attn_processors
    models.unet.set_attn_processor(recorder)
    noise = models.unet(latents, timestep, encoder_hidden_states=hidden).sample
    models.unet.set_attn_processor(processors)
    return recorder, noise


def _square(row):
    side = round(row.shape[-1] ** 0.5)
    return row.reshape(side, side)


@torch.no_grad()
def _direct_paper(models, frame, expression, config):
    """Softmax (Eq. (4)), conditional passes, mean of everything, one min-max, bilinear."""
    latents = _latents(models, frame, config, timestep=51)
    hidden = plain_hidden(models, expression.text)
    token = 3  # start, the, red, mug
    maps = []
    for timestep in (51, 1):
        recorder, noise = _explicit_pass(models, latents, timestep, hidden)
        maps += [_square(p[0].mean(dim=0)[:, token]) for p in recorder.probabilities]
        latents = models.scheduler.step(noise, timestep, latents).prev_sample
    return _normalised_once(maps)


def _normalised_once(maps):
    """Mean of the maps on the finest grid, one min-max, bilinear to the picture."""
    side = max(len(m) for m in maps)
    resized = [functional.interpolate(m[None, None], size=(side, side), mode='bilinear')[0, 0]
               for m in maps]
    mean = sum(resized) / len(resized)
    c = (mean - mean.min()) / (mean.max() - mean.min() + 1e-8)
    square = functional.interpolate(c[None, None], size=(48, 48), mode='bilinear')[0, 0]
    return square[9:39].numpy()  # a 30 px high picture in the middle of 48


@torch.no_grad()
def _guided_maps(models, frame, expression, config):
    """The authors' order: both passes in full, logits of every layer, guidance on tensors."""
    latents = _latents(models, frame, config, timestep=101)
    hidden = torch.cat([plain_hidden(models, ''), plain_hidden(models, expression.text + ', ')])
    names = attention.cross_attention_layers(models.unet)
    wanted = [names.index(name) for name in attention.select_layers(models.unet, ('released',))]
    token, maps = 3, []
    for timestep in (51, 1):
        recorder, noise = _explicit_pass(models, torch.cat([latents] * 2), timestep, hidden)
        for row in wanted:
            without, conditional = recorder.logits[row].mean(dim=1)  # (P, L) each
            maps.append(_square(((conditional - without) * 9 + without)[:, token]))
        without, conditional = noise.chunk(2)
        guided = without + 9 * (conditional - without)
        latents = models.scheduler.step(guided, timestep, latents).prev_sample
    return maps


def _direct_released(models, frame, expression, config):
    """Min-max of each map, mean, 8 bits, Lanczos, min-max of the picture."""
    maps = [(m - m.min()) / (m.max() - m.min())
            for m in _guided_maps(models, frame, expression, config)]
    mean = (sum(maps) / len(maps)).numpy()
    eight_bit = Image.fromarray((mean * 255).astype(np.uint8))
    square = np.asarray(eight_bit.resize((48, 48), Image.Resampling.LANCZOS))
    picture = square[9:39].astype(np.float32) / 255
    return (picture - picture.min()) / (picture.max() - picture.min() + 1e-8)


@pytest.mark.parametrize('name, direct', [
    ('paper', _direct_paper), ('released', _direct_released)])
def test_the_map_equals_the_direct_computation(models, frame, expression, name, direct):
    config = CONFIGS[name]
    prepared = correlation.prepare_frame(models, frame, config, seed=5)
    c = prepared.correlation(expression)
    expected = direct(models, frame, expression, config)
    if name == 'released':
        # One step of the 8-bit cut may fall the other way where a mean lies on its edge.
        assert (np.abs(c - expected) > 1e-5).mean() < 0.01
        np.testing.assert_allclose(c, expected, atol=3 / 255)
    else:
        np.testing.assert_allclose(c, expected, atol=1e-5)


def test_guidance_with_the_kept_unconditional_pass_equals_both_passes_in_full(
        models, frame, expression):
    # Without the 8 bits of `released`, which would hide what is smaller than 1/255.
    config = replace(CONFIGS['released'], normalise='once')
    prepared = correlation.prepare_frame(models, frame, config, seed=5)
    assert config.guidance_scale == 9 and prepared.unconditional is not None
    expected = _normalised_once(_guided_maps(models, frame, expression, config))
    prepared.correlation(parse('the blue box'))
    c = prepared.correlation(expression)
    np.testing.assert_allclose(c, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('name', sorted(CONFIGS))
def test_a_map_is_float32_of_the_pictures_size_in_0_to_1(models, frame, expression, name):
    prepared = correlation.prepare_frame(models, frame, CONFIGS[name], seed=0)
    c = prepared.correlation(expression)
    assert c.shape == frame.size_hw and c.dtype == np.float32
    assert c.min() >= 0 and c.max() <= 1 and c.std() > 0


def test_the_first_unconditional_pass_is_kept_with_the_frame(models, frame, expression):
    config = CONFIGS['released']
    calls = []
    hook = models.unet.register_forward_pre_hook(
        lambda _module, args: calls.append(len(args[0])))
    prepared = correlation.prepare_frame(models, frame, config, seed=0)
    assert calls == [1]
    first = prepared.correlation(expression)
    second = prepared.correlation(parse('blue box'))
    hook.remove()
    # Per expression: the first step without the unconditional half, then both halves.
    assert calls == [1, 1, 2, 1, 2]
    assert np.abs(first - second).max() > 1e-3


def test_the_kept_unconditional_pass_equals_a_fresh_one(models, frame, expression):
    config = CONFIGS['released']
    used = correlation.prepare_frame(models, frame, config, seed=0)
    used.correlation(parse('blue box'))
    fresh = correlation.prepare_frame(models, frame, config, seed=0)
    np.testing.assert_allclose(
        used.correlation(expression),
        fresh.correlation(expression), atol=1e-5)


def test_one_step_and_no_guidance_runs_the_unet_once_and_not_to_its_end(
        models, frame, expression):
    calls, ends = [], []
    hooks = [
        models.unet.register_forward_pre_hook(lambda *_: calls.append(1)),
        models.unet.conv_out.register_forward_hook(lambda *_: ends.append(1))]
    prepared = correlation.prepare_frame(models, frame, CONFIGS['onboard'], seed=0)
    prepared.correlation(expression)
    for hook in hooks:
        hook.remove()
    assert (len(calls), len(ends)) == (1, 0)


def test_every_token_has_a_map_and_the_roots_is_among_them(models, frame, expression):
    config = CONFIGS['onboard']
    prepared = correlation.prepare_frame(models, frame, config, seed=0)
    tokens, maps = prepared.token_correlations(expression)
    assert tokens[:4] == ('the', 'red', 'mug', 'next')
    assert maps.shape == (len(tokens), *frame.size_hw)
    np.testing.assert_allclose(
        maps[2], prepared.correlation(expression), atol=1e-5)


def test_a_root_of_several_sub_tokens_takes_their_mean_or_the_last(models, frame):
    config = replace(CONFIGS['onboard'], normalise='once')
    maps = [correlation.prepare_frame(
        models, frame, replace(config, sub_tokens=which), seed=0).correlation(parse('the bottle'))
        for which in ('mean', 'last')]
    assert np.abs(maps[0] - maps[1]).max() > 1e-4


def test_masked_padding_changes_the_map_and_stays_finite(models, frame, expression):
    config = replace(CONFIGS['released'], mask_padding=True)
    prepared = correlation.prepare_frame(models, frame, config, seed=0)
    masked = prepared.correlation(expression)
    assert np.isfinite(masked).all()


def test_half_precision_gives_nearly_the_same_map(frame, expression):
    config = CONFIGS['onboard']
    maps = []
    for dtype in (torch.float32, torch.bfloat16):
        models = tiny_diffusion()
        for part in (models.vae, models.unet, models.text_encoder):
            part.to(dtype)
        prepared = correlation.prepare_frame(models, frame, config, seed=0)
        maps.append(prepared.correlation(expression))
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.95


def test_a_constant_map_is_all_zero():
    flat = torch.full((1, 4, 4), 0.3)
    assert not correlation.min_max(flat, 0.0).any()


def test_an_image_size_that_the_unet_cannot_halve_is_refused(models, frame):
    with pytest.raises(BundleError, match='multiple of 16 for this bundle, got 72'):
        correlation.prepare_frame(models, frame, replace(CONFIGS['onboard'], image_size=72), 0)


def test_a_root_beyond_the_text_encoders_length_is_refused(models, frame):
    config = CONFIGS['onboard']
    prepared = correlation.prepare_frame(models, frame, config, seed=0)
    long = parse('the ' + 'red ' * 40 + 'mug')
    with pytest.raises(BadRequestError, match="'mug' among the first 30 tokens"):
        prepared.correlation(long)


def test_the_phrase_as_prompt_is_the_phrase_asked_alone(models, frame, expression):
    config = replace(CONFIGS['onboard'], prompt='phrase')
    prepared = correlation.prepare_frame(models, frame, config, 5)
    found = prepared.correlation(expression)
    plain = correlation.prepare_frame(models, frame, CONFIGS['onboard'], 5)
    alone = plain.correlation(parse('the red mug'))
    np.testing.assert_array_equal(found, alone)


def test_the_words_of_the_phrase_share_the_map(models, frame):
    config = replace(CONFIGS['onboard'], prompt='phrase', words='phrase', normalise='once')
    prepared = correlation.prepare_frame(models, frame, config, 5)
    text = 'the red mug'
    groups = [correlation.span_token_indices(models.tokenizer, text, span)
              for span in ((4, 7), (8, 11))]
    both = tuple(index for group in groups for index in group)
    expected = prepared.maps([correlation.PromptGroups(text, [both])])[0][0]
    found = prepared.correlation(parse('the red mug next to the bottle'))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('name', CONFIGS)
def test_expressions_asked_together_are_answered_as_alone(models, frame, name):
    config = CONFIGS[name]
    asked = [parse(text) for text in ('the red mug', 'blue box', 'the bottle next to the bowl')]
    prepared = correlation.prepare_frame(models, frame, config, seed=0)
    together = prepared.correlations(asked)
    for one, found in zip(asked, together, strict=True):
        fresh = correlation.prepare_frame(models, frame, config, seed=0)
        np.testing.assert_allclose(
            found, fresh.correlation(one), atol=1e-4)


def test_a_prompt_is_encoded_once_for_all_frames(models, frame):
    prompts, calls = RecentCache(), []
    hook = models.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    for seed in (0, 1):
        prepared = correlation.prepare_frame(models, frame, CONFIGS['released'], seed, prompts)
        prepared.correlation(parse('blue box'))
    hook.remove()
    assert len(calls) == 2  # the empty prompt and the expression


def test_words_of_the_phrase_need_it_as_prompt():
    with pytest.raises(BadRequestError, match="'phrase' with prompt 'phrase'"):
        replace(CONFIGS['onboard'], words='phrase')


@torch.no_grad()
def _direct_unpadded(models, picture, expression):
    """One step at 32x64 pixels, maps of 4x8 to 16x32 places, mean, min-max of the picture."""
    image = fit_image(picture, SIZE, 'letterbox', (32, 64))[0]
    latents = models.vae.encode(image).latent_dist.mean * models.vae.config.scaling_factor
    generator = torch.Generator().manual_seed(5)
    _, noise = (torch.randn(latents.shape, generator=generator) for _ in range(2))
    models.scheduler.set_timesteps(20)
    latents = models.scheduler.add_noise(latents, noise, torch.tensor([51]))
    recorder, _ = _explicit_pass(models, latents, 51, plain_hidden(models, expression.text))
    names = attention.cross_attention_layers(models.unet)
    wanted = [names.index(name) for name in attention.select_layers(models.unet, ('released',))]
    maps = []
    for row in wanted:
        places = recorder.probabilities[row][0].mean(dim=0)[:, 3]
        height = round((len(places) / 2) ** 0.5)
        maps.append(places.reshape(1, 1, height, 2 * height))
    finest = max(tuple(m.shape[-2:]) for m in maps)
    mean = sum(functional.interpolate(m, size=finest, mode='bilinear') for m in maps) / len(maps)
    c = functional.interpolate(mean, size=picture.shape[:2], mode='bilinear')[0, 0]
    return ((c - c.min()) / (c.max() - c.min() + 1e-8)).numpy()


def test_without_its_padding_the_picture_alone_is_looked_at(models, expression):
    rng = np.random.default_rng(1)
    frame = Frame(rng.integers(0, 256, (40, 80, 3), dtype=np.uint8))
    config = replace(CONFIGS['onboard'], pad_square=False)
    prepared = correlation.prepare_frame(models, frame, config, seed=5)
    height, width = prepared.latents.shape[-2:]
    assert width == 2 * height
    c = prepared.correlation(expression)
    np.testing.assert_allclose(
        c, _direct_unpadded(models, frame.image_rgb, expression), atol=1e-5)
    padded = replace(config, pad_square=True)
    whole = correlation.prepare_frame(models, frame, padded, seed=5)
    assert whole.latents.numel() == 2 * prepared.latents.numel()
    assert np.abs(c - whole.correlation(expression)).max() > 1e-3


def test_a_square_picture_has_no_padding_to_leave_out(models, expression):
    rng = np.random.default_rng(2)
    frame = Frame(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
    maps = []
    for pad_square in (True, False):
        config = replace(CONFIGS['onboard'], pad_square=pad_square)
        prepared = correlation.prepare_frame(models, frame, config, seed=5)
        maps.append(prepared.correlation(expression))
    np.testing.assert_array_equal(*maps)
