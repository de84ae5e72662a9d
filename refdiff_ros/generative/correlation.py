"""Eq. (3) to (5): the correlation map c between an expression's root token and the picture.

Letters: H W image height and width, h w attention grid, L text tokens, K token groups of an
expression, B expressions asked together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from refdiff_ros.caches import RecentCache
from refdiff_ros.errors import BadRequestError
from refdiff_ros.generative import attention, image_fit
from refdiff_ros.generative import latents as diffusion
from refdiff_ros.generative.information import noised_copies, NoisedCopies
from refdiff_ros.generative.token_index import root_token_indices, span_token_indices
from refdiff_ros.generative.unet_prefix import shared_prefix
from refdiff_ros.language.expression import root_alone
from refdiff_ros.language.words import ARTICLES, split_words
from refdiff_ros.models.model_set import DiffusionModels
from refdiff_ros.presets import GenerativeConfig
from refdiff_ros.results import Frame, ReferringExpression
from refdiff_ros.stages import stage

_EPSILON = 1e-8


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
class PromptGroups:
    """A prompt, and the groups of its tokens whose maps are wanted."""

    text: str
    groups: attention.TokenGroups


@dataclass(frozen=True)
class GenerativeFrame:
    """What the diffusion model knows of a frame, whatever the expression; see `prepare_frame`.

    Attributes:
        models: the diffusion model.
        config: which attention, layers, steps and normalisation.
        placement: where the picture lies in the model's square.
        latents: (1, C, h, w) noised latents (Eq. (3)).
        schedule: the steps that are run.
        layers: names of the captured layers, in the order in which they run.
        unconditional: the first step's unconditional pass; None without guidance.
        prefix: what the first step computes before it looks at a text (`unet_prefix`).
        prompts: encoded prompts, which frames may share.
        copies: of the picture, for what a text adds to denoising; None where it is not asked for.
    """

    models: DiffusionModels
    config: GenerativeConfig
    placement: image_fit.Placement
    latents: torch.Tensor
    schedule: diffusion.Schedule
    layers: tuple[str, ...]
    unconditional: _Unconditional | None
    prefix: dict[str, Any]
    prompts: RecentCache
    copies: NoisedCopies | None

    @torch.inference_mode()
    def prefetch(self) -> None:
        """Compute ahead what the first step's UNet computes before it looks at a text."""
        if self.copies is not None:
            self.copies.prefetch()
        if self.prefix:
            return
        first = attention.cross_attention_layers(self.models.unet)[:1]
        prompt = _encode(self.models, self.prompts, '', self.config)  # never looked at
        with shared_prefix(self.models.unet, self.prefix):
            _pass(self.models.unet, self.latents, self.schedule.timesteps[0], prompt, first,
                  last=True)

    def correlation(self, expression: ReferringExpression) -> np.ndarray:
        """Eq. (5): the root token's normalised attention at the picture's resolution.

        With `generative.information`, times what the prompt adds to denoising there.

        Returns:
            (H, W) float32 in 0..1; all 0 where the attention is constant.

        Raises:
            BadRequestError: the root lies beyond the tokens that the text encoder reads.
        """
        return np.asarray(self.correlations([expression])[0])

    def correlations(self, expressions: Sequence[ReferringExpression]) -> np.ndarray:
        """As `correlation`, for B expressions in one batch: (B, H, W) float32."""
        questions = [_question(self.models, each, self.config) for each in expressions]
        maps = np.concatenate(self.maps(questions))
        if self.copies is None:
            return maps
        return np.stack([
            self._informed(c, question) for c, question in zip(maps, questions, strict=True)])

    @torch.inference_mode()
    def _informed(self, c: np.ndarray, question: PromptGroups) -> np.ndarray:
        """c (H, W) times what the prompt adds to denoising, in 0..1."""
        assert self.copies is not None
        text = question.text + self.config.prompt_suffix
        added = self.copies.information(_encode(self.models, self.prompts, text, self.config))
        picture = image_fit.unfit_bilinear(added.clamp(min=0)[None], self.placement)
        return min_max(picture * torch.from_numpy(c), _EPSILON)[0].numpy()

    def token_correlations(
        self, expression: ReferringExpression,
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """The map of every token of the expression, for pictures like the paper's Figure 5.

        Returns:
            L tokens as the tokenizer writes them, start and end excluded, and (L, H, W) float32.
        """
        tokenizer = self.models.tokenizer
        ids = tokenizer(expression.text, truncation=True,
                        max_length=tokenizer.model_max_length).input_ids
        places = range(1, len(ids) - 1)
        tokens = tokenizer.convert_ids_to_tokens([ids[place] for place in places])
        maps = self.maps([PromptGroups(expression.text, [(place,) for place in places])])[0]
        return tuple(token.removesuffix('</w>') for token in tokens), maps

    @torch.inference_mode()
    def maps(self, questions: Sequence[PromptGroups]) -> list[np.ndarray]:
        """For each of B prompts the maps of its groups of tokens, (K, H, W) float32."""
        config = self.config
        encoded = [_encode(self.models, self.prompts, question.text + config.prompt_suffix, config)
                   for question in questions]
        maps: list[list[torch.Tensor]] = [[] for _ in questions]
        latent_hw = self.latents.shape[-2], self.latents.shape[-1]
        for layers, without in self._steps(diffusion.join(encoded)):
            for name in self.layers:
                for row, (question, prompt) in enumerate(zip(questions, encoded, strict=True)):
                    reduced = _reduce(layers[name].row(row), question.groups, prompt, config)
                    if without is not None and config.guidance_scale is not None:
                        other = _reduce(
                            without.layers[name].row(row), question.groups, without.prompt, config)
                        reduced = other + (reduced - other) * config.guidance_scale
                    maps[row].append(_to_grid(reduced[0], latent_hw))
        if config.normalise == 'each':
            return [_normalise_each(own, self.placement) for own in maps]
        inside = config.normalise == 'picture'
        return [_normalise_mean(own, self.placement, inside) for own in maps]

    def _steps(
        self, prompt: diffusion.Prompt,
    ) -> Iterator[tuple[dict[str, attention.LayerCapture], _Unconditional | None]]:
        """Captured layers of each step for B prompts; under guidance also without a text."""
        unet, timesteps = self.models.unet, self.schedule.timesteps
        latents = self.latents.expand(len(prompt.hidden), -1, -1, -1)  # (B, C, h, w)
        without = self.unconditional
        for step, timestep in enumerate(timesteps):
            last = step == len(timesteps) - 1
            if step == 0:
                with shared_prefix(unet, self.prefix):
                    layers, noise = _pass(unet, latents, timestep, prompt, self.layers, last)
            elif without is None:
                layers, noise = _pass(unet, latents, timestep, prompt, self.layers, last)
            else:
                layers, noise, without = self._guided_pass(
                    latents, timestep, (prompt, without.prompt), last)
            yield layers, without
            if noise is not None:
                noise = self._guided(noise, without)
                latents = self.schedule.scheduler.step(noise, timestep, latents).prev_sample

    def _guided(self, noise: torch.Tensor, without: _Unconditional | None) -> torch.Tensor:
        if without is None or without.noise is None or self.config.guidance_scale is None:
            return noise
        return without.noise + (noise - without.noise) * self.config.guidance_scale

    def _guided_pass(
        self,
        latents: torch.Tensor,
        timestep: int,
        prompts: tuple[diffusion.Prompt, diffusion.Prompt],
        last: bool,
    ) -> tuple[dict[str, attention.LayerCapture], torch.Tensor | None, _Unconditional]:
        """Evaluation of B latents with a prompt and with the empty one, as one batch."""
        count, (prompt, empty) = len(latents), prompts
        with shared_prefix(self.models.unet, {}, rows=count):
            found, noise = _pass(
                self.models.unet, latents.repeat(2, 1, 1, 1), timestep,
                diffusion.join([prompt, *[empty] * count]), self.layers, last)
        conditional = {name: layer.rows(0, count) for name, layer in found.items()}
        without = {name: layer.rows(count, 2 * count) for name, layer in found.items()}
        halves = (None, None) if noise is None else noise.chunk(2)
        return conditional, halves[0], _Unconditional(empty, without, halves[1])


@torch.inference_mode()
def prepare_frame(
    models: DiffusionModels,
    frame: Frame,
    config: GenerativeConfig,
    seed: int,
    prompts: RecentCache | None = None,
) -> GenerativeFrame:
    """The noised latents (Eq. (3)) and all else that belongs to the frame alone.

    Args:
        models: the diffusion model.
        frame: the picture.
        config: how it is fitted, noised and stepped.
        seed: of the noise; every expression on the frame sees the same.
        prompts: keeps encoded prompts from frame to frame; one of the frame's own when None.

    Raises:
        BundleError: `config.image_size` or `config.layers` do not suit the model.
    """
    target_hw = _target_hw(models, frame, config)
    shape = diffusion.latent_shape(models, target_hw)
    posterior_noise, noise = diffusion.seeded_noise(shape, seed, 2)
    image, placement = image_fit.fit_image(
        frame.image_rgb, config.image_size, config.fit, target_hw)
    latents = diffusion.encode_image(
        models.vae, image, posterior_noise if config.sample_posterior else None)
    schedule = diffusion.make_schedule(models.scheduler, config)
    noised = diffusion.add_noise(
        schedule.scheduler, latents, noise, schedule.noise_timestep).to(models.unet.dtype)
    layers = attention.select_layers(models.unet, config.layers)
    prompts = RecentCache() if prompts is None else prompts
    prefix: dict[str, Any] = {}
    unconditional = None
    if config.guidance_scale is not None:
        prompt = _encode(models, prompts, '', config)
        with shared_prefix(models.unet, prefix):
            captured, predicted = _pass(
                models.unet, noised, schedule.timesteps[0], prompt, layers,
                last=len(schedule.timesteps) == 1)
        unconditional = _Unconditional(prompt, captured, predicted)
    copies = noised_copies(
        models, latents, _encode(models, prompts, '', config), config.information, seed,
    ) if config.information else None
    return GenerativeFrame(models, config, placement, noised, schedule, layers, unconditional,
                           prefix, prompts, copies)


def _target_hw(
    models: DiffusionModels, frame: Frame, config: GenerativeConfig,
) -> tuple[int, int]:
    """Height and width of what the diffusion model sees."""
    if config.pad_square:
        return (config.image_size, config.image_size)
    return image_fit.fitted_hw(
        frame.size_hw, config.image_size, diffusion.size_multiple(models))


def _question(
    models: DiffusionModels, expression: ReferringExpression, config: GenerativeConfig,
) -> PromptGroups:
    """What the diffusion model reads, and the one group of tokens whose map is wanted."""
    if config.prompt == 'phrase':
        expression = root_alone(expression) or expression
    if config.words == 'phrase' and expression.phrase:
        indices = _phrase_tokens(models.tokenizer, expression.text, config)
    else:
        indices = _word_tokens(
            root_token_indices(models.tokenizer, expression, config.prompt_suffix), config)
    return PromptGroups(expression.text, [indices])


def _word_tokens(indices: tuple[int, ...], config: GenerativeConfig) -> tuple[int, ...]:
    return indices[-1:] if config.sub_tokens == 'last' else indices


def _phrase_tokens(tokenizer: Any, phrase: str, config: GenerativeConfig) -> tuple[int, ...]:
    """Positions of the tokens of every word of a noun phrase but its articles.

    Raises:
        BadRequestError: it has no other word, or as in `span_token_indices`.
    """
    words = [word for word in split_words(phrase) if word.lower not in ARTICLES]
    if not words:
        raise BadRequestError(
            f'expected a word for an object, got only articles in {phrase!r}: name the object, '
            "for example 'the red mug'")
    return tuple(index for word in words for index in _word_tokens(
        span_token_indices(tokenizer, phrase + config.prompt_suffix, (word.start, word.end)),
        config))


def _encode(
    models: DiffusionModels, prompts: RecentCache, text: str, config: GenerativeConfig,
) -> diffusion.Prompt:
    return prompts.get(
        ('prompt', text, config.mask_padding),
        lambda: diffusion.encode_prompt(models, text, config.mask_padding))


@stage('unet')
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


@stage('attention')
def _reduce(
    layer: attention.LayerCapture,
    groups: attention.TokenGroups,
    prompt: diffusion.Prompt,
    config: GenerativeConfig,
) -> torch.Tensor:
    if config.attention == 'logits':
        return attention.mean_logits(layer, groups)
    return attention.mean_probabilities(layer, groups, prompt.token_bias)


def _to_grid(reduced: torch.Tensor, latent_hw: tuple[int, int]) -> torch.Tensor:
    height, width = latent_hw
    times = math.isqrt(height * width // reduced.shape[-1])  # halved so often, or not at all
    grid: torch.Tensor = reduced.unflatten(-1, (height // times, width // times))
    return grid  # (K, h, w)


@stage('correlation')
def _normalise_mean(
    maps: list[torch.Tensor], placement: image_fit.Placement, inside_picture: bool,
) -> np.ndarray:
    """Mean over layers and steps on the finest grid, then Eq. (5) once.

    Eq. (5) normalises before it resizes, over the padded picture. With `inside_picture` it is the
    picture alone, after resizing, that spans 0..1.
    """
    finest_hw = max(tuple(m.shape[-2:]) for m in maps)
    mean = torch.stack([
        functional.interpolate(m[None], size=finest_hw, mode='bilinear', align_corners=False)[0]
        for m in maps]).mean(dim=0)  # (K, h, w)
    if inside_picture:
        return min_max(image_fit.unfit_bilinear(mean, placement), _EPSILON).cpu().numpy()
    return image_fit.unfit_bilinear(min_max(mean, _EPSILON), placement).cpu().numpy()


@stage('correlation')
def _normalise_each(maps: list[torch.Tensor], placement: image_fit.Placement) -> np.ndarray:
    """As the authors' code: min-max per map, mean, 8 bit, Lanczos, picture, min-max."""
    finest_hw = max(tuple(m.shape[-2:]) for m in maps)
    mean = torch.stack([
        functional.interpolate(min_max(m, 0.0)[None], size=finest_hw, mode='nearest')[0]
        for m in maps]).mean(dim=0)  # (K, h, w)
    picture = image_fit.unfit_lanczos_8bit(mean.cpu().numpy(), placement)
    return min_max(torch.from_numpy(picture), _EPSILON).numpy()


def min_max(maps: torch.Tensor, epsilon: float) -> torch.Tensor:
    """(K, h, w) to 0..1 each; a constant map, 0/0 without epsilon, becomes all 0."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    span = maps.amax(dim=(1, 2), keepdim=True) - low + epsilon
    return torch.where(span > 0, (maps - low) / span, torch.zeros_like(maps))
