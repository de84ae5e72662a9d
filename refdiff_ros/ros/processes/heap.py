"""How the C library keeps the memory that a process has freed, and how Python looks for more."""

import atexit
import ctypes
import gc
import os

# glibc's mallopt(3): at most so many heaps; what is larger than this comes straight from the
# kernel and goes back to it; so much may stay free at a heap's end. Measured with
# `bench/robustness/run.py --only soak`: without them an hour of answers makes the heaps grow, for
# each answer's buffers are laid into the gaps between small pieces that live longer.
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
_SETTINGS = {_ARENA_MAX: 2, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
# After so many new objects, and each time after so many searches of those that are younger.
_COLLECTOR = (5000, 20, 20)


def settle_heap() -> bool:
    """Have glibc keep few heaps; to be called before a process starts threads.

    Who has set one of `MALLOC_ARENA_MAX`, `MALLOC_MMAP_THRESHOLD_`, `MALLOC_TRIM_THRESHOLD_` or
    `GLIBC_TUNABLES` knows better: nothing is changed then.

    Returns:
        Whether it was done; False too where the C library is another one.
    """
    if any(name.startswith('MALLOC_') or name == 'GLIBC_TUNABLES' for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another C library
        return False
    done = [mallopt(parameter, value) == 1 for parameter, value in _SETTINGS.items()]
    return all(done)


def settle_collector() -> None:
    """Have Python search for cyclic garbage less often, and not when the process ends.

    For a process of this package's own; to be called before the models' libraries are imported.
    They are half a million objects: with Python's own settings a start and an end of a command
    take 8.4 s of a core, with these 6.1 (`python bench/start_and_end.py`).
    """
    gc.set_threshold(*_COLLECTOR)
    atexit.unregister(gc.freeze)  # once is enough
    atexit.register(gc.freeze)
