"""Eq. 3-5: the correlation map c between an expression's root token and the picture.

Letters: H W image height and width, h w attention grid, L text tokens, K token groups, B batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from refdiff_ros import attention, diffusion, image_fit
from refdiff_ros.expression import root_alone
from refdiff_ros.models.model_set import DiffusionModels
from refdiff_ros.presets import GenerativeConfig
from refdiff_ros.results import Frame, ReferringExpression
from refdiff_ros.token_index import root_token_indices, span_token_indices
from refdiff_ros.words import split_words

_EPSILON = 1e-8
_ARTICLES = ('a', 'an', 'the')


@dataclass(frozen=True)
class _Unconditional:
    """The first step's unconditional pass, which no expression changes.

    Attributes:
        prompt: the empty prompt.
        layers: queries and keys per captured layer.
        noise: predicted noise; None where the first step is also the last.
    """

    prompt: diffusion.Prompt
    layers: dict[str, attention.LayerCapture]
    noise: torch.Tensor | None


@dataclass(frozen=True)
class GenerativeFrame:
    """What the generative process needs of a frame, whatever the expression.

    Attributes:
        placement: where the picture lies in the model's square.
        latents: (1, C, h, w) noised latents (Eq. 3).
        schedule: the steps that are run.
        layers: names of the captured layers, in the order in which they run.
        unconditional: the first step's unconditional pass; None without guidance.
    """

    placement: image_fit.Placement
    latents: torch.Tensor
    schedule: diffusion.Schedule
    layers: tuple[str, ...]
    unconditional: _Unconditional | None


@torch.inference_mode()
def prepare_frame(
    models: DiffusionModels, frame: Frame, config: GenerativeConfig, seed: int,
) -> GenerativeFrame:
    """Eq. (3) and everything else that belongs to the frame alone.

    Args:
        models: the diffusion model.
        frame: the picture.
        config: how it is fitted, noised and stepped.
        seed: of the noise; every expression on the frame sees the same.

    Raises:
        BundleError: `config.image_size` or `config.layers` do not suit the model.
    """
    shape = diffusion.latent_shape(models, config.image_size)
    posterior_noise, noise = diffusion.seeded_noise(shape, seed, 2)
    image, placement = image_fit.fit_image(frame.image_rgb, config.image_size, config.fit)
    latents = diffusion.encode_image(
        models.vae, image, posterior_noise if config.sample_posterior else None)
    schedule = diffusion.make_schedule(models.scheduler, config)
    noised = diffusion.add_noise(
        schedule.scheduler, latents, noise, schedule.noise_timestep).to(models.unet.dtype)
    layers = attention.select_layers(models.unet, config.layers)
    unconditional = None
    if config.guidance_scale is not None:
        prompt = diffusion.encode_prompt(models, '', config.mask_padding)
        captured, predicted = _pass(
            models.unet, noised, schedule.timesteps[0], prompt, layers,
            last=len(schedule.timesteps) == 1)
        unconditional = _Unconditional(prompt, captured, predicted)
    return GenerativeFrame(placement, noised, schedule, layers, unconditional)


def correlation(
    models: DiffusionModels,
    prepared: GenerativeFrame,
    expression: ReferringExpression,
    config: GenerativeConfig,
) -> np.ndarray:
    """Eq. (5): the root token's normalised attention at the picture's resolution.

    Args:
        models: the diffusion model.
        prepared: the frame's part, made with the same `config`.
        expression: the parsed expression.
        config: which attention, layers and normalisation.

    Returns:
        (H, W) float32 in 0..1; all 0 where the attention is constant.

    Raises:
        BadRequestError: the root lies beyond the tokens that the text encoder reads.
    """
    if config.prompt == 'phrase':
        expression = root_alone(expression) or expression
    if config.words == 'phrase' and expression.phrase:
        indices = _phrase_tokens(models.tokenizer, expression.text, config)
    else:
        indices = _word_tokens(
            root_token_indices(models.tokenizer, expression, config.prompt_suffix), config)
    return _correlations(models, prepared, expression.text, [indices], config)[0]


def _word_tokens(indices: tuple[int, ...], config: GenerativeConfig) -> tuple[int, ...]:
    return indices[-1:] if config.sub_tokens == 'last' else indices


def _phrase_tokens(tokenizer: Any, phrase: str, config: GenerativeConfig) -> tuple[int, ...]:
    """Positions of the tokens of every word of a noun phrase but its articles."""
    words = [word for word in split_words(phrase) if word.text.lower() not in _ARTICLES]
    return tuple(index for word in words for index in _word_tokens(
        span_token_indices(tokenizer, phrase + config.prompt_suffix, (word.start, word.end)),
        config))


def token_correlations(
    models: DiffusionModels,
    prepared: GenerativeFrame,
    expression: ReferringExpression,
    config: GenerativeConfig,
) -> tuple[tuple[str, ...], np.ndarray]:
    """The map of every token of the expression, for pictures like the paper's Figure 5.

    Returns:
        L tokens as the tokenizer writes them, start and end excluded, and (L, H, W) float32.
    """
    ids = models.tokenizer(
        expression.text, truncation=True, max_length=models.tokenizer.model_max_length).input_ids
    places = range(1, len(ids) - 1)
    tokens = models.tokenizer.convert_ids_to_tokens([ids[place] for place in places])
    maps = _correlations(
        models, prepared, expression.text, [(place,) for place in places], config)
    return tuple(token.removesuffix('</w>') for token in tokens), maps


@torch.inference_mode()
def _correlations(
    models: DiffusionModels,
    prepared: GenerativeFrame,
    text: str,
    groups: attention.TokenGroups,
    config: GenerativeConfig,
) -> np.ndarray:
    prompt = diffusion.encode_prompt(models, text + config.prompt_suffix, config.mask_padding)
    maps = list(_captured_maps(models.unet, prepared, prompt, groups, config))
    if config.normalise == 'each':
        return _normalise_each(maps, prepared.placement)
    return _normalise_mean(maps, prepared.placement, inside_picture=config.normalise == 'picture')


def _captured_maps(
    unet: torch.nn.Module,
    prepared: GenerativeFrame,
    prompt: diffusion.Prompt,
    groups: attention.TokenGroups,
    config: GenerativeConfig,
) -> Iterator[torch.Tensor]:
    """Each captured layer of each step: (K, h, w) float32."""
    latents, timesteps = prepared.latents, prepared.schedule.timesteps
    unconditional = prepared.unconditional
    for step, timestep in enumerate(timesteps):
        last = step == len(timesteps) - 1
        if unconditional is None or step == 0:
            layers, noise = _pass(unet, latents, timestep, prompt, prepared.layers, last)
            without = unconditional
        else:
            layers, noise, without = _guided_pass(
                unet, latents, timestep, prompt, unconditional.prompt, prepared.layers, last)
        for name in prepared.layers:
            reduced = _reduce(layers[name], groups, prompt, config)
            if without is not None:
                other = _reduce(without.layers[name], groups, without.prompt, config)
                reduced = other + (reduced - other) * config.guidance_scale
            yield _to_grid(reduced[0])
        if not last:
            if without is not None:
                noise = without.noise + (noise - without.noise) * config.guidance_scale
            latents = prepared.schedule.scheduler.step(noise, timestep, latents).prev_sample


def _pass(
    unet: torch.nn.Module,
    latents: torch.Tensor,
    timestep: int,
    prompt: diffusion.Prompt,
    layers: tuple[str, ...],
    last: bool,
) -> tuple[dict[str, attention.LayerCapture], torch.Tensor | None]:
    """One evaluation of the UNet; in the last step it ends at the last captured layer."""
    at = torch.tensor([timestep], device=latents.device)
    if last:
        found = attention.run_until_captured(
            unet, layers, latents, at, **prompt.unet_arguments())
        return found, None
    with attention.capture(unet, layers) as found:
        noise = unet(latents, at, **prompt.unet_arguments()).sample
    return found, noise


def _guided_pass(
    unet: torch.nn.Module,
    latents: torch.Tensor,
    timestep: int,
    prompt: diffusion.Prompt,
    empty: diffusion.Prompt,
    layers: tuple[str, ...],
    last: bool,
) -> tuple[dict[str, attention.LayerCapture], torch.Tensor | None, _Unconditional]:
    """Conditional and unconditional evaluation as one batch."""
    found, noise = _pass(
        unet, latents.expand(2, -1, -1, -1), timestep, diffusion.join(prompt, empty), layers,
        last)
    conditional = {name: layer.rows(0, 1) for name, layer in found.items()}
    without = {name: layer.rows(1, 2) for name, layer in found.items()}
    halves = (None, None) if noise is None else noise.chunk(2)
    return conditional, halves[0], _Unconditional(empty, without, halves[1])


def _reduce(
    layer: attention.LayerCapture,
    groups: attention.TokenGroups,
    prompt: diffusion.Prompt,
    config: GenerativeConfig,
) -> torch.Tensor:
    if config.attention == 'logits':
        return attention.mean_logits(layer, groups)
    return attention.mean_probabilities(layer, groups, prompt.token_bias)


def _to_grid(reduced: torch.Tensor) -> torch.Tensor:
    side = math.isqrt(reduced.shape[-1])  # the model's picture is a square
    return reduced.unflatten(-1, (side, side))  # (K, h*w) -> (K, h, w)


def _normalise_mean(
    maps: list[torch.Tensor], placement: image_fit.Placement, inside_picture: bool,
) -> np.ndarray:
    """Mean over layers and steps on the finest grid, then Eq. (5) once.

    Eq. 5 normalises before it resizes, over the padded square. With `inside_picture` it is the
    picture alone, after resizing, that spans 0..1.
    """
    side = max(m.shape[-1] for m in maps)
    mean = torch.stack([
        functional.interpolate(m[None], size=(side, side), mode='bilinear', align_corners=False)[0]
        for m in maps]).mean(dim=0)  # (K, h, w)
    if inside_picture:
        return _min_max(image_fit.unfit_bilinear(mean, placement), _EPSILON).cpu().numpy()
    return image_fit.unfit_bilinear(_min_max(mean, _EPSILON), placement).cpu().numpy()


def _normalise_each(maps: list[torch.Tensor], placement: image_fit.Placement) -> np.ndarray:
    """As the authors' code: min-max per map, mean, 8 bit, Lanczos, picture, min-max."""
    side = max(m.shape[-1] for m in maps)
    mean = torch.stack([
        functional.interpolate(_min_max(m, 0.0)[None], size=(side, side), mode='nearest')[0]
        for m in maps]).mean(dim=0)  # (K, h, w)
    picture = image_fit.unfit_lanczos_8bit(mean.cpu().numpy(), placement)
    return _min_max(torch.from_numpy(picture), _EPSILON).numpy()


def _min_max(maps: torch.Tensor, epsilon: float) -> torch.Tensor:
    """(K, h, w) to 0..1 each; a constant map, 0/0 without epsilon, becomes all 0."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    span = maps.amax(dim=(1, 2), keepdim=True) - low + epsilon
    return torch.where(span > 0, (maps - low) / span, torch.zeros_like(maps))
