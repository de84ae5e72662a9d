"""Floating-point operations and bytes moved, counted while a stage runs.

What is counted:

operations  Multiplications and additions of matrix products, convolutions and attention, two for
            each multiply-add, by torch's own formulas. Normalisation, activations and resizing
            are not counted: they are bound by memory.
bytes       For every torch operation that is no view, what it has to read and write at least
            once: the tensors that go in, weights included, and those that come out. A fused
            attention moves queries, keys, values and result; one written out also its logits,
            several times. Caches may spare a part of that traffic.

Work outside torch (NumPy, Pillow, OpenCV) is not seen.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from refdiff_ros.benchmark.stages import StageStack

_aten = torch.ops.aten
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
# They read only the rows that they give.
_GATHERS = {_aten.index, _aten._unsafe_index, _aten.index_select, _aten.gather, _aten.embedding,
            _aten.take}
# They write their first argument and do not read it.
_WRITES = {_aten.copy_, _aten.fill_, _aten.zero_}
_FREE = {_aten.empty, _aten.empty_like, _aten.empty_strided, _aten.new_empty,
         _aten.new_empty_strided, _aten._local_scalar_dense, torch.ops.prim.device}


def _fused_attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


# torch's own table lacks the CPU's fused attention.
_FORMULAS: dict[Any, Callable[..., int]] = {
    **flop_registry, _aten._scaled_dot_product_flash_attention_for_cpu: _fused_attention}
_ON_SHAPES = {_aten._scaled_dot_product_flash_attention_for_cpu}


class OperationCounter(TorchDispatchMode):
    """Counts what torch computes inside `with`, by the stage that `stages` is in.

    Args:
        numbered: tell the UNet's passes apart.

    Attributes:
        flops: operations per stage and per number format ('float32').
        moved: bytes per stage.
    """

    def __init__(self, numbered: bool = True):
        super().__init__()
        self.stages = StageStack(numbered)
        self.flops: dict[str, defaultdict[str, int]] = {}
        self.moved: defaultdict[str, int] = defaultdict(int)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None,
    ) -> Any:
        """Run `func`, taken apart where torch would take it apart, and count it."""
        kwargs = kwargs or {}
        packet = func._overloadpacket
        # Under inference mode composite operations come here whole. `func.decompose` would prefer
        # Python's way of taking some apart (matmul, resizing), which is not what runs otherwise.
        if packet not in _FORMULAS and torch._C._dispatch_has_kernel_for_dispatch_key(
                func.name(), _COMPOSITE):
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)
        result = func(*args, **kwargs)
        self._count(func, packet, args, kwargs, result)
        return result

    def _count(self, func: Any, packet: Any, args: tuple, kwargs: dict, result: Any) -> None:
        label = self.stages.label
        if packet in _FORMULAS:
            self._count_flops(label, packet, args, kwargs, result)
        if packet not in _FREE:
            self.moved[label] += bytes_moved(func, args, kwargs, result)

    def _count_flops(
        self, label: str, packet: Any, args: tuple, kwargs: dict, result: Any,
    ) -> None:
        if packet in _ON_SHAPES:
            count = _FORMULAS[packet](*(tensor.shape for tensor in args[:3]))
        else:
            count = _FORMULAS[packet](*args, **kwargs, out_val=result)
        dtype = str(_tensors(args)[0].dtype).removeprefix('torch.')
        self.flops.setdefault(label, defaultdict(int))[dtype] += int(count)


def bytes_moved(func: Any, args: tuple, kwargs: dict, result: Any) -> int:
    """Least traffic of one operation: its inputs read once, its outputs written once.

    A view moves nothing. A tensor that repeats its memory (`expand`) is read as often as it is
    stored.
    """
    packet = func._overloadpacket
    inputs, outputs = _tensors((args, kwargs)), _tensors(result)
    written = sum(_size(tensor) for tensor in outputs)
    if packet in _WRITES:
        return written + sum(_size(tensor) for tensor in inputs[1:])
    if func._schema.is_mutable:
        return written + sum(_size(tensor) for tensor in inputs)
    stored = {tensor.untyped_storage()._cdata for tensor in inputs}
    if outputs and all(tensor.untyped_storage()._cdata in stored for tensor in outputs):
        return 0  # a view
    if packet in _GATHERS:
        places = sum(_size(tensor) for tensor in inputs if not tensor.is_floating_point())
        return 2 * written + places
    return written + sum(_size(tensor) for tensor in inputs)


def _tensors(values: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


def _size(tensor: torch.Tensor) -> int:
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
