"""`sensor_msgs` images to NumPy arrays and back.

Sizes, row padding (`step`) and byte order are handled here; colours are converted by cv_bridge
where a ROS installation has a working one and by rosbags-image, which knows the same encodings,
elsewhere. What is read may be any object with the message's fields, so that bags are read without
ROS; what is made is a ROS message.

Letters: H W image height and width, C channels.
"""

import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
import logging
import sys
from typing import Literal, TYPE_CHECKING

import numpy as np

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.optional import require_package
from refdiff_ros.pictures.header import check_pixels, checked_header, MAX_MEGAPIXELS
from refdiff_ros.results import describe_array

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image
    from std_msgs.msg import Header

_LOG = logging.getLogger(__name__)

# Below it no model has anything to see, and several cannot run at all.
MIN_SIDE = 8
# Above it a message's declared size is taken for a mistake.
MAX_SIDE = 32768


@dataclass(frozen=True)
class Encoding:
    """How a pixel lies in memory: its type, its channels, and the name that converters know."""

    dtype: str
    channels: int
    name: str


def _encodings() -> dict[str, Encoding]:
    table = {}
    for bits, dtype in ((8, 'uint8'), (16, 'uint16')):
        for colour, channels in (('rgb', 3), ('bgr', 3), ('rgba', 4), ('bgra', 4), ('mono', 1)):
            table[f'{colour}{bits}'] = Encoding(dtype, channels, f'{colour}{bits}')
        for pattern in ('rggb', 'bggr', 'gbrg', 'grbg'):
            table[f'bayer_{pattern}{bits}'] = Encoding(dtype, 1, f'bayer_{pattern}{bits}')
    # The older names: cv_bridge knows no other, and both libraries know these.
    for name, alias in (('uyvy', 'yuv422'), ('yuv422', 'yuv422'),
                        ('yuyv', 'yuv422_yuy2'), ('yuv422_yuy2', 'yuv422_yuy2')):
        table[name] = Encoding('uint8', 2, alias)
    # OpenCV's own order, which is what a driver that says no more than this hands out.
    for name, alias, channels in (('8UC1', 'mono8', 1), ('8UC3', 'bgr8', 3), ('8UC4', 'bgra8', 4)):
        table[name] = Encoding('uint8', channels, alias)
    return table


COLOUR_ENCODINGS = _encodings()
DEPTH_ENCODINGS = {
    '16UC1': Encoding('uint16', 1, '16UC1'),
    'mono16': Encoding('uint16', 1, '16UC1'),
    '32FC1': Encoding('float32', 1, '32FC1'),
}


def rgb_from_image(msg: 'Image', max_megapixels: float = MAX_MEGAPIXELS) -> np.ndarray:
    """The picture in a raw image message.

    Args:
        msg: the message.
        max_megapixels: a larger picture is refused.

    Returns:
        (H, W, 3) uint8, red first; not writeable where it still is the message's own memory.

    Raises:
        BadRequestError: the encoding is no colour encoding, size, `step` and data disagree, or
            the picture is too large.
    """
    encoding = COLOUR_ENCODINGS.get(msg.encoding)
    if encoding is None:
        raise BadRequestError(_unknown_encoding(msg.encoding, depth=False))
    _check_sides(msg.height, msg.width)
    check_pixels(msg.width, msg.height, max_megapixels)
    return _to_rgb(_pixels(msg, encoding), encoding)


def depth_from_image(msg: 'Image') -> np.ndarray:
    """Metres in a depth message: 32FC1 is metres, 16UC1 and mono16 are millimetres (REP-118).

    Returns:
        (H, W) float32, 0 where there is no reading (also for NaN, infinities and negatives).

    Raises:
        BadRequestError: another encoding, size, `step` and data disagree, or no camera's unit.
    """
    encoding = DEPTH_ENCODINGS.get(msg.encoding)
    if encoding is None:
        raise BadRequestError(_unknown_encoding(msg.encoding, depth=True))
    return clean_depth(_pixels(msg, encoding))


