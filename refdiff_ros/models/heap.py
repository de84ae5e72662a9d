"""Freed memory is kept for the next answer.

glibc hands large pieces back to the system as soon as they are freed, and takes them anew a moment
later, a page at a time: of small models' answers on a CPU that is a tenth of the time.
"""

import os

from refdiff_ros.models.memory import c_function

# Parameters of glibc's mallopt (malloc.h), only together: either alone keeps the other small.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# So much that is free at the heap's end stays; larger pieces (the most that glibc takes) come from
# the system as before.
_KEPT_BYTES, _LARGEST_PIECE = 1 << 28, 1 << 25
# By these somebody else has decided.
_VARIABLES = ('MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_')


def keep_freed_memory() -> None:
    """From now on this process keeps up to 256 MB that it has freed, in pieces of up to 32 MB.

    `memory.trim_heap` still hands it back. Nothing changes with another C library, or where the
    environment sets these thresholds (`MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_THRESHOLD_`, or
    `GLIBC_TUNABLES` with `glibc.malloc`).
    """
    if any(name in os.environ for name in _VARIABLES) or (
            'glibc.malloc' in os.environ.get('GLIBC_TUNABLES', '')):
        return
    if mallopt := c_function('mallopt'):
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _LARGEST_PIECE)
