"""The most bytes that torch's tensors held while a stage ran, models included.

It is what an allocator had to hand out: unlike the resident memory of a process it knows nothing
of libraries, of Python, or of memory that was freed and not given back. What one operation needs
for itself alone is not seen.
"""

from collections.abc import Iterable
import gc
import weakref

import torch

from refdiff_ros.stages import StageStack


class LiveTensors(StageStack):
    """A stage listener that is told of every tensor which an operation makes.

    It begins with the tensors that there are when it is made: the models, and what is kept.

    Args:
        numbered: tell the UNet's passes apart.

    Attributes:
        peaks: bytes by innermost stage, the most at any time in it.
        peak: the most at any time.
    """

    def __init__(self, numbered: bool = True):
        super().__init__(numbered)
        self._now = self.peak = 0
        self._known: set[int] = set()
        self.peaks: dict[str, int] = {}
        for tensor in _all_tensors():
            self._add(tensor)
        self._take()

    def enter(self, name: str) -> None:
        """A stage begins, with what earlier ones left."""
        super().enter(name)
        self._take()

    def made(self, tensors: Iterable[torch.Tensor]) -> None:
        """An operation gave these; what shares its memory with an older tensor is not new."""
        for tensor in tensors:
            self._add(tensor)
        self._take()

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known or storage.device.type == 'meta':  # shapes alone, as compilers keep
            return
        self._known.add(key)
        self._now += size
        # The storage's Python object lives as long as its memory.
        weakref.finalize(storage, self._freed, key, size).atexit = False

    def _take(self) -> None:
        self.peak = max(self.peak, self._now)
        self.peaks[self.label] = max(self.peaks.get(self.label, 0), self._now)

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def _all_tensors() -> list[torch.Tensor]:
    """Every tensor of this process that Python knows."""
    gc.collect()
    # `isinstance` would ask objects that stand for others, and wake them.
    return [found for found in gc.get_objects() if issubclass(type(found), torch.Tensor)]
