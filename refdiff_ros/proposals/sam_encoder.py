"""SAM's image encoder with fused attention, on the picture alone if wanted.

Computes what segment-anything's `ImageEncoderViT` computes; the way there differs:

- Attention is fused: only the relative positions of a strip of queries are ever held, never the
  logits and probabilities of all places (for ViT-H a gigabyte each, read and written ten times).
- Windows that reach beyond the picture's grid are padded after the projection to queries, keys
  and values, by its bias, and not before it.
- The encoder takes any part of a square of any side. SAM's own input is a square, a quarter of it
  black for a 4:3 picture: without that part the rest is encoded nearly alike at three quarters of
  the cost. In a smaller square positions are interpolated.

Letters: B windows, A heads, d head width, D width, H W rows and columns of the grid, P = H*W,
n places along the square's side.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from refdiff_ros.models.compiling import wants_compiling

# Relative positions (in values) that are held at once.
_BIAS_BUDGET = 1 << 26
# Where an encoder keeps the compiled form of its blocks.
_COMPILED = 'refdiff_compiled_block'


@torch.no_grad()
def encode(encoder: Any, image: torch.Tensor, side: int) -> torch.Tensor:
    """Features of a normalised picture.

    Args:
        encoder: segment-anything's `ImageEncoderViT`.
        image: (1, 3, h, w) in the encoder's dtype: the square of `side` pixels or, h and w
            being smaller, its upper left part.
        side: a multiple of the patch side, as are h and w. For a whole square of `img_size` the
            result is the encoder's own.

    Returns:
        (1, C, H, W).
    """
    hidden = encoder.patch_embed(image)  # (1, H, W, D)
    places = side // patch_side(encoder)
    if encoder.pos_embed is not None:
        height, width = hidden.shape[1:3]
        hidden = hidden + _positions(encoder.pos_embed, places)[:, :height, :width]
    run = _runner(encoder)
    for block in encoder.blocks:
        hidden = run(block, hidden, places)
    result: torch.Tensor = encoder.neck(hidden.permute(0, 3, 1, 2).contiguous())
    return result


def _runner(encoder: Any) -> Callable[[Any, torch.Tensor, int], torch.Tensor]:
    """What runs a block, compiled where that is wanted: each new size compiles once."""
    if not wants_compiling(encoder):
        return _block
    if not hasattr(encoder, _COMPILED):
        # Sizes that were free would cost speed; cameras have one, or few.
        setattr(encoder, _COMPILED, torch.compile(_block, dynamic=False))
    compiled: Callable[[Any, torch.Tensor, int], torch.Tensor] = getattr(encoder, _COMPILED)
    return compiled


def patch_side(encoder: Any) -> int:
    """Side in pixels of what one place of the grid stands for."""
    return int(encoder.patch_embed.proj.kernel_size[0])


def _positions(embedded: torch.Tensor, places: int) -> torch.Tensor:
    """Absolute positions (1, n, n, D) for a grid of `places` along a side."""
    if embedded.shape[1] == places:
        return embedded
    grid = F.interpolate(
        embedded.permute(0, 3, 1, 2).float(), (places, places), mode='bicubic')
    return grid.permute(0, 2, 3, 1).to(embedded.dtype)


def _block(block: Any, hidden: torch.Tensor, places: int) -> torch.Tensor:
    attention = block.attn
    qkv = attention.qkv(block.norm1(hidden))  # (1, H, W, 3*D)
    if block.window_size > 0:
        seen = _windows(attention, qkv, block.window_size)
    else:
        seen = attend(attention, qkv, places)
    hidden = hidden + attention.proj(seen)
    result: torch.Tensor = hidden + block.mlp(block.norm2(hidden))
    return result


def _windows(attention: Any, qkv: torch.Tensor, side: int) -> torch.Tensor:
    """Attention within windows of `side` places: (1, H, W, 3*D) to (1, H, W, D)."""
    height, width = qkv.shape[1:3]
    rows, columns = -(-height // side), -(-width // side)
    if rows * side > height or columns * side > width:
        padded = qkv.new_zeros(1, rows * side, columns * side, qkv.shape[-1])
        if attention.qkv.bias is not None:
            padded += attention.qkv.bias  # what the projection makes of a zero
        padded[:, :height, :width] = qkv
        qkv = padded
    windows = qkv.reshape(rows, side, columns, side, -1).transpose(1, 2).flatten(0, 1)
    seen = attend(attention, windows, side)  # (B, side, side, D)
    seen = seen.unflatten(0, (rows, columns)).transpose(1, 2)
    result: torch.Tensor = seen.reshape(1, rows * side, columns * side, -1)[:, :height, :width]
    return result


def attend(attention: Any, qkv: torch.Tensor, places: int) -> torch.Tensor:
    """Attention among all places of each grid: (B, H, W, 3*D) to (B, H, W, D).

    Each grid is a part of a square of `places` by `places`.
    """
    count, height, width = qkv.shape[:3]
    heads = attention.num_heads
    query, key, value = (
        values.flatten(1, 2).transpose(1, 2)  # (B, A, P, d)
        for values in qkv.unflatten(3, (3, heads, -1)).unbind(3))
    if not attention.use_rel_pos:
        seen = F.scaled_dot_product_attention(query, key, value, scale=attention.scale)
    else:
        tables = [_distances(relative, places)
                  for relative in (attention.rel_pos_h, attention.rel_pos_w)]
        strip = max(1, _BIAS_BUDGET // (count * heads * height * width * width))
        seen = torch.cat([
            F.scaled_dot_product_attention(
                part, key, value, scale=attention.scale,
                attn_mask=_relative_positions(tables[0], tables[1], part, top, (height, width)))
            for top, part in zip(
                range(0, height, strip), query.split(strip * width, dim=2), strict=True)], dim=2)
    return seen.transpose(1, 2).reshape(count, height, width, -1)


def _relative_positions(
    by_row: torch.Tensor,
    by_column: torch.Tensor,
    query: torch.Tensor,
    top: int,
    size_hw: tuple[int, int],
) -> torch.Tensor:
    """What places add to logits: q . (R_h[row - row'] + R_w[column - column']).

    Args:
        by_row, by_column: R_h and R_w, (2*n - 1, d) from the most negative distance on.
        query: (B, A, p, d) of whole rows of the grid, the first of them row `top`.
        top: see `query`.
        size_hw: H and W.

    Returns:
        (B, A, p, P).
    """
    height, width = size_hw
    places = query.unflatten(2, (-1, width))  # (B, A, h, W, d)
    by_row = _pairs(by_row, height)[top:top + places.shape[2]]  # (h, H, d)
    by_column = _pairs(by_column, width)  # (W, W, d)
    row_bias = places @ by_row.transpose(1, 2)  # (B, A, h, W, H)
    column_bias = (places.transpose(2, 3) @ by_column.transpose(1, 2)).transpose(2, 3)
    bias = row_bias[..., :, None] + column_bias[..., None, :]  # (B, A, h, W, H, W)
    result: torch.Tensor = bias.flatten(4).flatten(2, 3)
    return result


def _distances(relative: torch.Tensor, places: int) -> torch.Tensor:
    """A table of relative positions (2*n - 1, d) for a square of `places` along a side."""
    wanted = 2 * places - 1
    if len(relative) == wanted:
        return relative
    return F.interpolate(
        relative.T[None].float(), wanted, mode='linear')[0].T.to(relative.dtype)


def _pairs(relative: torch.Tensor, size: int) -> torch.Tensor:
    """Rows of a table (2*n - 1, d) for each pair of `size` <= n places: (size, size, d)."""
    place = torch.arange(size, device=relative.device)
    return relative[place[:, None] - place[None] + len(relative) // 2]
