"""SAM's mask decoder for many point prompts on one picture, with its products reordered.

Computes what segment-anything's `MaskDecoder` and `TwoWayTransformer` compute, at a third of the
operations. A prompt is a handful of tokens (T = 7), the picture thousands of places (P = 4096),
and the original projects every place for every prompt anew, ten times:

- Before the first block has changed the picture, its projections are the same for all prompts:
  they are computed once.
- After it, a projection moves to the side of the tokens, since (W x) . q = x . (W^T q) and
  sum_i p_i (W x_i) = W (sum_i p_i x_i): A*T small vectors are projected in place of P large ones.
- A bias that is added to the logits of all places alike falls out of a softmax; one that is added
  to all values leaves it unchanged, since the weights sum to 1.
- The transposed convolutions (kernel 2, stride 2) are matrix products on the last axis, which
  spares the permutations around the norm over channels.

Letters: B prompts, T tokens of a prompt, P = h*w places, C width, A heads, d head width, M masks.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

# Two values of so many bytes side by side, as one number.
_PAIR_OF = {2: torch.int32, 4: torch.int64, 8: torch.complex128}


@dataclass(frozen=True)
class Picture:
    """The picture as the decoder's transformer sees it before any prompt.

    Attributes:
        places: (P, C) features and the embedding of 'no mask given'.
        positions: (P, C).
        size_hw: h and w.
    """

    places: torch.Tensor
    positions: torch.Tensor
    size_hw: tuple[int, int]


def picture(features: torch.Tensor, positions: torch.Tensor, no_mask: torch.Tensor) -> Picture:
    """Features (1, C, h, w), positions (1, C, h, w) and the embedding of no mask (1, C)."""
    places, positions = (values[0].flatten(1).T.contiguous() for values in (features, positions))
    return Picture(places + no_mask, positions, (features.shape[2], features.shape[3]))


def attend(decoder: Any, seen: Picture, sparse: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The two-way transformer.

    Args:
        decoder: segment-anything's `MaskDecoder`.
        seen: the picture.
        sparse: (B, S, C) embedded points.

    Returns:
        Tokens (B, T, C), the first for the quality and then one a mask, and places (B, P, C).
    """
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])  # (1 + M, C)
    tokens = torch.cat([own.expand(len(sparse), -1, -1), sparse], dim=1)  # (B, T, C)
    transformer = decoder.transformer
    queries, places = tokens, seen.places[None]  # (1, P, C) until the first block is done
    for number, layer in enumerate(transformer.layers):
        queries, places = _block(
            layer, queries, tokens, places, places + seen.positions, overwrite=number > 0)
    found = _tokens_to_places(
        transformer.final_attn_token_to_image, queries + tokens, places, places + seen.positions)
    return transformer.norm_final_attn(queries + found), places