def clean_depth(values: np.ndarray) -> np.ndarray:
    """(H, W) float32 metres from (H, W) uint16 millimetres or float metres; 0 is no reading.

    Raises:
        BadRequestError: the median reading is over 100 m, so the unit is not metres.
    """
    if values.dtype == np.uint16:
        return values.astype(np.float32) * np.float32(1e-3)
    good = np.isfinite(values) & (values > 0)
    depth_m = np.where(good, values, 0).astype(np.float32)
    if good.any() and np.median(depth_m[good]) > 100:
        raise BadRequestError(
            f'expected 32FC1 depth in metres (REP-118), got a median of '
            f'{np.median(depth_m[good]):.0f}: publish metres, or 16UC1 for millimetres')
    return depth_m


def rgb_from_compressed(
    msg: 'CompressedImage', max_megapixels: float = MAX_MEGAPIXELS,
) -> np.ndarray:
    """The picture in a JPEG or PNG message as (H, W, 3) uint8, red first.

    `format` may begin with the encoding that was compressed ('bayer_rggb8; jpeg compressed'): a
    colour filter's pixels are then in the picture as they were.

    Args:
        msg: the message.
        max_megapixels: a larger picture is refused before it is decoded.

    Raises:
        BadRequestError: the data are no whole JPEG or PNG, the picture is too large, or it is
            depth.
    """
    data = bytes(msg.data)
    header = checked_header(data, max_megapixels)
    _check_sides(header.height, header.width)
    source = msg.format.partition(';')[0].strip()
    if source in DEPTH_ENCODINGS and source not in COLOUR_ENCODINGS:
        raise BadRequestError(_unknown_encoding(source, depth=False))
    if source.startswith('bayer_') and header.channels == 1:
        mosaic = _decoded(data, msg.format, as_stored=True)
        name = source.rstrip('0123456789') + str(8 * mosaic.itemsize)
        if name not in COLOUR_ENCODINGS:
            raise BadRequestError(_unknown_encoding(name, depth=False))
        return _to_rgb(mosaic, COLOUR_ENCODINGS[name])
    return _decoded(data, msg.format)[:, :, ::-1].copy()


