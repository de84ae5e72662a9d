"""What loading left in memory of libraries that nothing runs.

Importing torch reads hundreds of megabytes of code: that of its accelerators on machines that have
none, and what runs once, at the import. A process keeps such pages until the whole system is short
of memory. They are copies of files: what is let go here and used after all is read again, mostly
from the system's own cache.

CUDA's libraries unpack tables besides, 84 MB of them, as soon as they are loaded. No file holds
these, so on a machine without such a device they are written to one that has no name and goes with
the process; from then on they are copies of a file, too.
"""

from collections.abc import Callable, Iterator
import ctypes
import logging
import mmap
from pathlib import Path
import re
import tempfile

import torch

_LOG = logging.getLogger(__name__)
_MAPS = Path('/proc/self/smaps')
_DONTNEED, _FIXED = 4, 0x10  # MADV_DONTNEED, MAP_FIXED of Linux
_MAPPING = re.compile(r'([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ +(/.*\.so[.0-9]*)$')
# Of the tables: whose, from what size on, and a folder on a disk (/tmp is often in memory again).
_OF_CUDA = re.compile(r'.*/nvidia/.*/libcu[^/]*')
_LEAST_BYTES = 8 << 20
_SPILL_FOLDER = Path('/var/tmp')
_LOADED, _READ_AND_WRITTEN = 1, 6  # PT_LOAD, PF_R | PF_W


class _Segment(ctypes.Structure):
    """Elf64_Phdr."""

    _fields_ = (
        ('type', ctypes.c_uint32), ('flags', ctypes.c_uint32), ('offset', ctypes.c_uint64),
        ('address', ctypes.c_uint64), ('physical', ctypes.c_uint64), ('in_file', ctypes.c_uint64),
        ('in_memory', ctypes.c_uint64), ('align', ctypes.c_uint64))


class _Library(ctypes.Structure):
    """The first fields of dl_phdr_info."""

    _fields_ = (('base', ctypes.c_uint64), ('name', ctypes.c_char_p),
                ('segments', ctypes.POINTER(_Segment)), ('count', ctypes.c_uint16))


def release_library_pages() -> bool:
    """Let go of all pages of shared libraries that equal their files; takes 0.1 s.

    Where CUDA is not available, the tables of its libraries become such pages first (84 MB are
    written to /var/tmp). Where no file can be had for them they stay.

    Returns:
        Whether the system told what lies where: other systems than Linux do not.
    """
    if not _MAPS.exists():
        return False
    process = ctypes.PyDLL(None)

    def spill(library: _Library) -> int:
        if _OF_CUDA.fullmatch((library.name or b'').decode(errors='replace')):
            for start, stop in _tables(library):
                _spill(process, start, stop)
        return 0

    def release(library: _Library) -> int:
        try:
            maps = _MAPS.read_text(encoding='utf-8', errors='replace')
        except OSError:  # it may be there and closed to this process
            return -1
        for start, stop in _unchanged(maps):
            process.madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), _DONTNEED)
        return 1  # once, and not for each library

    if not torch.cuda.is_available():
        _each_library(process, spill)
    return _each_library(process, release) > 0


def _each_library(process: ctypes.CDLL, visit: Callable[[_Library], int]) -> int:
    """`visit` libraries until it returns another value than 0, which is the answer.

    It runs under the lock of the loader: meanwhile no library can go and leave its addresses to
    something else. `PyDLL` keeps Python's own lock as well, so that no import waits for the
    loader.
    """
    called = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.c_void_p)
    answer: int = process.dl_iterate_phdr(
        called(lambda library, size, data: visit(library.contents)), None)
    return answer


def _tables(library: _Library) -> Iterator[tuple[int, int]]:
    """Addresses of a library's large variables that no file gives a value (.bss), whole pages."""
    page = mmap.PAGESIZE
    for segment in library.segments[:library.count]:
        if segment.type == _LOADED and segment.flags == _READ_AND_WRITTEN:
            start = library.base + segment.address + segment.in_file
            stop = library.base + segment.address + segment.in_memory
            start, stop = -(-start // page) * page, stop // page * page
            if stop - start >= _LEAST_BYTES:
                yield start, stop


def _spill(process: ctypes.CDLL, start: int, stop: int) -> None:
    """Put a file with the same content in the place of memory that nobody writes to meanwhile."""
    size = stop - start
    try:
        with tempfile.TemporaryFile(dir=_SPILL_FOLDER, buffering=0) as file:
            written = file.write((ctypes.c_char * size).from_address(start))
            if written != size:
                raise OSError(f'{written} of {size} bytes could be written')
            process.mmap(
                ctypes.c_void_p(start), ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_WRITE,
                mmap.MAP_PRIVATE | _FIXED, file.fileno(), ctypes.c_long(0))
    except OSError as error:
        _LOG.debug('tables of CUDA stay in memory: %s', error)


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
