"""What a UNet computes before it first looks at the text: the same for every prompt.

The convolution at its entry, the blocks without cross-attention, and in the first block that has
it the first ResNet layer and the self-attention depend on latents and timestep alone. They are
computed once for a batch of prompts on the same latents, and once for all prompts on a frame.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def shared_prefix(unet: Any, kept: dict[str, Any], rows: int = 1) -> Iterator[None]:
    """Inside, passes of `unet` take what precedes the text from `kept`, or put it there.

    One caller at a time: the modules' forward functions are replaced until the block ends, also
    by an error.

    Args:
        unet: a `UNet2DConditionModel`.
        kept: outputs by module name, each of batch `rows`; empty before the first pass. It may be
            used again for other prompts on the same latents, at the same timestep.
        rows: how many latents a batch has: it is those, once or several times over.
    """
    modules = {name: unet.get_submodule(name) for name in prefix_modules(unet)}
    own = {name: vars(module).get('forward') for name, module in modules.items()}
    for name, module in modules.items():
        module.forward = _once(module.forward, name, kept, rows)
    try:
        yield
    finally:
        for name, module in modules.items():
            del module.forward  # the class's own is found again
            if own[name] is not None:
                module.forward = own[name]


def prefix_modules(unet: Any) -> tuple[str, ...]:
    """Names of the modules that run before any cross-attention and have no part in it."""
    names = ['conv_in']
    for number, block in enumerate(unet.down_blocks):
        path = f'down_blocks.{number}'
        if not getattr(block, 'has_cross_attention', False):
            names.append(path)
            continue
        names.append(f'{path}.resnets.0')
        first = block.attentions[0].transformer_blocks[0]
        if not getattr(first, 'only_cross_attention', False) and first.attn1 is not None:
            names.append(f'{path}.attentions.0.transformer_blocks.0.attn1')
        return tuple(names)
    return tuple(names)


def _once(forward: Any, name: str, kept: dict[str, Any], rows: int) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        batch = (args[0] if args else kwargs['hidden_states']).shape[0]

        def first(value: Any) -> Any:
            same = isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == batch
            return value[:rows] if same else value
        if name not in kept:
            kept[name] = forward(
                *map(first, args), **{key: first(value) for key, value in kwargs.items()})
        return _repeat(kept[name], batch // rows)
    return run


def _repeat(output: Any, times: int) -> Any:
    if isinstance(output, tuple):
        return tuple(_repeat(part, times) for part in output)
    if times == 1:
        return output
    if len(output) == 1:
        return output.expand(times, *output.shape[1:])
    return output.repeat(times, *[1] * (output.ndim - 1))
