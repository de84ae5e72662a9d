"""Cross-attention of any diffusers UNet: which layers, reading their queries and keys, Eq. (4).

The forward pass keeps whatever fused attention the UNet has. Hooks on the query and key
projections read what Eq. (4) needs, and one token's map is then a matrix-vector product.

Letters: B batch, L text tokens, P = h*w places of a layer's grid, A heads, d head width,
K token groups.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
import math
import re
from typing import Any

import torch

from refdiff_ros.errors import BundleError

# Places whose probabilities over all tokens are held at once.
_CHUNK_PLACES = 4096

TokenGroups = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class LayerCapture:
    """Queries (B, P, A*d) and keys (B, L, A*d) of one cross-attention layer."""

    query: torch.Tensor
    key: torch.Tensor
    heads: int

    def rows(self, start: int, stop: int) -> 'LayerCapture':
        """The part of the batch from `start` to `stop`."""
        return LayerCapture(self.query[start:stop], self.key[start:stop], self.heads)

    def row(self, index: int) -> 'LayerCapture':
        """One part of the batch, which may also be one for all."""
        index = 0 if len(self.query) == 1 else index
        return self.rows(index, index + 1)


class _LastLayerReachedError(Exception):
    """Ends a truncated pass; never leaves this module."""


def cross_attention_layers(unet: Any) -> tuple[str, ...]:
    """Names of the UNet's cross-attention modules, in the order in which they run."""
    names = [name for name, module in unet.named_modules()
             if name.split('.')[-1] == 'attn2' and hasattr(module, 'to_k')]
    return tuple(sorted(names, key=_execution_order))


def _execution_order(name: str) -> tuple[int, ...]:
    stage = {'down_blocks': 0, 'mid_block': 1, 'up_blocks': 2}[name.split('.')[0]]
    return (stage, *(int(number) for number in re.findall(r'\d+(?=\.)', name)))


def select_layers(unet: Any, wanted: Sequence[str]) -> tuple[str, ...]:
    """The layers to capture, in the order in which they run.

    Args:
        unet: a `UNet2DConditionModel`.
        wanted: names; none means all; `('released',)` means those of the down and up blocks two
            levels below the latents (in Stable Diffusion at 1024 px the 32x32 ones: 2 down, 3
            up), or of the deepest level above that where the UNet has both.

    Raises:
        BundleError: the UNet has no such layer, or wants more than a text (SDXL's picture sizes
            and pooled text, image embeddings).
    """
    further = unet.config.addition_embed_type
    if further is not None:
        raise BundleError(
            f'expected a UNet that reads a text alone, as Stable Diffusion 1 and 2 do, got one '
            f'with addition_embed_type {further!r}: SDXL and its like are not supported')
    layers = cross_attention_layers(unet)
    if tuple(wanted) == ('released',):
        chosen = _level_layers(unet, layers)
    else:
        unknown = set(wanted) - set(layers)
        if unknown:
            raise BundleError(
                f'expected cross-attention layers of the UNet, got {sorted(unknown)}; '
                f'it has {list(layers)}')
        chosen = tuple(name for name in layers if not wanted or name in wanted)
    if not chosen:
        raise BundleError('expected a UNet with cross-attention, got one without')
    return chosen


def _level_layers(unet: Any, layers: tuple[str, ...]) -> tuple[str, ...]:
    last = len(unet.up_blocks) - 1
    for level in (2, 1, 0):
        down, up = f'down_blocks.{level}.', f'up_blocks.{last - level}.'
        chosen = tuple(name for name in layers if name.startswith((down, up)))
        if {name.split('_')[0] for name in chosen} == {'down', 'up'}:
            return chosen
    return ()


@contextmanager
def capture(unet: Any, layers: Sequence[str]) -> Iterator[dict[str, LayerCapture]]:
    """Collect queries and keys of `layers` during the forward passes made inside.

    The hooks go when the block ends, also by an error. One caller at a time: hooks belong to
    the module.
    """
    found: dict[str, LayerCapture] = {}
    with _hooks(unet, layers, found, stop_after=None):
        yield found


