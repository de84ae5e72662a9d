"""segment-anything models of any size from a JSON-ready config.

`segment_anything` itself builds three sizes only; a small one is described by these keys, stored
as `config.json` beside `model.safetensors`.
"""

from functools import partial
from typing import Any

import torch

from refdiff_ros.errors import BundleError
from refdiff_ros.optional import require_package

# The names and meanings of segment-anything's own constructors.
SAM_CONFIG: dict[str, Any] = {
    'image_size': 1024,
    'patch_size': 16,
    'embed_dim': 768,
    'depth': 12,
    'num_heads': 12,
    'mlp_ratio': 4.0,
    'window_size': 14,
    'global_attn_indexes': [2, 5, 8, 11],
    'prompt_embed_dim': 256,
    'mask_in_chans': 16,
    'decoder_depth': 2,
    'decoder_mlp_dim': 2048,
    'decoder_heads': 8,
    'iou_head_depth': 3,
    'iou_head_hidden_dim': 256,
}


def build_sam(config: dict[str, Any]) -> torch.nn.Module:
    """A `Sam` with random weights; keys that `config` lacks are those of ViT-B.

    Raises:
        BundleError: an unknown key, or sizes that do not fit together.
        MissingPackageError: segment-anything is not installed.
    """
    if unknown := set(config) - set(SAM_CONFIG):
        raise BundleError(
            f'expected SAM config keys of {sorted(SAM_CONFIG)}, got {sorted(unknown)}')
    values = SAM_CONFIG | config
    if values['image_size'] % values['patch_size']:
        raise BundleError(f'expected image_size as a multiple of patch_size, '
                          f'got {values["image_size"]} and {values["patch_size"]}')
    modeling = require_package('segment_anything.modeling', 'models')
    grid = values['image_size'] // values['patch_size']
    width = values['prompt_embed_dim']
    return modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            img_size=values['image_size'], patch_size=values['patch_size'],
            embed_dim=values['embed_dim'], depth=values['depth'],
            num_heads=values['num_heads'], mlp_ratio=values['mlp_ratio'], out_chans=width,
            qkv_bias=True, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), use_rel_pos=True,
            window_size=values['window_size'],
            global_attn_indexes=tuple(values['global_attn_indexes'])),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=width, image_embedding_size=(grid, grid),
            input_image_size=(values['image_size'],) * 2,
            mask_in_chans=values['mask_in_chans']),
        mask_decoder=modeling.MaskDecoder(
            transformer_dim=width, num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(
                depth=values['decoder_depth'], embedding_dim=width,
                mlp_dim=values['decoder_mlp_dim'], num_heads=values['decoder_heads']),
            iou_head_depth=values['iou_head_depth'],
            iou_head_hidden_dim=values['iou_head_hidden_dim'])).eval()


def config_of(sam: Any) -> dict[str, Any]:
    """The config from which `build_sam` builds a model of the same shape."""
    encoder, prompts, decoder = sam.image_encoder, sam.prompt_encoder, sam.mask_decoder
    blocks = list(encoder.blocks)
    windows = {block.window_size for block in blocks} - {0}
    return {
        'image_size': encoder.img_size,
        'patch_size': encoder.patch_embed.proj.kernel_size[0],
        'embed_dim': encoder.patch_embed.proj.out_channels,
        'depth': len(blocks),
        'num_heads': blocks[0].attn.num_heads,
        'mlp_ratio': blocks[0].mlp.lin1.out_features / blocks[0].mlp.lin1.in_features,
        'window_size': windows.pop() if windows else 0,
        'global_attn_indexes': [i for i, b in enumerate(blocks) if b.window_size == 0],
        'prompt_embed_dim': prompts.embed_dim,
        'mask_in_chans': prompts.mask_downscaling[3].out_channels,
        'decoder_depth': decoder.transformer.depth,
        'decoder_mlp_dim': decoder.transformer.mlp_dim,
        'decoder_heads': decoder.transformer.num_heads,
        'iou_head_depth': decoder.iou_prediction_head.num_layers,
        'iou_head_hidden_dim': decoder.iou_prediction_head.layers[0].out_features,
    }


def is_sam2(model: Any) -> bool:
    """Whether a segmentor is transformers' `Sam2Model`, and not segment-anything's `Sam`."""
    return hasattr(model, 'vision_encoder')


def set_segmentor_dtype(model: Any, dtype: torch.dtype) -> Any:
    """As `set_sam_dtype` or `set_sam2_dtype`."""
    return set_sam2_dtype(model, dtype) if is_sam2(model) else set_sam_dtype(model, dtype)


def set_sam2_dtype(model: Any, dtype: torch.dtype) -> Any:
    """Let the encoder of a `Sam2Model` compute in `dtype`; its decoder stays in float32."""
    model.float().vision_encoder.to(dtype)
    return model


def set_sam_dtype(sam: Any, dtype: torch.dtype) -> Any:
    """Let a `Sam` compute in `dtype` where that costs no quality.

    The prompt encoder, whose coordinates do not survive half precision, and the head that
    estimates a mask's quality, on which thresholds are set, stay in float32.
    """
    sam.image_encoder.to(dtype)
    sam.mask_decoder.to(dtype)
    sam.mask_decoder.iou_prediction_head.float()
    return sam
