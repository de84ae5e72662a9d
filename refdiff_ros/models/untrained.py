"""`untrained_mini`: a bundle of small models with random weights, made in memory from a seed.

Its models are of the real classes and its blocks are laid out and named as in Stable Diffusion,
CLIP and SAM, so that the whole path runs on any machine without a download. Its masks mean
nothing.
"""

from typing import Any

import torch

from refdiff_ros.models.mini_tokenizer import build_tokenizer, MAX_TOKENS
from refdiff_ros.models.model_set import ClipModels, DiffusionModels, ModelSet
from refdiff_ros.models.sam_config import build_sam, set_sam_dtype
from refdiff_ros.optional import require_package

NAME = 'untrained_mini'
NOTICE = ('untrained_mini has random weights: its masks mean nothing and only show that every '
          'part runs; load a trained bundle to get answers')

# With this seed SAM gives several regions on plain, noisy and drawn pictures of any size.
SEED = 4

_TEXT_WIDTH = 32
_SAM = {
    'image_size': 256, 'patch_size': 16, 'embed_dim': 48, 'depth': 2, 'num_heads': 4,
    'mlp_ratio': 2.0, 'window_size': 7, 'global_attn_indexes': [1], 'prompt_embed_dim': 32,
    'decoder_mlp_dim': 64, 'decoder_heads': 4, 'iou_head_hidden_dim': 32,
}
# Random weights predict no quality, so nothing is filtered by it, and their masks span much of
# the picture, so that suppression by boxes would leave one.
_PROPOSALS = {
    'points_per_side': 4, 'points_per_batch': 16, 'pred_iou_thresh': -1e9,
    'stability_score_thresh': 0.0, 'box_nms_thresh': 1.0, 'min_area_px': 16,
    'max_proposals': 0, 'max_area_fraction': 0.75,
}
OVERRIDES = {
    name: {'generative': {'image_size': 256}, 'proposals': dict(_PROPOSALS)}
    for name in ('paper', 'released', 'onboard')
}
OVERRIDES['released']['discriminative'] = {'crop_size': 112}


def build_untrained(
    seed: int = SEED,
    device: torch.device | str = 'cpu',
    dtype: torch.dtype = torch.float32,
) -> ModelSet:
    """The bundle `untrained_mini`; the same seed gives the same weights.

    The global random state is left as it was.

    Raises:
        MissingPackageError: diffusers, transformers or segment-anything is not installed.
    """
    device = torch.device(device)
    tokenizer = build_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        diffusion = _diffusion(tokenizer)
        clip = _clip(tokenizer)
        sam = _sam()
    for module in (diffusion.vae, diffusion.unet, diffusion.text_encoder, clip.model):
        # diffusers' own `to` warns of modules that it keeps in float32; these have none.
        torch.nn.Module.to(module, device=device, dtype=dtype).requires_grad_(False).eval()
    set_sam_dtype(sam, dtype).to(device=device).requires_grad_(False)
    return ModelSet(
        name=NAME, trained=False, diffusion=diffusion, clip=clip, sam=sam, device=device,
        dtype=dtype, overrides={name: dict(values) for name, values in OVERRIDES.items()},
        notice=NOTICE)


def _diffusion(tokenizer: Any) -> DiffusionModels:
    """Four resolutions of which three have cross-attention, as in Stable Diffusion 1.5."""
    diffusers = require_package('diffusers', 'models')
    transformers = require_package('transformers', 'models')
    down = ('CrossAttnDownBlock2D',) * 3 + ('DownBlock2D',)
    up = ('UpBlock2D',) + ('CrossAttnUpBlock2D',) * 3
    return DiffusionModels(
        vae=diffusers.AutoencoderKL(
            block_out_channels=(8, 16, 16, 16), layers_per_block=1, norm_num_groups=4,
            down_block_types=('DownEncoderBlock2D',) * 4, latent_channels=4,
            up_block_types=('UpDecoderBlock2D',) * 4, sample_size=256),
        unet=diffusers.UNet2DConditionModel(
            sample_size=32, in_channels=4, out_channels=4, layers_per_block=2,
            block_out_channels=(16, 32, 32, 32), norm_num_groups=8, attention_head_dim=4,
            cross_attention_dim=_TEXT_WIDTH, down_block_types=down, up_block_types=up),
        scheduler=diffusers.DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule='scaled_linear',
            clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        text_encoder=transformers.CLIPTextModel(
            transformers.CLIPTextConfig(**_text_config(tokenizer))),
        tokenizer=tokenizer)


def _clip(tokenizer: Any) -> ClipModels:
    transformers = require_package('transformers', 'models')
    vision = {'hidden_size': 48, 'intermediate_size': 96, 'num_hidden_layers': 3,
              'num_attention_heads': 3, 'image_size': 112, 'patch_size': 16}
    config = transformers.CLIPConfig(
        text_config=_text_config(tokenizer), vision_config=vision, projection_dim=32)
    return ClipModels(model=transformers.CLIPModel(config), tokenizer=tokenizer)


def _text_config(tokenizer: Any) -> dict[str, Any]:
    return {
        'vocab_size': len(tokenizer), 'hidden_size': _TEXT_WIDTH, 'intermediate_size': 64,
        'num_hidden_layers': 2, 'num_attention_heads': 2, 'projection_dim': _TEXT_WIDTH,
        'max_position_embeddings': MAX_TOKENS, 'bos_token_id': tokenizer.bos_token_id,
        'eos_token_id': tokenizer.eos_token_id, 'pad_token_id': tokenizer.pad_token_id,
    }


def _sam() -> torch.nn.Module:
    """A small SAM whose random masks are patches of several sizes.

    With plain initial weights every prompt gives the same speckles. Larger weights in the mask
    decoder let prompts differ, and upscaling kernels without detail give connected regions.
    """
    sam = build_sam(_SAM)
    with torch.no_grad():
        for name, weight in sam.mask_decoder.named_parameters():
            if name.startswith('output_upscaling') and weight.ndim == 4:
                weight.copy_(2 * weight.mean((2, 3), keepdim=True).expand_as(weight))
            elif weight.ndim >= 2:
                weight.mul_(3)
    return sam
