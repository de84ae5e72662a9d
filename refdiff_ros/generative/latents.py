"""Eq. (3): from a picture to the noised latents that the UNet sees, and the prompt's encoding.

Letters: h w of the model's picture, L text tokens, D width of the text encoding.
"""

from collections.abc import Sequence
import copy
from dataclasses import dataclass
from typing import Any

import torch

from refdiff_ros.errors import BundleError
from refdiff_ros.models.model_set import DiffusionModels
from refdiff_ros.presets import GenerativeConfig
from refdiff_ros.stages import stage


@dataclass(frozen=True)
class Prompt:
    """An encoded prompt: hidden states (B, L, D), and the tokens that are attended.

    Attributes:
        hidden: the text encoder's last hidden state.
        attended: (B, L) bool, or None where every token is.
    """

    hidden: torch.Tensor
    attended: torch.Tensor | None = None

    @property
    def token_bias(self) -> torch.Tensor | None:
        """(B, L) added to attention logits, as diffusers does for an attention mask."""
        return None if self.attended is None else (~self.attended).float() * -10_000.0

    def unet_arguments(self) -> dict[str, torch.Tensor]:
        """Keyword arguments of the UNet's forward pass."""
        arguments = {'encoder_hidden_states': self.hidden}
        if self.attended is not None:
            arguments['encoder_attention_mask'] = self.attended
        return arguments


def join(prompts: Sequence[Prompt]) -> Prompt:
    """Prompts as one batch."""
    if len(prompts) == 1:
        return prompts[0]
    attended = None
    if prompts[0].attended is not None:
        attended = torch.cat([
            prompt.attended for prompt in prompts if prompt.attended is not None])
    return Prompt(torch.cat([prompt.hidden for prompt in prompts]), attended)


@stage('prompt')
def encode_prompt(models: DiffusionModels, text: str, mask_padding: bool) -> Prompt:
    """The text encoder's hidden states of `text`, padded to the tokenizer's full length.

    Args:
        models: tokenizer and text encoder are used.
        text: the prompt; '' for the unconditional pass.
        mask_padding: attend to the start token and the words alone.
    """
    tokenizer = models.tokenizer
    ids = tokenizer(text, padding='max_length', truncation=True, return_tensors='pt',
                    max_length=tokenizer.model_max_length).input_ids  # (1, L)
    ids = ids.to(models.text_encoder.device)
    hidden = models.text_encoder(ids).last_hidden_state  # (1, L, D)
    if not mask_padding:
        return Prompt(hidden)
    # Padding may be the same token as the end, so everything from the first end on goes.
    ended = (ids == tokenizer.eos_token_id).cumsum(dim=1) > 0
    return Prompt(hidden, ~ended)


def seeded_noise(shape: tuple[int, ...], seed: int, count: int) -> list[torch.Tensor]:
    """`count` standard normal tensors; drawn on the CPU, so that every device gets the same."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


@stage('vae')
def encode_image(
    vae: Any, image: torch.Tensor, posterior_noise: torch.Tensor | None = None,
) -> torch.Tensor:
    """The VAE's latents, scaled as the UNet expects them.

    Args:
        vae: `AutoencoderKL`.
        image: (1, 3, h, w) in -1..1.
        posterior_noise: standard normal noise that samples the posterior, of the latents'
            shape; None takes the posterior's mean.

    Raises:
        BundleError: the noise has another shape than the latents.
    """
    # A channels-last tensor makes GroupNorm wrong on CPU.
    posterior = vae.encode(image.to(vae.device, vae.dtype).contiguous()).latent_dist
    latents = posterior.mean
    if posterior_noise is not None:
        if posterior_noise.shape != latents.shape:
            raise BundleError(f'expected posterior noise {tuple(latents.shape)}, '
                              f'got {tuple(posterior_noise.shape)}')
        latents = latents + posterior.std * posterior_noise.to(latents)
    shift = getattr(vae.config, 'shift_factor', None) or 0.0
    result: torch.Tensor = (latents - shift) * vae.config.scaling_factor
    return result


def size_multiple(models: DiffusionModels) -> int:
    """What the sides of a picture must be multiples of: VAE and UNet halve it that often."""
    return int(_vae_factor(models) * 2 ** (len(models.unet.config.block_out_channels) - 1))


def latent_shape(
    models: DiffusionModels, image_hw: tuple[int, int],
) -> tuple[int, int, int, int]:
    """Shape of the latents of a picture of `image_hw` pixels.

    Raises:
        BundleError: a side is no multiple of what VAE and UNet halve it to.
    """
    needed, factor = size_multiple(models), _vae_factor(models)
    for side in image_hw:
        if side % needed:
            raise BundleError(
                f'expected an image_size that is a multiple of {needed} for this bundle, '
                f'got {side}')
    height, width = image_hw
    return (1, models.vae.config.latent_channels, height // factor, width // factor)


def _vae_factor(models: DiffusionModels) -> int:
    return int(2 ** (len(models.vae.config.block_out_channels) - 1))


@dataclass(frozen=True)
class Schedule:
    """The steps that are run: the level noise is added at, then the UNet's timesteps."""

    scheduler: Any
    noise_timestep: int
    timesteps: tuple[int, ...]


def make_schedule(scheduler: Any, config: GenerativeConfig) -> Schedule:
    """The last `start_step` of `schedule_steps` uniform steps, `unet_steps` of them run.

    Noise is added at the level of the first of them, or `noise_ahead` steps earlier in the
    schedule (the authors' code: one).
    """
    scheduler = copy.deepcopy(scheduler)
    scheduler.set_timesteps(config.schedule_steps)
    timesteps = [int(t) for t in scheduler.timesteps]  # falling
    first = len(timesteps) - config.start_step
    return Schedule(
        scheduler, timesteps[max(0, first - config.noise_ahead)],
        tuple(timesteps[first:first + config.unet_steps]))


def add_noise(
    scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, timestep: int,
) -> torch.Tensor:
    """Eq. (3): x_t = sigma_t(x), the latents at the noise level of `timestep`."""
    at = torch.tensor([timestep], device=latents.device)
    result: torch.Tensor = scheduler.add_noise(latents, noise.to(latents), at)
    return result
