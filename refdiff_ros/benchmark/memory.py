"""The most memory that was in use while a stage ran.

On CUDA it is what torch's tensors held on the device, models included. On the CPU it is the
resident memory of the process, models and libraries included.
"""

from pathlib import Path

import torch

from refdiff_ros.models.memory import host_rss
from refdiff_ros.stages import OTHER, StageStack

_CLEAR = Path('/proc/self/clear_refs')


class PeakMemory(StageStack):
    """A stage listener: bytes per stage, the most at any time in it or in a stage within it.

    Args:
        device: where the models compute.
        numbered: tell the UNet's passes apart.

    Attributes:
        peaks: bytes by stage.
        reliable: False where the system cannot forget an earlier peak, so that `peaks` may be of
            something before.
    """

    def __init__(self, device: torch.device, numbered: bool = True):
        super().__init__(numbered)
        self._device = device
        self._most = 0
        self.peaks: dict[str, int] = {}
        self.reliable = device.type == 'cuda' or _forget_host_peak()
        self._forget()

    @property
    def peak(self) -> int:
        """The most at any time until now."""
        self._take()
        return self._most

    def enter(self, name: str) -> None:
        """A stage begins."""
        self._take()
        super().enter(name)

    def leave(self, name: str) -> None:
        """The innermost stage ends."""
        self._take()
        super().leave(name)

    def _take(self) -> None:
        if self._device.type == 'cuda':
            peak = torch.cuda.max_memory_allocated(self._device)
        else:
            peak = host_rss()[1]
        self._most = max(peak, self._most)
        inside = [label for label in self._labels if label != OTHER] or [OTHER]
        for label in inside:
            self.peaks[label] = max(peak, self.peaks.get(label, 0))
        self._forget()

    def _forget(self) -> None:
        if self._device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(self._device)
        elif self.reliable:
            _forget_host_peak()


def memory_now(device: torch.device) -> int:
    """Bytes in use now: torch's tensors on a CUDA device, else the process's resident memory."""
    if device.type == 'cuda':
        return torch.cuda.memory_allocated(device)
    return host_rss()[0]


def _forget_host_peak() -> bool:
    """Let the peak of resident memory begin anew; False where the system does not do that."""
    try:
        _CLEAR.write_text('5')  # see proc(5)
    except OSError:
        return False
    return True
