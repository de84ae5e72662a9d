"""Sizes in which models with random weights are made, and what the presets take with them.

`MINI` runs anywhere in a second. `FULL` has the published sizes (Stable Diffusion 1.5, SAM ViT-H,
CLIP ViT-B/16), so that what an answer costs can be measured without any download. `MEDIUM` lies
between: about 0.4 of the widths, half the sides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SegmentorSizes:
    """A segmentor in the place of a size's own.

    Attributes:
        config: see `sam_config.SAM_CONFIG`, or of transformers' `Sam2Config` where `sam2`.
        sam2: whether it is a `Sam2Model`.
        overrides: per preset name, in place of those of the size.
    """

    config: Mapping[str, Any]
    sam2: bool
    overrides: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class UntrainedSizes:
    """Keyword arguments of the models' classes; what they leave out is the classes' own.

    Attributes:
        vae: of diffusers' `AutoencoderKL`.
        unet: of diffusers' `UNet2DConditionModel`.
        prompt: of the diffusion model's `CLIPTextConfig`.
        clip_text, clip_vision: of CLIP's two towers.
        clip_width: width of CLIP's common space.
        sam: see `sam_config.SAM_CONFIG`.
        vocabulary: words of both text encoders; 0 for the tokenizer's own number.
        overrides: per preset name, see `Preset.override`.
        lighter: segmentors in the place of `sam`, by a name of `LIGHTER`; may be empty.
    """

    vae: Mapping[str, Any]
    unet: Mapping[str, Any]
    prompt: Mapping[str, Any]
    clip_text: Mapping[str, Any]
    clip_vision: Mapping[str, Any]
    clip_width: int
    sam: Mapping[str, Any]
    vocabulary: int = 0
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lighter: Mapping[str, SegmentorSizes] = field(default_factory=dict)


def _text(width: int, layers: int, heads: int, inner: int, common: int) -> dict[str, int]:
    return {'hidden_size': width, 'num_hidden_layers': layers, 'num_attention_heads': heads,
            'intermediate_size': inner, 'projection_dim': common}


# Random weights predict no quality, so nothing is filtered by it, and their masks span much of
# the picture, so that suppression by boxes would leave one.
_EVERY_MASK = {'pred_iou_thresh': -1e9, 'stability_score_thresh': 0.0, 'box_nms_thresh': 1.0}
_MINI_PROPOSALS = {
    **_EVERY_MASK, 'points_per_side': 4, 'points_per_batch': 16, 'min_area_px': 16,
    'max_proposals': 0, 'max_area_fraction': 0.75,
}

_MINI_OVERRIDES = {
    'paper': {'generative': {'image_size': 256}, 'proposals': _MINI_PROPOSALS},
    'released': {'generative': {'image_size': 256}, 'proposals': _MINI_PROPOSALS,
                 'discriminative': {'crop_size': 112}},
    'onboard': {'generative': {'image_size': 256}, 'proposals': _MINI_PROPOSALS},
}
_MINI_SAM = {
    'image_size': 256, 'patch_size': 16, 'embed_dim': 48, 'depth': 2, 'num_heads': 4,
    'mlp_ratio': 2.0, 'window_size': 7, 'global_attn_indexes': [1], 'prompt_embed_dim': 32,
    'decoder_mlp_dim': 64, 'decoder_heads': 4, 'iou_head_hidden_dim': 32}
_MINI_SAM2 = {
    'vision_config': {
        'backbone_config': {
            'model_type': 'sam2_hiera_det_model', 'image_size': [256, 256], 'hidden_size': 16,
            'blocks_per_stage': [1, 1, 2, 1], 'embed_dim_per_stage': [16, 32, 64, 128],
            'num_attention_heads_per_stage': [1, 2, 2, 4], 'global_attention_blocks': [3]},
        'backbone_channel_list': [128, 64, 32, 16],
        'backbone_feature_sizes': [[64, 64], [32, 32], [16, 16]], 'fpn_hidden_size': 32},
    'prompt_encoder_config': {'hidden_size': 32, 'image_size': 256},
    'mask_decoder_config': {'hidden_size': 32, 'mlp_dim': 64, 'num_attention_heads': 2,
                            'iou_head_hidden_dim': 32}}

MINI = UntrainedSizes(
    vae={'block_out_channels': (8, 16, 16, 16), 'layers_per_block': 1, 'norm_num_groups': 4,
         'sample_size': 256},
    # Four resolutions of which three have cross-attention, as in Stable Diffusion 1.5.
    unet={'sample_size': 32, 'block_out_channels': (16, 32, 32, 32), 'norm_num_groups': 8,
          'attention_head_dim': 4, 'cross_attention_dim': 32},
    prompt=_text(32, 2, 2, 64, 32), clip_text=_text(32, 2, 2, 64, 32),
    clip_vision={'hidden_size': 48, 'intermediate_size': 96, 'num_hidden_layers': 3,
                 'num_attention_heads': 3, 'image_size': 112, 'patch_size': 16},
    clip_width=32, sam=_MINI_SAM, overrides=_MINI_OVERRIDES,
    lighter={
        'vit_b': SegmentorSizes(
            {**_MINI_SAM, 'depth': 1, 'global_attn_indexes': [0]}, False, _MINI_OVERRIDES),
        'sam2_tiny': SegmentorSizes(_MINI_SAM2, True, _MINI_OVERRIDES)})

MEDIUM = UntrainedSizes(
    vae={'block_out_channels': (64, 96, 192, 192), 'layers_per_block': 2, 'norm_num_groups': 32,
         'sample_size': 256},
    unet={'sample_size': 32, 'block_out_channels': (128, 256, 512, 512), 'norm_num_groups': 32,
          'attention_head_dim': 8, 'cross_attention_dim': 320},
    prompt=_text(320, 6, 5, 1280, 320), clip_text=_text(256, 6, 4, 1024, 192),
    clip_vision={'hidden_size': 320, 'intermediate_size': 1280, 'num_hidden_layers': 8,
                 'num_attention_heads': 5, 'image_size': 112, 'patch_size': 8},
    clip_width=192,
    sam={'image_size': 512, 'patch_size': 16, 'embed_dim': 512, 'depth': 12, 'num_heads': 8,
         'global_attn_indexes': [2, 5, 8, 11], 'prompt_embed_dim': 128, 'decoder_mlp_dim': 1024},
    overrides={
        'paper': {'generative': {'image_size': 512},
                  'proposals': {**_EVERY_MASK, 'points_per_side': 16}},
        'released': {'generative': {'image_size': 512},
                     'proposals': {**_EVERY_MASK, 'points_per_side': 16, 'min_area_px': 2500},
                     'discriminative': {'crop_size': 112}},
        'onboard': {'generative': {'image_size': 256},
                    'proposals': {**_EVERY_MASK, 'points_per_side': 8}},
    })



def _tuned(bundle: str) -> dict[str, dict[str, Any]]:
    """A downloaded bundle's values of the presets, with every mask let through."""
    manifest = Path(__file__).with_name('manifests') / f'{bundle}.json'
    tuned = json.loads(manifest.read_text('utf-8'))['overrides']
    return {
        name: {**tuned.get(name, {}),
               'proposals': {**tuned.get(name, {}).get('proposals', {}), **_EVERY_MASK}}
        for name in ('paper', 'released', 'onboard')}


