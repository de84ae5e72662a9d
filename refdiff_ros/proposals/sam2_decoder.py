"""SAM 2's mask decoder under the names of SAM's, so that `sam_decoder` computes both.

Its transformer is the same. A token for whether there is an object at all comes before the others,
and finer features of the encoder are added while masks are drawn.

Letters: B prompts, T tokens, C width, h w grid of the features, P = h*w places.
"""

from types import SimpleNamespace
from typing import Any

import torch


def as_sam(decoder: Any) -> SimpleNamespace:
    """transformers' `Sam2MaskDecoder` as `sam_decoder` takes a `MaskDecoder`.

    The first two of its tokens are those of the object and of the quality.
    """
    transformer = decoder.transformer
    return SimpleNamespace(
        iou_token=SimpleNamespace(weight=torch.cat(
            [decoder.obj_score_token.weight, decoder.iou_token.weight])),
        mask_tokens=decoder.mask_tokens,
        transformer=SimpleNamespace(
            layers=[_block(layer) for layer in transformer.layers],
            final_attn_token_to_image=_attention(transformer.final_attn_token_to_image),
            norm_final_attn=transformer.layer_norm_final_attn),
        output_upscaling=(
            decoder.upscale_conv1, decoder.upscale_layer_norm, decoder.activation,
            decoder.upscale_conv2, decoder.activation),
        output_hypernetworks_mlps=decoder.output_hypernetworks_mlps)


def _block(layer: Any) -> SimpleNamespace:
    def attend_to_itself(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = layer.self_attn(query=q[None], key=k[None], value=v[None])[0][0]
        return found  # (B, T, C)
    return SimpleNamespace(
        skip_first_layer_pe=layer.skip_first_layer_pe, self_attn=attend_to_itself, mlp=layer.mlp,
        norm1=layer.layer_norm1, norm2=layer.layer_norm2, norm3=layer.layer_norm3,
        norm4=layer.layer_norm4,
        cross_attn_token_to_image=_attention(layer.cross_attn_token_to_image),
        cross_attn_image_to_token=_attention(layer.cross_attn_image_to_token))


def _attention(attention: Any) -> SimpleNamespace:
    return SimpleNamespace(
        num_heads=attention.num_attention_heads, q_proj=attention.q_proj,
        k_proj=attention.k_proj, v_proj=attention.v_proj, out_proj=attention.o_proj)


def in_drawing_order(
    fine: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Finer features place by place, as `sam_decoder.draw` adds them.

    Args:
        fine: (1, C/8, 4*h, 4*w) and (1, C/4, 2*h, 2*w).

    Returns:
        (1, P, 4, C/4), which is added first, and (1, 4*P, 4, C/8).
    """
    finest, finer = (values[0] for values in fine)
    finer = finer.unflatten(1, (-1, 2)).unflatten(3, (-1, 2))  # (C/4, h, 2, w, 2)
    finer = finer.permute(1, 3, 2, 4, 0).flatten(2, 3).flatten(0, 1)
    finest = finest.unflatten(1, (-1, 2, 2)).unflatten(4, (-1, 2, 2))  # (C/8, h, 2, 2, w, 2, 2)
    finest = finest.permute(1, 4, 2, 5, 3, 6, 0).flatten(4, 5).flatten(0, 3)
    return finer[None].contiguous(), finest[None].contiguous()
