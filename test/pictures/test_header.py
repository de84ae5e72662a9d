"""Headers of JPEG and PNG against what Pillow and OpenCV write, and against bombs."""

import contextlib
import io
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
from PIL import Image
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.pictures.header import checked_header, PictureHeader, read_header

NOISE = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)


def saved(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def with_thumbnail(thumbnail: bytes) -> bytes:
    """A JPEG whose first segment holds a whole JPEG of another size, as cameras write it."""
    data = saved(Image.fromarray(NOISE), 'JPEG')
    segment = b'Exif\0\0' + thumbnail
    return data[:2] + b'\xff\xe1' + struct.pack('>H', len(segment) + 2) + segment + data[2:]


@pytest.mark.parametrize('data, channels', [
    (saved(Image.fromarray(NOISE), 'JPEG', quality=95), 3),
    (saved(Image.fromarray(NOISE), 'JPEG', progressive=True), 3),
    (saved(Image.fromarray(NOISE), 'JPEG', restart_marker_rows=1), 3),
    (saved(Image.fromarray(NOISE[..., 0]), 'JPEG'), 1),
    (saved(Image.fromarray(NOISE).convert('CMYK'), 'JPEG'), 4),
    (saved(Image.fromarray(NOISE), 'JPEG', comment=b'\xff\xd9' * 50), 3),
    (with_thumbnail(saved(Image.new('RGB', (8, 6)), 'JPEG')), 3),
    (cv2.imencode('.jpg', NOISE, [cv2.IMWRITE_JPEG_RST_INTERVAL, 3])[1].tobytes(), 3),
], ids=['plain', 'progressive', 'restarts', 'grey', 'cmyk', 'comment', 'thumbnail', 'opencv'])
def test_a_jpeg_of_any_kind(data, channels):
    expected = PictureHeader('JPEG', 80, 48, channels, 8, len(data))
    assert read_header(data) == expected
    assert read_header(data + bytes(3000) + data) == expected


@pytest.mark.parametrize('picture, channels, bits', [
    (Image.fromarray(NOISE), 3, 8), (Image.fromarray(NOISE[..., 0]), 1, 8),
    (Image.fromarray(NOISE).convert('RGBA'), 4, 8), (Image.fromarray(NOISE).convert('LA'), 2, 8),
    (Image.fromarray(NOISE).convert('P'), 1, 8), (Image.fromarray(NOISE).convert('1'), 1, 1),
    (Image.fromarray(NOISE[..., 0].astype(np.uint16)), 1, 16)])
def test_a_png_of_any_kind(picture, channels, bits):
    data = saved(picture, 'PNG')
    expected = PictureHeader('PNG', 80, 48, channels, bits, len(data))
    assert read_header(data) == expected
    assert read_header(data + b'rubbish' * 500) == expected


@pytest.mark.parametrize('form', ['JPEG', 'PNG'])
def test_every_place_at_which_a_picture_is_cut_off(form):
    data = saved(Image.fromarray(NOISE), form)
    for length in range(12, len(data) - 1):
        with pytest.raises(BadRequestError, match='cut off|cannot be decoded'):
            checked_header(data[:length])


def jpeg_bomb(width: int, height: int) -> bytes:
    """A whole small JPEG that claims another size."""
    data = bytearray(saved(Image.fromarray(NOISE), 'JPEG'))
    place = data.index(b'\xff\xc0')
    data[place + 5:place + 9] = struct.pack('>HH', height, width)
    return bytes(data)


def png_bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size and ends."""
    head = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    chunks = [head, b'IDAT' + zlib.compress(bytes(100)), b'IEND']
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', zlib.crc32(chunk))
        for chunk in chunks)


@pytest.mark.parametrize('data', [
    jpeg_bomb(32767, 32767), jpeg_bomb(20000, 20000), jpeg_bomb(65535, 65535),
    png_bomb(20000, 20000), png_bomb(2**31 - 1, 2**31 - 1)])
def test_a_picture_that_claims_too_much_is_refused_without_room_for_it(data):
    tracemalloc.start()
    with pytest.raises(BadRequestError, match='at most 64 megapixels, got one of'):
        checked_header(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_jpeg_of_very_many_scans_is_refused():
    data = saved(Image.fromarray(NOISE), 'JPEG')
    scan = data[data.index(b'\xff\xda'):-2]
    with pytest.raises(BadRequestError, match='at most 100 scans'):
        read_header(data[:-2] + scan * 200 + data[-2:])


def test_no_bytes_whatever_raise_anything_else():
    rng = np.random.default_rng(1)
    starts = [saved(Image.fromarray(NOISE), form) for form in ('JPEG', 'PNG')]
    for start in starts * 300:
        data = bytearray(start)
        for place in rng.integers(0, len(data), 40):
            data[place] = rng.integers(256)
        data = bytes(data[:rng.integers(1, len(data))])
        with contextlib.suppress(BadRequestError):
            checked_header(data)
