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
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from refdiff_ros.benchmark.live_tensors import LiveTensors
from refdiff_ros.stages import StageStack

_aten = torch.ops.aten
_MOVES = {
    # Reads only the rows that it gives.
    'gathers': {_aten.index, _aten._unsafe_index, _aten.index_select, _aten.gather,
                _aten.embedding, _aten.take},
    # Writes its first argument and does not read it.
    'writes': {_aten.copy_, _aten.fill_, _aten.zero_},
    'nothing': {_aten.empty, _aten.empty_like, _aten.empty_strided, _aten.new_empty,
                _aten.new_empty_strided, _aten._local_scalar_dense, torch.ops.prim.device},
}


def _fused_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any,
) -> int:
    return sdpa_flop_count(query.shape, key.shape, value.shape)


# torch's own table lacks the CPU's fused attention.
_FORMULAS: dict[Any, Callable[..., int]] = {
    **flop_registry, _aten._scaled_dot_product_flash_attention_for_cpu: _fused_attention}


@dataclass(frozen=True)
class _Operation:
    """What is to be known of a torch operation.

    Attributes:
        formula: counts its operations; None where there are none to count.
        composite: torch takes it apart.
        moves: 'nothing', 'gathers', 'writes', 'changes' (its input) or 'all'.
    """

    formula: Callable[..., int] | None
    composite: bool
    moves: str


@cache
def _describe(func: Any) -> _Operation:
    packet = func._overloadpacket
    formula = _FORMULAS.get(packet)
    moves = 'changes' if func._schema.is_mutable else 'all'
    for name, packets in _MOVES.items():
        if packet in packets:
            moves = name
    return _Operation(
        formula=formula, moves=moves,
        composite=formula is None and torch._C._dispatch_has_kernel_for_dispatch_key(
            func.name(), torch._C.DispatchKey.CompositeImplicitAutograd))


class OperationCounter(TorchDispatchMode):
    """Counts what torch computes inside `with`, by the stage that `stages` is in.

    Args:
        numbered: tell the UNet's passes apart.
        live: is told of every tensor that is made.

    Attributes:
        flops: operations per stage and per number format ('float32').
        moved: bytes per stage.
    """

    def __init__(self, numbered: bool = True, live: LiveTensors | None = None):
        super().__init__()
        self.stages = StageStack(numbered)
        self._live = live
        self.flops: dict[str, defaultdict[str, int]] = {}
        self.moved: defaultdict[str, int] = defaultdict(int)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None,
    ) -> Any:
        """Run `func`, taken apart where torch would take it apart, and count it."""
        kwargs = kwargs or {}
        operation = _describe(func)
        # Under inference mode composite operations come here whole. `func.decompose` would prefer
        # Python's way of taking some apart (matmul, resizing), which is not what runs otherwise.
        if operation.composite:
            with self:
                return func._op_dk(
                    torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        result = func(*args, **kwargs)
        inputs, outputs = _tensors((args, kwargs)), _tensors(result)
        if self._live is not None:
            self._live.made(outputs)
        label = self.stages.label
        if operation.formula is not None:
            dtype = str(_tensors(args)[0].dtype).removeprefix('torch.')
            found = self.flops.setdefault(label, defaultdict(int))
            found[dtype] += int(operation.formula(*args, **kwargs, out_val=result))
        if operation.moves != 'nothing':
            self.moved[label] += _bytes_moved(operation.moves, inputs, outputs)
        return result


def _bytes_moved(
    moves: str, inputs: list[torch.Tensor], outputs: list[torch.Tensor],
) -> int:
    """Least traffic of one operation: its inputs read once, its outputs written once.

    A view moves nothing. A tensor that repeats its memory (`expand`) is read as often as it is
    stored.
    """
    written = sum(map(_size, outputs))
    if moves == 'writes':
        return written + sum(map(_size, inputs[1:]))
    if moves == 'gathers':
        places = sum(_size(tensor) for tensor in inputs if not tensor.is_floating_point())
        return 2 * written + places
    if moves == 'all' and outputs:
        stored = {tensor.untyped_storage()._cdata for tensor in inputs}
        if all(tensor.untyped_storage()._cdata in stored for tensor in outputs):
            return 0  # a view
    return written + sum(map(_size, inputs))


def _tensors(values: Any) -> list[torch.Tensor]:
    """The tensors in what operations take and give: sequences, nested, and keyword arguments."""
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, dict):
        values = values.values()
    elif not isinstance(values, (list, tuple)):
        return []
    return [tensor for value in values for tensor in _tensors(value)]


def _size(tensor: torch.Tensor) -> int:
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