def _decoded(data: bytes, form: str, as_stored: bool = False) -> np.ndarray:
    """(H, W, 3) uint8, blue first; with `as_stored` the channels and type of the file."""
    cv2 = require_package('cv2', 'ros')
    # A camera's intrinsics belong to the rows as they come: EXIF must not turn them.
    flags = cv2.IMREAD_UNCHANGED if as_stored else (
        cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise BadRequestError(f'expected a JPEG or PNG image, but it cannot be decoded: {error}'
                              ) from error
    if picture is None:
        raise BadRequestError(
            f'expected a JPEG or PNG image, got {len(data)} bytes of format {form!r} '
            'that cannot be decoded: check the publisher, or set image_transport to raw')
    return picture


def image_message(pixels: np.ndarray, encoding: str, header: 'Header') -> 'Image':
    """An outgoing image.

    Args:
        pixels: (H, W) or (H, W, C), uint8, uint16 or float32, as `encoding` says.
        encoding: 'mono8', 'rgb8', '32FC1', ...
        header: the input image's header.
    """
    from sensor_msgs.msg import Image

    pixels = np.ascontiguousarray(pixels)
    msg = Image(header=header, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
                is_bigendian=int(sys.byteorder == 'big'),
                step=pixels.strides[0] if pixels.size else 0)
    # Assigning bytes has the setter check each one; an array of the right type is taken as it is.
    data = array.array('B')
    data.frombytes(pixels.data.cast('B') if pixels.size else b'')
    msg.data = data
    return msg


def mask_message(mask: np.ndarray, header: 'Header') -> 'Image':
    """A mask (H, W) bool as mono8, 0 or 255."""
    return image_message(mask.astype(np.uint8) * np.uint8(255), 'mono8', header)


def _pixels(msg: 'Image', encoding: Encoding) -> np.ndarray:
    """(H, W) or (H, W, C) in the machine's byte order, without row padding."""
    _check_sides(msg.height, msg.width)
    dtype = np.dtype(encoding.dtype)
    row_bytes = msg.width * encoding.channels * dtype.itemsize
    if msg.step < row_bytes:
        raise BadRequestError(
            f'expected step >= {row_bytes} bytes for {msg.width} pixels of {msg.encoding}, '
            f'got {msg.step}: the driver fills the message wrongly')
    data = np.frombuffer(msg.data, np.uint8)
    # The last row may come without its padding.
    if len(data) < msg.step * (msg.height - 1) + row_bytes:
        raise BadRequestError(
            f'expected {msg.step * msg.height} bytes for {msg.width}x{msg.height} {msg.encoding} '
            f'with step {msg.step}, got {len(data)}: the message was cut off')
    rows = np.lib.stride_tricks.as_strided(
        data, (msg.height, row_bytes), (msg.step, 1), writeable=False)
    order: Literal['<', '>'] = '>' if msg.is_bigendian else '<'
    values = np.ascontiguousarray(rows).view(dtype.newbyteorder(order))
    values = values.astype(dtype, copy=False)  # (H, W*C) in the machine's byte order
    if encoding.channels == 1:
        return values
    return values.reshape(msg.height, msg.width, encoding.channels)  # (H, W, C)


def _check_sides(height: int, width: int) -> None:
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise BadRequestError(
            f'expected an image of {MIN_SIDE}x{MIN_SIDE} to {MAX_SIDE}x{MAX_SIDE} pixels, '
            f'got {width}x{height} (width x height): check the camera driver')


def _unknown_encoding(encoding: str, depth: bool) -> str:
    known = sorted(DEPTH_ENCODINGS if depth else COLOUR_ENCODINGS)
    kind, other = ('depth', COLOUR_ENCODINGS) if depth else ('colour', DEPTH_ENCODINGS)
    mixed_up = '; this looks like the other kind of camera topic: check the remappings' \
        if encoding in other else ''
    return f'expected a {kind} image in one of {", ".join(known)}, got {encoding!r}{mixed_up}'


def _to_rgb(pixels: np.ndarray, encoding: Encoding) -> np.ndarray:
    """(H, W, 3) uint8 RGB from pixels of `encoding`."""
    if encoding.name == 'rgb8':
        return pixels
    if encoding.name.startswith('yuv422') and pixels.shape[1] % 2:
        raise BadRequestError(
            f'expected an even width, as two pixels of {encoding.name} share their colour, got '
            f'{pixels.shape[1]}: check the camera driver')
    try:
        return _converter(encoding)(pixels, encoding.name)
    except RefDiffError:
        raise
    except Exception as error:  # whatever a library raises for pixels that do not suit it
        raise BadRequestError(
            f'expected {encoding.name} pixels that can be turned into rgb8, got '
            f'{describe_array(pixels)}: {error}') from error


Convert = Callable[[np.ndarray, str], np.ndarray]


@cache
def _converter(encoding: Encoding) -> Convert:
    """(pixels, encoding's name) -> (H, W, 3) uint8 RGB, by whichever library can do it here."""
    return choose_converter(encoding, _cv_bridge(), _by_rosbags_image)


def choose_converter(encoding: Encoding, first: Convert | None, second: Convert) -> Convert:
    """`first`, unless it is None or fails for `encoding`; then `second`.

    What a library knows differs from version to version, so it is tried on a few pixels.
    """
    if first is None:
        return second
    shape = (2, 2, encoding.channels) if encoding.channels > 1 else (2, 2)
    try:
        first(np.zeros(shape, encoding.dtype), encoding.name)
    except Exception as error:  # of whatever type the library has for this
        _LOG.warning('colour conversion of %s by rosbags-image: cv_bridge cannot do it (%s)',
                     encoding.name, error)
        return second
    return first


@cache
def _cv_bridge() -> Convert | None:
    """cv_bridge's conversion, None where there is none that works."""
    try:
        from cv_bridge.boost.cv_bridge_boost import cvtColor2
        # Built against another NumPy it imports and then fails at the first array.
        cvtColor2(np.zeros((2, 2, 3), np.uint8), 'bgr8', 'rgb8')
    except ImportError as error:
        _LOG.info('colour conversion by rosbags-image (no cv_bridge: %s)', error)
        return None
    except Exception as error:  # whatever a binary mismatch raises
        _LOG.warning('colour conversion by rosbags-image: cv_bridge is installed but does not '
                     'work (%s)', error)
        return None
    return lambda pixels, encoding: cvtColor2(pixels, encoding, 'rgb8')


def _by_rosbags_image(pixels: np.ndarray, encoding: str) -> np.ndarray:
    return require_package('rosbags.image.image', 'ros').convert_color(pixels, encoding, 'rgb8')
