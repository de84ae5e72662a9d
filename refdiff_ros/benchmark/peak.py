"""What the machine can do at most, measured: matrix products and copies."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from refdiff_ros.stages import Clock, device_clock

# Sides of the square matrices, and bytes of the copied tensor: large enough to be bound by
# arithmetic and by memory, and on a CPU small enough to be done before others interrupt it.
_SIDES = {'cuda': (4096, 8192), 'cpu': (384, 768)}
_COPIED = {'cuda': 1 << 30, 'cpu': 1 << 26}
_TRIES = 20


@dataclass(frozen=True)
class MachinePeak:
    """The best of several tries.

    Attributes:
        flops: operations per second of a matrix product, by number format ('float32').
        moved: bytes per second of a copy, read and write counted.
    """

    flops: Mapping[str, float]
    moved: float

    def least_seconds(self, flops: Mapping[str, int], moved: int) -> tuple[float, float]:
        """Seconds for arithmetic and for memory if each ran at its peak.

        Args:
            flops: operations by number format; a format that was not measured counts as the
                slowest that was.
            moved: bytes.
        """
        slowest = min(self.flops.values())
        compute = sum(count / self.flops.get(dtype, slowest) for dtype, count in flops.items())
        return compute, moved / self.moved


def measure_peak(
    device: torch.device, dtypes: Iterable[torch.dtype], clock: Clock | None = None,
) -> MachinePeak:
    """Measure it: a second or two.

    Args:
        device: what is measured.
        dtypes: number formats of the matrix products.
        clock: that of `device` when None.
    """
    clock = clock or device_clock(device)
    return MachinePeak(
        flops={str(dtype).removeprefix('torch.'): _matmul_rate(device, dtype, clock)
               for dtype in dict.fromkeys(dtypes)},
        moved=_copy_rate(device, clock))


def _matmul_rate(device: torch.device, dtype: torch.dtype, clock: Clock) -> float:
    rates = []
    for side in _SIDES[device.type]:
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        rates.append(2 * side ** 3 / _best(clock, lambda: left @ right))  # noqa: B023
    return max(rates)


def _copy_rate(device: torch.device, clock: Clock) -> float:
    source = torch.zeros(_COPIED[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _best(clock, lambda: target.copy_(source))


def _best(clock: Clock, work: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls, after one that is not counted."""
    work()
    seconds = []
    for _ in range(_TRIES):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)
