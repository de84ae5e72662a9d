"""Attention whose logits are written out in full, and the maps that are read from them.

Letters: B batch (unconditional first), A heads, P = h*w places, L tokens, d width of a head.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import math
from typing import Any

from diffusers.models.attention_processor import (
    AttnProcessor,
    AttnProcessor2_0,
    SlicedAttnProcessor,
)
import numpy as np
import torch

from refdiff_ros.generative.attention import select_layers
from refdiff_ros.stages import stage

_GUIDANCE = 9.0


class WrittenOut:
    """An attention processor of diffusers that holds all logits in float32, as published.

    Args:
        token: which token's map is read.
        maps: where it is put; None where nobody reads this layer.
    """

    def __init__(self, token: int = 0, maps: list[np.ndarray] | None = None):
        self._token = token
        self._maps = maps

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **_: Any,
    ) -> torch.Tensor:
        """(B, P, A*d) in and out."""
        seen = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (attn.head_to_batch_dim(tokens) for tokens in (
            attn.to_q(hidden_states), attn.to_k(seen), attn.to_v(seen)))  # (B*A, P or L, d)
        logits = torch.einsum('bid,bjd->bij', query.float(), key.float()) * attn.scale
        if self._maps is not None:
            with stage('attention'):
                self._maps.append(token_map(logits, self._token))
        mask = attn.prepare_attention_mask(attention_mask, seen.shape[1], len(hidden_states))
        if mask is not None:
            logits = logits + mask
        weights = logits.softmax(dim=-1).to(value.dtype)  # (B*A, P, L)
        result = torch.einsum('bij,bjd->bid', weights, value)
        return attn.to_out[1](attn.to_out[0](attn.batch_to_head_dim(result)))


def token_map(logits: torch.Tensor, token: int) -> np.ndarray:
    """One token's map of one layer, brought to 0..1, as a picture of three equal channels.

    Args:
        logits: (2*A, P, L), the unconditional half first.
        token: position among the L tokens.

    Returns:
        (h, w, 3) float64.
    """
    without, conditional = (half.mean(dim=0) for half in logits.chunk(2))  # (P, L)
    guided = (conditional - without) * _GUIDANCE + without
    side = math.isqrt(len(guided))
    grid = guided.reshape(side, side, -1).cpu().numpy()[:, :, token]  # (h, w)
    span = grid.max() - grid.min()
    scaled = (grid - grid.min()) / span if span > 0 else np.zeros_like(grid)
    heat = np.zeros((side, side, 3))
    for channel in range(3):
        heat[:, :, channel] = scaled
    return heat


@contextmanager
def captured(unet: Any, token: int, attention: str) -> Iterator[list[np.ndarray]]:
    """Collect the maps of `token` in the layers that the published code reads.

    Args:
        unet: `UNet2DConditionModel`; it has its own processors back afterwards.
        token: position of the token.
        attention: of the other layers: 'whole', 'sliced' or 'fused', see `PublishedSettings`.
    """
    maps: list[np.ndarray] = []
    read = {f'{name}.processor' for name in select_layers(unet, ('released',))}
    own = unet.attn_processors
    makers: dict[str, Callable[[], Any]] = {
        'whole': WrittenOut, 'fused': AttnProcessor2_0,
        'sliced': lambda: SlicedAttnProcessor(slice_size=1)}
    others = makers[attention]()
    unet.set_attn_processor(
        {name: WrittenOut(token, maps) if name in read else others for name in own})
    try:
        yield maps
    finally:
        unet.set_attn_processor(own)


@contextmanager
def written_out_vae(vae: Any, attention: str) -> Iterator[None]:
    """The VAE's attention, of one head, with all its weights, as published; or fused."""
    own = vae.attn_processors
    if attention != 'fused':
        vae.set_attn_processor(AttnProcessor())
    try:
        yield
    finally:
        vae.set_attn_processor(own)
