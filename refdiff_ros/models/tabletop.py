"""The models of the bundles `tabletop_mini` and `tabletop_wide`: the paper's classes, small.

Their sizes stand here, so that training, a test and the shipped bundles speak of the same ones.
"""

from copy import deepcopy
from typing import Any

import torch

from refdiff_ros.models.mini_tokenizer import MAX_TOKENS
from refdiff_ros.models.sam_config import build_sam
from refdiff_ros.optional import require_package

NAME = 'tabletop_mini'
WIDE_NAME = 'tabletop_wide'
NOTICES = {name: f'{name} knows tabletops in simulation and nothing else: for pictures of the '
           'real world use sd15_vit_h' for name in (NAME, WIDE_NAME)}

# Side of the square that the diffusion model sees; its latents are a quarter of it.
DIFFUSION_SIDE = 192
CLIP_PATCH = 8
# Side of the square that CLIP sees: twenty kinds want finer views than eight.
CLIP_SIDE_OF = {NAME: 48, WIDE_NAME: 64}
TEXT_WIDTH = 64

SAM = {
    'image_size': 240, 'patch_size': 10, 'embed_dim': 96, 'depth': 4, 'num_heads': 4,
    'mlp_ratio': 3.0, 'window_size': 8, 'global_attn_indexes': [1, 3], 'prompt_embed_dim': 96,
    'mask_in_chans': 8, 'decoder_mlp_dim': 192, 'decoder_heads': 4, 'iou_head_hidden_dim': 96,
}
# Its first stage of training: 16x16 tokens instead of 24x24.
SAM_COARSE = {**SAM, 'image_size': 192, 'patch_size': 12}
# Spoons and screwdrivers want a finer grid, 32x32 tokens, and an encoder twice as deep.
SAM_FINE = {**SAM, 'image_size': 256, 'patch_size': 8, 'depth': 8, 'global_attn_indexes': [2, 6]}
SAM_OF = {NAME: SAM, WIDE_NAME: SAM_FINE}
SCHEDULE = {
    'beta_start': 0.00085, 'beta_end': 0.012, 'beta_schedule': 'scaled_linear',
    'clip_sample': False, 'set_alpha_to_one': False, 'steps_offset': 1,
    'prediction_type': 'v_prediction',
}
# What the presets take with these models; `onboard`'s values were chosen on validation.
_DIFFUSION = {'image_size': DIFFUSION_SIDE, 'mask_padding': True}
# The small SAM is less sure of itself than the large one. Small batches fit into a CPU's cache.
_SAM = {'points_per_side': 14, 'points_per_batch': 49, 'pred_iou_thresh': 0.3,
        'stability_score_thresh': 0.3}
_OVERRIDES: dict[str, dict[str, Any]] = {
    'paper': {'generative': _DIFFUSION, 'proposals': _SAM},
    # The authors' smallest area is meant for larger pictures; for RefCOCOg they take 0 as well.
    'released': {'generative': _DIFFUSION, 'proposals': {**_SAM, 'min_area_px': 0}},
    'onboard': {
        'generative': {
            **_DIFFUSION, 'pad_square': False, 'layers': (), 'start_step': 8,
            'prompt': 'phrase', 'words': 'phrase'},
        'proposals': {**_SAM, 'points_kept': 0.4, 'edges': 'picture'},
        'spatial': {'temperature': 0.35, 'least_spread': 0.2},
        'discriminative': {'crop_background': 'grey', 'crop_source_side': 256, 'beta': 0.1,
                           'text_local': 'phrase'},
        'selection': {'alpha': 0.03},
    },
}

