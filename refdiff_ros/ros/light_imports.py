"""Packages that libraries import when they find them, and that the node has no use for.

It is for a process of one's own: a library keeps in mind that it has not found a package.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
import importlib
import sys
from types import ModuleType
from typing import Any

# Imported by torch, transformers, diffusers or spaCy where they are installed, and not needed by
# an answer: a compiler for GPUs, templates of chats, distributions of noise schedules.
UNUSED = ('triton', 'jinja2', 'scipy')


def _unchanged(function: Any = None, *_: Any, **__: Any) -> Any:
    """A decorator that changes nothing, with arguments or without."""
    return _unchanged if function is None else function


# What libraries ask of packages while they are imported. spaCy imports its own command line, and
# that jinja2, to have `spacy.info`. torchvision and transformers import torch's compiler, with an
# algebra system, to tell it what it must not compile: 75 MB and a second.
_STAND_INS: dict[str, dict[str, Any]] = {
    'spacy.cli': {'info': None},
    'spacy.cli.info': {'info': None},
    'torch._dynamo': dict.fromkeys(
        ('allow_in_graph', 'assume_constant_result', 'disable'), _unchanged),
    'torch._dynamo.utils': {'is_compile_supported': None},
    'torch._dynamo._trace_wrapped_higher_order_op': {'TransformGetItemToIndex': nullcontext},
    'torch.nn.attention.flex_attention': {
        'BlockMask': type('BlockMask', (), {}), '_DEFAULT_SPARSE_BLOCK_SIZE': 128,
        **dict.fromkeys(('AuxRequest', 'create_block_mask', 'flex_attention'))},
}


@contextmanager
def without_unused() -> Iterator[None]:
    """Inside, unused packages are not found; those that are imported already stay."""
    # None is Python's own mark of a module that must not be imported.
    modules: dict[str, Any] = dict.fromkeys(UNUSED)
    modules.update((name, _StandIn(name, values)) for name, values in _STAND_INS.items())
    hidden = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        with _on_one_machine():
            yield
    finally:
        for name, module in hidden.items():
            if sys.modules.get(name, name) is module:
                del sys.modules[name]


@contextmanager
def _on_one_machine() -> Iterator[None]:
    """Else transformers imports what splits tensors over machines, and that the compiler."""
    distributed: Any = importlib.import_module('torch.distributed')
    is_available, distributed.is_available = distributed.is_available, bool
    try:
        yield
    finally:
        distributed.is_available = is_available


class _StandIn(ModuleType):
    """A module of a few values; for all others the module itself is imported after all."""

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        super().__init__(name)
        vars(self).update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
