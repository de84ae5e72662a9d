"""Compressed parts of a bag, with a limit on what they become.

A few kilobytes can stand for more than any memory or disk holds.
"""

import bz2
from collections.abc import Callable
from pathlib import Path
import shutil
import tempfile
from typing import Any
import zlib

from refdiff_ros.errors import RefDiffError
from refdiff_ros.optional import require_package

# What one chunk or message may become: an image of 64 megapixels takes a quarter of it.
MAX_PART = 1 << 30
# A file may become so many times its size, as long as it fits on the disk; small ones this much.
_MAX_TIMES, _MAX_SMALL = 1000, 1 << 30
_PIECE = 1 << 20


class BagError(RefDiffError):
    """A bag cannot be read: missing, cut off, without its index, or of an unknown layout."""


class DamagedError(ValueError):
    """Bytes of a bag are not what they should be; who opened the bag says what to do."""


def expand(data: bytes, compression: str, limit: int = MAX_PART) -> bytes:
    """What `data` holds, compressed by '' (not at all), 'zstd', 'lz4' or 'bz2'.

    Raises:
        BagError: it becomes more than `limit` bytes, or the compression is another.
        DamagedError: its end is missing.
    """
    if compression in ('', 'none'):
        return data
    decompressor = _decompressor(compression)
    result = decompressor.decompress(data, max_length=limit + 1)
    if len(result) > limit:
        raise BagError(
            f'expected a part of a bag of at most {limit / 1e6:.0f} MB, got {len(data)} bytes of '
            f'{compression} that become more: record the topics that are needed alone')
    if not decompressor.eof:
        raise DamagedError(f'{len(data)} bytes of {compression} without their end')
    return result


def expand_chunk(data: bytes, compression: str, size: int, crc: int) -> bytes:
    """A chunk of an mcap file, of `size` bytes and with the check sum `crc` (0 for none).

    Raises:
        BagError, DamagedError: as `expand`, or size or check sum are others.
    """
    if size > MAX_PART:
        raise BagError(f'expected chunks of at most {MAX_PART / 1e6:.0f} MB, got one that says it '
                       f'becomes {size / 1e6:.0f} MB: record in smaller chunks')
    result = expand(data, compression, size)
    if len(result) != size or crc and zlib.crc32(result) != crc:
        raise DamagedError('a chunk of another size or check sum')
    return result


def check_file(path: Path) -> None:
    """Refuse a file of zstd that becomes very much more than it is, or than the disk has room for.

    Raises:
        BagError: it does.
    """
    size = path.stat().st_size
    room = shutil.disk_usage(tempfile.gettempdir()).free
    limit = min(max(_MAX_SMALL, _MAX_TIMES * size), room)
    zstd = _zstd()
    decompressor, total = zstd.ZstdDecompressor(), 0
    with path.open('rb') as file:
        while not decompressor.eof:
            piece = file.read(_PIECE) if decompressor.needs_input else b''
            if decompressor.needs_input and not piece:
                return  # cut off: whoever reads it says so
            total += len(decompressor.decompress(piece, max_length=16 * _PIECE))
            if total > limit:
                raise BagError(
                    f'expected a file that becomes at most {limit / 1e6:.0f} MB, got {path} of '
                    f'{size / 1e6:.1f} MB that becomes more: make room in '
                    f'{tempfile.gettempdir()}, or unpack it yourself')


def limited(compression: str) -> Callable[[bytes], bytes]:
    """`expand` for one kind of compression."""
    return lambda data: expand(data, compression)


def _decompressor(compression: str) -> Any:
    if compression == 'bz2':
        return bz2.BZ2Decompressor()
    if compression == 'lz4':
        return require_package('lz4.frame', 'bags').LZ4FrameDecompressor()
    if compression == 'zstd':
        return _zstd().ZstdDecompressor()
    raise BagError(f'expected a bag of zstd, lz4 or bz2, got one of {compression!r}')


def _zstd() -> Any:
    # The library that reads bags brings one of both.
    try:
        return require_package('compression.zstd', 'bags')
    except RefDiffError:
        return require_package('backports.zstd', 'bags')
