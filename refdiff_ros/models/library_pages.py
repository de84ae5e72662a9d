"""What loading left in memory of libraries that nothing runs.

Importing torch reads hundreds of megabytes of code: that of its accelerators on machines that have
none, and what runs once, at the import. A process keeps such pages until the whole system is short
of memory. They are copies of files: what is let go here and used after all is read again, mostly
from the system's own cache.
"""

from collections.abc import Iterator
import ctypes
from pathlib import Path
import re

_MAPS = Path('/proc/self/smaps')
_DONTNEED = 4  # MADV_DONTNEED of Linux
_MAPPING = re.compile(r'([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ +(/.*\.so[.0-9]*)$')


def release_library_pages() -> bool:
    """Let go of all pages of shared libraries that equal their files; takes 0.1 s.

    Returns:
        Whether the system could be asked: False on other systems than Linux.
    """
    if not _MAPS.exists():
        return False
    process = ctypes.PyDLL(None)
    advise = process.madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def release(library: int | None, size: int, data: int | None) -> int:
        for start, stop in _unchanged(_MAPS.read_text(encoding='utf-8', errors='replace')):
            advise(start, stop - start, _DONTNEED)
        return 1  # once, and not for each library

    # It is called under the lock of the loader: meanwhile no library can go and leave its
    # addresses to something else. `PyDLL` keeps Python's own lock as well, so that no import waits
    # for the loader.
    called = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    asked: int = process.dl_iterate_phdr(called(release), None)
    return asked > 0


def _unchanged(maps: str) -> Iterator[tuple[int, int]]:
    """Addresses of the mappings of libraries of which no page can or does differ from the file."""
    place = None
    for line in maps.splitlines():
        if line[:1].islower() or line[:1].isdigit():  # '7f00...-7f01... r-xp ...'
            found = _MAPPING.match(line)
            place = (int(found[1], 16), int(found[2], 16)) if (
                found and 'w' not in found[3]) else None
        elif place is not None and line.startswith('Anonymous:') and int(line.split()[1]) == 0:
            yield place
