"""How the C library keeps the memory that a process has freed, and how Python looks for more."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
import ctypes
import gc
import os

# glibc's mallopt(3): at most so many heaps; what is larger than this comes straight from the
# kernel and goes back to it; so much may stay free at a heap's end. Measured with
# `bench/robustness/run.py --only soak`: without them an hour of answers makes the heaps grow, for
# each answer's buffers are laid into the gaps between small pieces that live longer. Of two heaps
# each keeps what an answer needs: with one the node has 10 % less (`bench/node_memory.py`).
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
_SETTINGS = {_ARENA_MAX: 1, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
# After so many new objects, and each time after so many searches of those that are younger.
_SELDOM = (5000, 20, 20)


def settle_heap() -> bool:
    """Have glibc keep one heap; to be called before a process starts threads.

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


@contextmanager
def seldom_searching() -> Iterator[None]:
    """Have Python search for cyclic garbage less often; for the import of the models' libraries.

    They are half a million objects. With this and `skip_last_search` the start and the end of a
    command take 6.7 s of a core, without them 8.1 (`python bench/start_and_end.py`).
    """
    before = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def skip_last_search() -> None:
    """Have Python end the process without a last search for cyclic garbage."""
    atexit.unregister(gc.freeze)  # once is enough
    atexit.register(gc.freeze)
