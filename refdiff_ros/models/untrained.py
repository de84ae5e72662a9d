"""Bundles of models with random weights, made in memory from a seed; `untrained_mini` by name.

The models are of the real classes and their blocks are laid out and named as in Stable Diffusion,
CLIP and SAM, so that the whole path runs on any machine without a download. The masks mean
nothing.
"""

from collections.abc import Mapping
from typing import Any

import torch

from refdiff_ros.errors import BundleError
from refdiff_ros.models.mini_tokenizer import build_tokenizer, FIRST_WORDS, MAX_TOKENS
from refdiff_ros.models.model_set import ClipModels, DiffusionModels, ModelSet
from refdiff_ros.models.sam_config import build_sam, set_sam_dtype
from refdiff_ros.models.untrained_sizes import MINI, SegmentorSizes, SIZES, UntrainedSizes
from refdiff_ros.optional import require_package

NAME = 'untrained_mini'
NOTICE = ('untrained_mini has random weights: its masks mean nothing and only show that every '
          'part runs; load a trained bundle to get answers')

# With this seed SAM gives several regions on plain, noisy and drawn pictures of any size.
SEED = 4

OVERRIDES = MINI.overrides


def build_untrained(
    seed: int = SEED,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype = torch.float32,
    size: str = 'mini',
) -> ModelSet:
    """A bundle with random weights; the same seed gives the same weights.

    The global random state is left as it was.

    Args:
        seed: of the weights.
        device, dtype: where and how the models compute.
        size: a name of `untrained_sizes.SIZES`; 'mini' is the bundle `untrained_mini`.

    Raises:
        BundleError: there is no such size.
        MissingPackageError: diffusers, transformers or segment-anything is not installed.
    """
    if size not in SIZES:
        raise BundleError(f'expected a size of {sorted(SIZES)} for random weights, got {size!r}')
    sizes, device = SIZES[size], torch.device(device)
    tokenizer = build_tokenizer(FIRST_WORDS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        diffusion = _diffusion(tokenizer, sizes)
        clip = _clip(tokenizer, sizes)
        sam = _sam(sizes.sam)
    for module in (diffusion.vae, diffusion.unet, diffusion.text_encoder, clip.model):
        # diffusers' own `to` warns of modules that it keeps in float32; these have none.
        torch.nn.Module.to(module, device=device, dtype=dtype).requires_grad_(False).eval()
    set_sam_dtype(sam, dtype).to(device=device).requires_grad_(False)
    name = f'untrained_{size}'
    return ModelSet(
        name=name, trained=False, diffusion=diffusion, clip=clip, sam=sam, device=device,
        dtype=dtype,
        overrides={preset: dict(values) for preset, values in sizes.overrides.items()},
        notice=NOTICE.replace(NAME, name))


def take_lighter_segmentor(models: ModelSet, size: str, name: str, seed: int = SEED) -> None:
    """Exchange the segmentor of models with random weights.

    Args:
        models: from `build_untrained`; their `sam`, `overrides` and name are changed, and the
            segmentor stays in float32.
        size: of the models.
        name: of the segmentor, of `untrained_sizes.LIGHTER`.
        seed: of its weights.

    Raises:
        BundleError: this size has no such segmentor.
    """
    lighter = SIZES[size].lighter
    if name not in lighter:
        raise BundleError(
            f'expected a segmentor of {sorted(lighter)} for random weights of the size {size!r}, '
            f'got {name!r}')
    models.sam = None  # else both are in memory
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sam = _lighter(lighter[name])
    models.sam = sam.to(models.device).eval().requires_grad_(False)
    models.overrides = {preset: dict(values) for preset, values in lighter[name].overrides.items()}
    models.name = f'untrained_{size}, {name}'


def _diffusion(tokenizer: Any, sizes: UntrainedSizes) -> DiffusionModels:
    """Four resolutions of which three have cross-attention, as in Stable Diffusion 1.5."""
    diffusers = require_package('diffusers', 'models')
    transformers = require_package('transformers', 'models')
    down = ('CrossAttnDownBlock2D',) * 3 + ('DownBlock2D',)
    up = ('UpBlock2D',) + ('CrossAttnUpBlock2D',) * 3
    return DiffusionModels(
        vae=diffusers.AutoencoderKL(
            down_block_types=('DownEncoderBlock2D',) * 4, latent_channels=4,
            up_block_types=('UpDecoderBlock2D',) * 4, **sizes.vae),
        unet=diffusers.UNet2DConditionModel(
            in_channels=4, out_channels=4, layers_per_block=2, down_block_types=down,
            up_block_types=up, **sizes.unet),
        scheduler=diffusers.DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule='scaled_linear',
            clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        text_encoder=transformers.CLIPTextModel(
            transformers.CLIPTextConfig(**_text_config(tokenizer, sizes.prompt, sizes))),
        tokenizer=tokenizer)


def _clip(tokenizer: Any, sizes: UntrainedSizes) -> ClipModels:
    transformers = require_package('transformers', 'models')
    config = transformers.CLIPConfig(
        text_config=_text_config(tokenizer, sizes.clip_text, sizes),
        vision_config=dict(sizes.clip_vision), projection_dim=sizes.clip_width)
    return ClipModels(model=transformers.CLIPModel(config), tokenizer=tokenizer)


def _text_config(
    tokenizer: Any, tower: Mapping[str, int], sizes: UntrainedSizes,
) -> dict[str, Any]:
    return {
        **tower, 'vocab_size': max(sizes.vocabulary, len(tokenizer)),
        'max_position_embeddings': MAX_TOKENS, 'bos_token_id': tokenizer.bos_token_id,
        'eos_token_id': tokenizer.eos_token_id, 'pad_token_id': tokenizer.pad_token_id,
    }


def _lighter(sizes: SegmentorSizes) -> torch.nn.Module:
    if not sizes.sam2:
        return _sam(sizes.config)
    transformers = require_package('transformers', 'models')
    sam2 = transformers.Sam2Model(transformers.Sam2Config(**sizes.config))
    with torch.no_grad():
        for weight in sam2.mask_decoder.parameters():
            if weight.ndim >= 2:
                weight.mul_(3)  # as in `_sam`
    return sam2


def _sam(config: Mapping[str, Any]) -> torch.nn.Module:
    """A SAM whose random masks are patches of several sizes.

    With plain initial weights every prompt gives the same speckles. Larger weights in the mask
    decoder let prompts differ, and upscaling kernels without detail give connected regions.
    """
    sam: Any = build_sam(dict(config))
    with torch.no_grad():
        for name, weight in sam.mask_decoder.named_parameters():
            if name.startswith('output_upscaling') and weight.ndim == 4:
                weight.copy_(2 * weight.mean((2, 3), keepdim=True).expand_as(weight))
            elif weight.ndim >= 2:
                weight.mul_(3)
    return sam