# Where prompts agree on masks, fewer of them do; figures at the model's own size are as good, and
# so are answers by two of the UNet's three cross-attentions: the pass ends at the second.
_MINI: dict[str, dict[str, Any]] = {
    'generative': {'layers': tuple(
        f'{block}.1.attentions.0.transformer_blocks.0.attn2'
        for block in ('down_blocks', 'up_blocks'))},
    'proposals': {'points_per_side': 12, 'rated_by': 'agreement', 'judged_at': 'model'},
    'selection': {'order': 'probability'},
}
# More and smaller things, in and on each other, want more prompts, and of what these draw the
# poorest misleads. Masks differ more in quality here, which the order by probability knows.
_WIDE: dict[str, dict[str, Any]] = {
    'generative': {'start_step': 4},
    'proposals': {'points_kept': 0.55, 'pred_iou_thresh': 0.4, 'rated_by': 'agreement',
                  'judged_at': 'model', 'box_nms_thresh': 0.8},
    'selection': {'alpha': 0.1, 'order': 'probability'},
}
_OWN = {NAME: _MINI, WIDE_NAME: _WIDE}


def overrides_of(name: str) -> dict[str, dict[str, Any]]:
    """What the presets take with a bundle of these models, by preset and section."""
    taken = deepcopy(_OVERRIDES)
    taken['released']['discriminative'] = {'crop_size': CLIP_SIDE_OF[name]}
    for section, values in _OWN[name].items():
        taken['onboard'][section] |= values
    return taken


def build_vae(scaling_factor: float = 1.0) -> torch.nn.Module:
    """`AutoencoderKL`: a pixel's 4x4 neighbourhood to 4 channels."""
    return require_package('diffusers', 'models').AutoencoderKL(
        block_out_channels=(16, 32, 64), layers_per_block=1, norm_num_groups=8,
        down_block_types=('DownEncoderBlock2D',) * 3, up_block_types=('UpDecoderBlock2D',) * 3,
        latent_channels=4, mid_block_add_attention=False, sample_size=DIFFUSION_SIDE,
        scaling_factor=scaling_factor)


def build_unet() -> torch.nn.Module:
    """`UNet2DConditionModel` with one attention head, at half the latents' resolution.

    One head and few channels leave a place no room for all words at once: it has to look for its
    own.
    """
    return require_package('diffusers', 'models').UNet2DConditionModel(
        sample_size=DIFFUSION_SIDE // 4, in_channels=4, out_channels=4, layers_per_block=1,
        block_out_channels=(32, 64, 96), norm_num_groups=8, attention_head_dim=1,
        cross_attention_dim=TEXT_WIDTH,
        down_block_types=('DownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'),
        mid_block_type='UNetMidBlock2D',
        up_block_types=('UpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'))


def build_text_encoder(tokenizer: Any) -> torch.nn.Module:
    """`CLIPTextModel` of the diffusion model."""
    transformers = require_package('transformers', 'models')
    return transformers.CLIPTextModel(transformers.CLIPTextConfig(**_text(tokenizer, TEXT_WIDTH)))


def build_scheduler() -> Any:
    """`DDIMScheduler` with Stable Diffusion's noise levels."""
    return require_package('diffusers', 'models').DDIMScheduler(**SCHEDULE)


def build_clip(tokenizer: Any, side: int = CLIP_SIDE_OF[NAME]) -> torch.nn.Module:
    """`CLIPModel` with a ViT that sees squares of `side` pixels."""
    transformers = require_package('transformers', 'models')
    vision = {'hidden_size': 128, 'intermediate_size': 384, 'num_hidden_layers': 5,
              'num_attention_heads': 4, 'image_size': side, 'patch_size': CLIP_PATCH}
    return transformers.CLIPModel(transformers.CLIPConfig(
        text_config=_text(tokenizer, 96), vision_config=vision, projection_dim=96))


def build_tabletop_sam(name: str = NAME) -> torch.nn.Module:
    """segment-anything's `Sam` of the bundle `name`."""
    return build_sam(SAM_OF[name])


def _text(tokenizer: Any, width: int) -> dict[str, Any]:
    return {
        'vocab_size': len(tokenizer), 'hidden_size': width, 'intermediate_size': 2 * width,
        'num_hidden_layers': 2, 'num_attention_heads': 2, 'projection_dim': width,
        'max_position_embeddings': MAX_TOKENS, 'bos_token_id': tokenizer.bos_token_id,
        'eos_token_id': tokenizer.eos_token_id, 'pad_token_id': tokenizer.pad_token_id,
    }
