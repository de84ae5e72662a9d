"""The generative half: from the picture to the map c, with nothing left out."""

import copy
from typing import Any

import numpy as np
from PIL import Image
import torch

from refdiff_ros.benchmark.published_order.attention import captured, written_out_vae
from refdiff_ros.benchmark.published_order.settings import PublishedSettings
from refdiff_ros.models.model_set import DiffusionModels
from refdiff_ros.stages import stage

_STEPS = 20
_STRENGTH = 0.1
_GUIDANCE = 9.0


def correlation_map(
    models: DiffusionModels,
    image_rgb: np.ndarray,
    text: str,
    token: int,
    noises: list[torch.Tensor],
    settings: PublishedSettings,
) -> np.ndarray:
    """c of the token, (H, W) float64 in 0..1.

    Args:
        models: the diffusion model.
        image_rgb: (H, W, 3) uint8.
        text: the expression.
        token: position of the root's last token in the encoded prompt.
        noises: of the VAE's posterior and of Eq. (3), each of the latents' shape.
        settings: sizes.
    """
    with stage('prompt'):
        conditional = encode(models, text + ', ', settings.mask_padding)
        empty = encode(models, '', settings.mask_padding)
    with stage('image_fit'):
        square = black_square(image_rgb)
        size = (settings.image_size, settings.image_size)
        shares = np.array(square.resize(size, Image.Resampling.LANCZOS)).astype(np.float32) / 255
        pixels = 2 * torch.from_numpy(shares).permute(2, 0, 1)[None].contiguous() - 1
    with captured(models.unet, token, settings.attention) as maps:
        latents = noised_latents(models, pixels, noises, settings)
        denoise(models, latents, empty, conditional)
    with stage('correlation'):
        return to_picture(maps, image_rgb.shape[:2])


def encode(
    models: DiffusionModels, prompt: str, mask_padding: bool,
) -> dict[str, torch.Tensor]:
    """The prompt as the UNet's arguments, all 77 tokens."""
    tokenizer = models.tokenizer
    ids = tokenizer(prompt, padding='max_length', truncation=True, return_tensors='pt',
                    max_length=tokenizer.model_max_length).input_ids.to(models.unet.device)
    encoded = {'encoder_hidden_states': models.text_encoder(ids).last_hidden_state}  # (1, L, D)
    if mask_padding:
        encoded['encoder_attention_mask'] = (ids == tokenizer.eos_token_id).cumsum(dim=1) == 0
    return encoded


def black_square(image_rgb: np.ndarray) -> Image.Image:
    """The picture in the middle of a black square."""
    picture = Image.fromarray(image_rgb)
    side = max(picture.size)
    square = Image.new('RGB', (side, side), (0, 0, 0))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square


def noised_latents(
    models: DiffusionModels,
    pixels: torch.Tensor,
    noises: list[torch.Tensor],
    settings: PublishedSettings,
) -> torch.Tensor:
    """Latents sampled from the VAE's posterior, noised at the level before the first step."""
    vae, unet = models.vae, models.unet
    with stage('vae'), written_out_vae(vae, settings.attention):
        posterior = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist
        latents = posterior.mean + posterior.std * noises[0].to(posterior.mean)
        shift = vae.config.shift_factor or 0.0
        latents = (latents - shift) * vae.config.scaling_factor
    scheduler, steps = schedule(models)
    at = scheduler.timesteps[-steps - 1:][:1].to(latents.device)
    return scheduler.add_noise(latents, noises[1].to(latents), at).to(unet.dtype)


def schedule(models: DiffusionModels) -> tuple[Any, int]:
    """The DDIM schedule, and how many of its last steps are run."""
    scheduler = copy.deepcopy(models.scheduler)
    scheduler.set_timesteps(_STEPS)
    return scheduler, int(_STRENGTH * _STEPS)


def denoise(
    models: DiffusionModels,
    latents: torch.Tensor,
    empty: dict[str, torch.Tensor],
    conditional: dict[str, torch.Tensor],
) -> torch.Tensor:
    """Both steps with guidance, each UNet evaluation of both prompts whole."""
    scheduler, steps = schedule(models)
    prompts = {name: torch.cat([empty[name], conditional[name]]) for name in empty}
    for timestep in scheduler.timesteps[-steps:]:
        with stage('unet'):
            both = torch.cat([latents, latents])
            predicted = models.unet(both, timestep.to(latents.device), **prompts).sample
        without, noise = predicted.chunk(2)
        noise = without + _GUIDANCE * (noise - without)
        latents = scheduler.step(noise, timestep, latents).prev_sample
    return latents


def to_picture(maps: list[np.ndarray], size_hw: tuple[int, int]) -> np.ndarray:
    """The mean of all maps in 8 bits, by Lanczos to the square, the picture of it, in 0..1."""
    height, width = size_hw
    side = max(size_hw)
    mean = (np.array(maps).mean(axis=0) * 255).astype(np.uint8)  # (h, w, 3)
    square = np.array(Image.fromarray(mean).resize((side, side), Image.Resampling.LANCZOS)) / 255
    top, left = (side - height) // 2, (side - width) // 2
    c = square[top:top + height, left:left + width][:, :, 0]
    return (c - c.min()) / (c.max() - c.min() + 1e-8)
