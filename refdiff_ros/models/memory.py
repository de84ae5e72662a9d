"""How much memory the models hold, and what to do when there is none left."""

from collections.abc import Mapping
import ctypes
from dataclasses import dataclass, field
import gc
from pathlib import Path
from typing import Any

import torch

from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.sizes import size_text

_OUT_OF_MEMORY = (
    'out of memory',
    "can't allocate memory",
    'not enough memory',
    'alloc_failed',  # CUBLAS_STATUS_ALLOC_FAILED, CUDNN_STATUS_ALLOC_FAILED
)


@dataclass(frozen=True)
class MemoryReport:
    """Memory in bytes; device values are 0 on the CPU.

    Attributes:
        host_rss: resident memory of this process now.
        host_peak_rss: the most it has been.
        device: where the models are ('cpu', 'cuda:0').
        device_allocated: held by tensors on the device.
        device_reserved: held by torch's allocator on the device, tensors included.
        device_peak: the most that tensors held since the process started.
        device_total: the device's memory.
        parameters: parameters and buffers of each model.
    """

    host_rss: int
    host_peak_rss: int
    device: str
    device_allocated: int = 0
    device_reserved: int = 0
    device_peak: int = 0
    device_total: int = 0
    parameters: Mapping[str, int] = field(default_factory=dict)

    @property
    def models_bytes(self) -> int:
        """All models' parameters and buffers together."""
        return sum(self.parameters.values())

    def __str__(self) -> str:
        models = ', '.join(f'{name} {size_text(size)}' for name, size in self.parameters.items())
        text = (f'models {size_text(self.models_bytes)} ({models}); process '
                f'{size_text(self.host_rss)}, at most {size_text(self.host_peak_rss)}')
        if self.device_total:
            text += (f'; {self.device} {size_text(self.device_allocated)} in tensors, '
                     f'{size_text(self.device_reserved)} reserved, at most '
                     f'{size_text(self.device_peak)}, of {size_text(self.device_total)}')
        return text


def report(models: ModelSet) -> MemoryReport:
    """What `models` and this process hold now."""
    rss, peak = host_rss()
    device = torch.device(models.device)
    values = {}
    if device.type == 'cuda':
        values = {
            'device_allocated': torch.cuda.memory_allocated(device),
            'device_reserved': torch.cuda.memory_reserved(device),
            'device_peak': torch.cuda.max_memory_allocated(device),
            'device_total': torch.cuda.get_device_properties(device).total_memory,
        }
    return MemoryReport(
        host_rss=rss, host_peak_rss=peak, device=str(device),
        parameters={name: module_bytes(module) for name, module in modules(models).items()},
        **values)


def modules(models: ModelSet) -> dict[str, torch.nn.Module]:
    """The torch modules of a loaded bundle by name; those that it lacks are left out."""
    found: dict[str, Any] = {}
    if models.diffusion is not None:
        found.update(vae=models.diffusion.vae, unet=models.diffusion.unet,
                     text_encoder=models.diffusion.text_encoder)
    if models.clip is not None:
        found['clip'] = models.clip.model
    found['sam'] = models.sam
    return {name: module for name, module in found.items() if module is not None}


def parameter_bytes(models: ModelSet) -> int:
    """Bytes of all models that are loaded."""
    return sum(module_bytes(module) for module in modules(models).values())


def module_bytes(module: torch.nn.Module) -> int:
    """Bytes in a module's parameters and buffers, shared ones counted once."""
    tensors = {id(t): t for t in (*module.parameters(), *module.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device or the host had no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)


def free_caches() -> None:
    """Collect garbage, and hand unused memory of the device and the host back.

    Call it after the `except` block has ended: until then the error's traceback keeps the
    tensors of the failed call alive.
    """
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    trim_heap()


def trim_heap() -> None:
    """Have the C library give back what was freed; takes milliseconds.

    glibc keeps gigabytes of models otherwise, and of answers more from hour to hour: each lays its
    large buffers into the gaps between small pieces that live longer.
    """
    if trim := c_function('malloc_trim'):
        trim(0)


def c_function(name: str) -> Any:
    """A function of the C library; None where it is another one than glibc and lacks it."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):
        return None


def anonymous_bytes() -> int | None:
    """Memory of this process that no file stands behind; None where the system does not say."""
    try:
        lines = Path('/proc/self/smaps_rollup').read_text(encoding='ascii').splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines
                 if line.startswith('Anonymous:')), None)


def host_rss() -> tuple[int, int]:
    """Resident memory now and at most, in bytes."""
    status = Path('/proc/self/status')
    if status.exists():
        lines = dict(line.split(':', 1) for line in status.read_text().splitlines()
                     if ':' in line)
        now, most = (int(lines[key].split()[0]) * 1024 for key in ('VmRSS', 'VmHWM'))
        return now, most
    import resource  # not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak, peak