# The sizes of `sd15_vit_h`, `sd15_vit_b` and `sd15_sam2_tiny`.
FULL = UntrainedSizes(
    vae={'block_out_channels': (128, 256, 512, 512), 'layers_per_block': 2,
         'norm_num_groups': 32, 'sample_size': 512},
    unet={'sample_size': 64, 'block_out_channels': (320, 640, 1280, 1280), 'norm_num_groups': 32,
          'attention_head_dim': 8, 'cross_attention_dim': 768},
    prompt=_text(768, 12, 12, 3072, 768), clip_text=_text(512, 12, 8, 2048, 512),
    clip_vision={'hidden_size': 768, 'intermediate_size': 3072, 'num_hidden_layers': 12,
                 'num_attention_heads': 12, 'image_size': 224, 'patch_size': 16},
    clip_width=512,
    sam={'embed_dim': 1280, 'depth': 32, 'num_heads': 16,
         'global_attn_indexes': [7, 15, 23, 31]},
    vocabulary=49_408, overrides=_tuned('sd15_vit_h'),
    lighter={
        # Both classes have the published sizes by default.
        'vit_b': SegmentorSizes({}, False, _tuned('sd15_vit_b')),
        'sam2_tiny': SegmentorSizes({}, True, _tuned('sd15_sam2_tiny'))})

# Names of a size's own segmentor and of the lighter ones, after those of the bundles.
OWN, LIGHTER = 'vit_h', ('vit_b', 'sam2_tiny')
SIZES = {'mini': MINI, 'medium': MEDIUM, 'full': FULL}