def run_until_captured(
    unet: Any, layers: Sequence[str], *args: Any, **kwargs: Any,
) -> dict[str, LayerCapture]:
    """Run the UNet only as far as the last of `layers` and return what was captured.

    Nothing after that layer's key projection is computed.
    """
    found: dict[str, LayerCapture] = {}
    with _hooks(unet, layers, found, stop_after=layers[-1]), suppress(_LastLayerReachedError):
        unet(*args, **kwargs)
    return found


@contextmanager
def _hooks(
    unet: Any, layers: Sequence[str], found: dict[str, LayerCapture], stop_after: str | None,
) -> Iterator[None]:
    handles = []

    def watch(name: str) -> None:
        module = unet.get_submodule(name)
        queries: list[torch.Tensor] = []

        def on_query(_module: Any, _args: Any, output: torch.Tensor) -> None:
            queries[:] = [output]

        def on_key(_module: Any, _args: Any, output: torch.Tensor) -> None:
            found[name] = LayerCapture(
                _normed(module.norm_q, queries.pop(), module.heads),
                _normed(module.norm_k, output, module.heads), module.heads)
            if name == stop_after:
                raise _LastLayerReachedError
        handles.append(module.to_q.register_forward_hook(on_query))
        handles.append(module.to_k.register_forward_hook(on_key))

    try:
        for name in layers:
            watch(name)
        yield
    finally:
        for handle in handles:
            handle.remove()


def _normed(norm: Any, projected: torch.Tensor, heads: int) -> torch.Tensor:
    """What the layer's own query or key norm makes of a projection; unchanged without one."""
    if norm is None:
        return projected
    by_head = projected.unflatten(-1, (heads, -1))  # (B, P, A, d)
    result: torch.Tensor = norm(by_head).flatten(-2)  # (B, P, A*d)
    return result


def mean_logits(layer: LayerCapture, groups: TokenGroups) -> torch.Tensor:
    """Mean over heads of the pre-softmax logits of Eq. (4), for each group of tokens.

    The mean over heads of q.k/sqrt(d) is one product of the concatenated heads: q.k/(A*sqrt(d)).
    A group's logit is the mean of its tokens'.

    Returns:
        (B, K, P) float32.
    """
    width = layer.query.shape[-1]
    scale = 1.0 / (layer.heads * math.sqrt(width // layer.heads))
    keys = torch.stack(
        [layer.key[:, list(group)].float().mean(dim=1) for group in groups], dim=1)  # (B, K, A*d)
    return keys @ layer.query.float().transpose(1, 2) * scale  # (B, K, P)


def mean_probabilities(
    layer: LayerCapture, groups: TokenGroups, token_bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """Eq. (4): softmax over all tokens, mean over heads, for each group of tokens.

    Only a chunk of places is held over all tokens and heads at a time.

    Args:
        layer: queries and keys.
        groups: token positions; a group's probability is the mean of its tokens'.
        token_bias: (B, L) added to the logits (0 or very negative), or None.

    Returns:
        (B, K, P) float32.
    """
    query = _split_heads(layer.query, layer.heads)  # (B, A, P, d)
    key = _split_heads(layer.key, layer.heads).transpose(2, 3)  # (B, A, d, L)
    scale = 1.0 / math.sqrt(query.shape[-1])
    bias = 0.0 if token_bias is None else token_bias.float()[:, None, None]  # (B, 1, 1, L)
    pick = torch.zeros(key.shape[-1], len(groups), device=key.device)  # (L, K)
    for column, group in enumerate(groups):
        pick[list(group), column] = 1.0 / len(group)
    parts = []
    for chunk in query.split(_CHUNK_PLACES, dim=2):
        attention = torch.softmax(chunk @ key * scale + bias, dim=-1).mean(dim=1)  # (B, p, L)
        parts.append(attention @ pick)  # (B, p, K)
    return torch.cat(parts, dim=1).transpose(1, 2)  # (B, K, P)


def _split_heads(projected: torch.Tensor, heads: int) -> torch.Tensor:
    by_head: torch.Tensor = projected.float().unflatten(-1, (heads, -1))  # (B, P, A, d)
    return by_head.transpose(1, 2)  # (B, A, P, d)