def draw(
    decoder: Any,
    tokens: torch.Tensor,
    places: torch.Tensor,
    size_hw: tuple[int, int],
    fine: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Low-resolution logits of each prompt's masks, the first (for one mask alone) left out.

    Args:
        decoder: segment-anything's `MaskDecoder`.
        tokens, places: of B prompts, as from `attend`, of the places that are drawn.
        size_hw: h and w of these.
        fine: what is added on the way, (1, P, 4, C/4) and (1, 4*P, 4, C/8); None for nothing.

    Returns:
        (B, M - 1, 4*h, 4*w).
    """
    first, norm, _, second, _ = decoder.output_upscaling
    weights = torch.stack([mlp(tokens[:, 1 + n]) for n, mlp in
                           enumerate(decoder.output_hypernetworks_mlps) if n], dim=1)
    drawn = _double(first, places)  # (B, P, 4, C/4)
    if fine is not None:
        drawn += fine[0]
    drawn = F.gelu(F.layer_norm(drawn, drawn.shape[-1:], norm.weight, norm.bias, norm.eps))
    drawn = _double(second, drawn.flatten(1, 2))  # (B, P*4, 4, C/8)
    if fine is not None:
        drawn += fine[1]
    logits = weights @ F.gelu(drawn).flatten(1, 2).transpose(1, 2)  # (B, M-1, P*16)
    return _in_rows(logits, size_hw)


def upper_left(
    places: torch.Tensor, size_hw: tuple[int, int], part_hw: tuple[int, int],
) -> torch.Tensor:
    """Places (B, h*w, C) of a part (h', w') of the grid: (B, h'*w', C)."""
    if part_hw == size_hw:
        return places
    grid: torch.Tensor = places.unflatten(1, size_hw)
    return grid[:, :part_hw[0], :part_hw[1]].flatten(1, 2)


def _in_rows(logits: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
    """Logits (B, M, P*16) as they come from two doublings, row by row: (B, M, 4*h, 4*w).

    The last two of each place are neighbours and are moved as one number, which takes half the
    time.
    """
    height, width = size_hw
    pairs: torch.Tensor = logits.view(_PAIR_OF[logits.element_size()]).unflatten(
        2, (height, width, 2, 2, 2))
    pairs = pairs.permute(0, 1, 2, 4, 6, 3, 5).clone(memory_format=torch.contiguous_format)
    return pairs.view(logits.dtype).view(*logits.shape[:2], 4 * height, 4 * width)


def _double(convolution: Any, values: torch.Tensor) -> torch.Tensor:
    """A transposed convolution of kernel and stride 2 on (B, P, C): (B, P, 4, C'), row by row."""
    weight = convolution.weight.permute(2, 3, 1, 0).flatten(0, 2)  # (4*C', C)
    bias = convolution.bias.repeat(4)
    result: torch.Tensor = F.linear(values, weight, bias).unflatten(2, (4, -1))
    return result


def _block(
    layer: Any,
    queries: torch.Tensor,
    tokens: torch.Tensor,
    places: torch.Tensor,
    placed: torch.Tensor,
    overwrite: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A `TwoWayAttentionBlock`: queries (B, T, C) and places (1 or B, P, C) after it.

    `placed` is `places` with their positions added. With `overwrite` the memory of `places` is
    used again, which saves a copy.
    """
    if layer.skip_first_layer_pe:
        queries = layer.self_attn(q=queries, k=queries, v=queries)
    else:
        marked = queries + tokens
        queries = queries + layer.self_attn(q=marked, k=marked, v=queries)
    queries = layer.norm1(queries)
    queries = layer.norm2(queries + _tokens_to_places(
        layer.cross_attn_token_to_image, queries + tokens, places, placed))
    queries = layer.norm3(queries + layer.mlp(queries))
    places = layer.norm4(_places_to_tokens(
        layer.cross_attn_image_to_token, queries + tokens, queries, places, placed, overwrite))
    return queries, places


def _tokens_to_places(
    attention: Any, queries: torch.Tensor, places: torch.Tensor, placed: torch.Tensor,
) -> torch.Tensor:
    """What queries (B, T, C) get from places (1 or B, P, C): (B, T, C)."""
    heads, count = attention.num_heads, queries.shape[1]
    query = attention.q_proj(queries).unflatten(2, (heads, -1))  # (B, T, A, d)
    if len(places) == 1:
        key = attention.k_proj(placed).unflatten(2, (heads, -1))  # (1, P, A, d)
        value = attention.v_proj(places).unflatten(2, (heads, -1))
        found = F.scaled_dot_product_attention(*(
            values.transpose(1, 2) for values in (query.flatten(0, 1)[None], key, value)))
        found = found.transpose(1, 2).unflatten(1, (-1, count))[0]  # (B, T, A, d)
        joined: torch.Tensor = attention.out_proj(found.flatten(2))
        return joined
    lifted = _to_width(query, attention.k_proj)  # (B, A*T, C)
    weights = _logits(lifted, placed, query.shape[-1]).softmax(2)  # (B, A*T, P)
    found = (weights @ places).unflatten(1, (heads, count))  # (B, A, T, C)
    width = attention.v_proj.weight.unflatten(0, (heads, -1))  # (A, d, C)
    found = (found @ width.transpose(1, 2)).transpose(1, 2).flatten(2)  # (B, T, A*d)
    result: torch.Tensor = attention.out_proj(found + attention.v_proj.bias)
    return result


def _places_to_tokens(
    attention: Any,
    keys: torch.Tensor,
    values: torch.Tensor,
    places: torch.Tensor,
    placed: torch.Tensor,
    overwrite: bool,
) -> torch.Tensor:
    """Places (1 or B, P, C) and what they get from keys and values (B, T, C): (B, P, C)."""
    heads = attention.num_heads
    key = attention.k_proj(keys).unflatten(2, (heads, -1))  # (B, T, A, d)
    # Each place's own bias is one number a token: q.k = x.(W^T k) + b.k.
    bias = (key * attention.q_proj.bias.unflatten(0, (heads, -1))).sum(3)  # (B, T, A)
    bias = bias.transpose(1, 2).flatten(1)[..., None] / key.shape[-1] ** 0.5  # (B, A*T, 1)
    lifted = _to_width(key, attention.q_proj)  # (B, A*T, C)
    if len(places) == 1:
        logits = _logits(lifted.flatten(0, 1)[None], placed, key.shape[-1])
        logits = logits[0].unflatten(0, (len(keys), -1)) + bias  # (B, A*T, P)
    else:
        logits = _logits(lifted, placed, key.shape[-1]) + bias
    weights = logits.unflatten(1, (heads, -1)).softmax(2).flatten(1, 2)  # (B, A*T, P)
    value = _to_width(attention.v_proj(values).unflatten(2, (heads, -1)),
                      attention.out_proj, output=True)  # (B, A*T, C)
    value = value + attention.out_proj.bias / heads  # the weights of a head sum to 1
    if overwrite:
        return places.baddbmm_(weights.transpose(1, 2), value)
    return torch.baddbmm(
        places.expand(len(keys), -1, -1), weights.transpose(1, 2), value)  # (B, P, C)


def _to_width(values: torch.Tensor, projection: Any, output: bool = False) -> torch.Tensor:
    """Head by head through a projection's weight, from d to C: (B, T, A, d) to (B, A*T, C)."""
    heads = values.shape[2]
    weight = projection.weight.T if output else projection.weight  # (A*d, C)
    by_head = weight.unflatten(0, (heads, -1))
    result: torch.Tensor = (values.transpose(1, 2) @ by_head).flatten(1, 2)
    return result


def _logits(lifted: torch.Tensor, placed: torch.Tensor, width: int) -> torch.Tensor:
    """Scaled products of (B, Q, C) with places (B, P, C): (B, Q, P)."""
    result: torch.Tensor = (lifted * width ** -0.5) @ placed.transpose(1, 2)
    return result
