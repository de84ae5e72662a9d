"""What a JPEG or PNG says of itself, read before anything is decoded.

A few hundred bytes can claim billions of pixels, which a decoder then makes room for. So size and
wholeness come from the header, and what is too large or no JPEG or PNG is refused unread.
"""

from dataclasses import dataclass
import re

from refdiff_ros.errors import BadRequestError

# Most pixels of a picture that is decoded, unless a caller says otherwise.
MAX_MEGAPIXELS = 64.0
# A progressive JPEG has about ten scans. Each costs a pass over the whole picture.
_MAX_SCANS = 100
_JPEG, _PNG = b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'
# Start-of-frame markers; C4, C8 and CC between them mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
# Within a scan FF stands before 00 (a data byte), a restart, or another FF (padding).
_NEXT_MARKER = re.compile(rb'\xff+[^\x00\xd0-\xd7\xff]')


@dataclass(frozen=True)
class PictureHeader:
    """Kind and size of a picture.

    Attributes:
        kind: 'JPEG' or 'PNG'.
        width, height: pixels.
        channels: colour components as stored; 1 for grey, also for a PNG with a palette.
        bits: of a component.
        end: bytes up to the picture's end; what follows them is none of it. None for a picture
            without its end, which was cut off.
    """

    kind: str
    width: int
    height: int
    channels: int
    bits: int
    end: int | None


def read_header(data: bytes) -> PictureHeader:
    """The header of a JPEG or PNG.

    Raises:
        BadRequestError: the bytes begin no JPEG or PNG, or a JPEG has more scans than any real
            one.
    """
    if data.startswith(_JPEG):
        return _read_jpeg(data)
    if data.startswith(_PNG):
        return _read_png(data)
    raise BadRequestError(
        f'expected a JPEG or PNG image, got {len(data)} bytes that cannot be decoded as one (they '
        f'begin with {data[:8].hex(" ")!r}): convert the picture, or check the publisher')


def checked_header(data: bytes, max_megapixels: float = MAX_MEGAPIXELS) -> PictureHeader:
    """The header of a picture that is whole and not too large to be decoded.

    Raises:
        BadRequestError: as `read_header`; or the picture has more than `max_megapixels`, or
            lacks its end.
    """
    header = read_header(data)
    check_pixels(header.width, header.height, max_megapixels)
    if header.end is None:  # a decoder would fill the rest with grey and not say so
        raise BadRequestError(
            f'expected a whole {header.kind}, got {len(data)} bytes without its end: it was cut '
            'off on the way; check the network or the driver')
    return header


def check_pixels(width: int, height: int, max_megapixels: float = MAX_MEGAPIXELS) -> None:
    """Refuse a picture that claims more than `max_megapixels`.

    Raises:
        BadRequestError: it does.
    """
    if width * height > max_megapixels * 1e6:
        raise BadRequestError(
            f'expected a picture of at most {max_megapixels:g} megapixels, got one of '
            f'{width}x{height}: make it smaller, or raise max_input_megapixels')


def _read_jpeg(data: bytes) -> PictureHeader:
    width = height = channels = bits = scans = 0
    place, end = 2, None
    while marker := _NEXT_MARKER.search(data, place):
        code, place = data[marker.end() - 1], marker.end()
        if code == _END:
            end = place
            break
        if code in _FRAMES and not width and place + 8 <= len(data):
            bits, channels = data[place + 2], data[place + 7]
            height = int.from_bytes(data[place + 3:place + 5], 'big')
            width = int.from_bytes(data[place + 5:place + 7], 'big')
        scans += code == _SCAN
        if scans > _MAX_SCANS:
            raise BadRequestError(
                f'expected a JPEG of at most {_MAX_SCANS} scans, got more: it is made to keep a '
                'decoder busy')
        # A segment gives its own length. The data of a scan follow its segment without one.
        place += int.from_bytes(data[place:place + 2], 'big')
    if not width or not height:
        raise BadRequestError(f'expected a JPEG with its size, got {len(data)} bytes without one: '
                              'it was cut off or is damaged')
    return PictureHeader('JPEG', width, height, channels, bits, end)


# Colour types of PNG: grey, RGB, palette, grey with alpha, RGB with alpha.
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def _read_png(data: bytes) -> PictureHeader:
    if data[12:16] != b'IHDR' or len(data) < 26 or data[25] not in _PNG_CHANNELS:
        raise BadRequestError(f'expected a PNG with its size, got {len(data)} bytes without one: '
                              'it was cut off or is damaged')
    width, height = (int.from_bytes(data[at:at + 4], 'big') for at in (16, 20))
    place, end = len(_PNG), None
    while place + 12 <= len(data):
        kind = data[place + 4:place + 8]
        place += 12 + int.from_bytes(data[place:place + 4], 'big')
        if kind == b'IEND':
            end = place if place <= len(data) else None
            break
    return PictureHeader('PNG', width, height, _PNG_CHANNELS[data[25]], data[24], end)
