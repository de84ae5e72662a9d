"""Images of every common layout against arrays written down by hand."""

import array

import cv2
import numpy as np
from pytest import mark, raises
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from refdiff_ros.errors import BadRequestError
from refdiff_ros.ros import conversions
from refdiff_ros.ros.conversions import (
    depth_from_image,
    image_message,
    mask_message,
    rgb_from_compressed,
    rgb_from_image,
)

RED, GREEN, BLUE = (250, 10, 20), (15, 240, 25), (30, 40, 230)


def quadrants(height: int = 16, width: int = 24) -> np.ndarray:
    """(H, W, 3) uint8: red, green, blue and grey quarters."""
    rgb = np.full((height, width, 3), 128, np.uint8)
    rgb[:height // 2, :width // 2] = RED
    rgb[:height // 2, width // 2:] = GREEN
    rgb[height // 2:, :width // 2] = BLUE
    return rgb


def message(pixels: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False):
    """An Image with `padding` bytes of rubbish behind each row."""
    dtype = pixels.dtype.newbyteorder('>' if big_endian else '<')
    rows = pixels.astype(dtype).reshape(pixels.shape[0], -1).view(np.uint8)
    rubbish = np.full((rows.shape[0], padding), 77, np.uint8)
    data = array.array('B')
    data.frombytes(np.hstack([rows, rubbish]).tobytes())
    return Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
                 is_bigendian=int(big_endian), step=rows.shape[1] + padding, data=data)


def encoded(rgb: np.ndarray, encoding: str) -> np.ndarray:
    """The picture as a camera would send it."""
    wide = rgb.astype(np.uint16) * 257
    alpha = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    return {
        'rgb8': rgb, '8UC3': rgb[..., ::-1], 'bgr8': rgb[..., ::-1],
        'rgba8': np.dstack([rgb, alpha]), 'bgra8': np.dstack([rgb[..., ::-1], alpha]),
        '8UC4': np.dstack([rgb[..., ::-1], alpha]),
        'rgb16': wide, 'bgr16': wide[..., ::-1],
    }[encoding]


@mark.parametrize('padding', [0, 5])
@mark.parametrize('encoding', ['rgb8', 'bgr8', 'rgba8', 'bgra8', '8UC3', '8UC4'])
def test_eight_bit_colours_come_out_exactly(encoding, padding):
    rgb = quadrants()
    out = rgb_from_image(message(encoded(rgb, encoding), encoding, padding))
    np.testing.assert_array_equal(out, rgb)
    assert out.dtype == np.uint8


@mark.parametrize('big_endian', [False, True])
@mark.parametrize('encoding', ['rgb16', 'bgr16'])
def test_sixteen_bit_colours_are_scaled_in_either_byte_order(encoding, big_endian):
    rgb = quadrants()
    out = rgb_from_image(message(encoded(rgb, encoding), encoding, 6, big_endian))
    np.testing.assert_allclose(out, rgb, atol=1)


@mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_becomes_three_equal_channels(encoding):
    grey = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16)
    out = rgb_from_image(message(grey, encoding, 3))
    np.testing.assert_array_equal(out, np.dstack([grey] * 3))


def test_big_endian_mono16_uses_the_high_byte():
    grey = np.arange(16 * 16, dtype=np.uint16).reshape(16, 16) * 257
    out = rgb_from_image(message(grey, 'mono16', big_endian=True))
    np.testing.assert_allclose(out[..., 0], np.arange(256).reshape(16, 16), atol=1)


# Row 0 and row 1 of the colour filter, as the encoding's name spells it.
@mark.parametrize('bits', [8, 16])
@mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_give_the_right_colour(pattern, bits):
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:] = (200, 100, 40)
    mosaic = np.zeros((16, 16), np.uint8)
    for place, colour in enumerate(pattern):
        mosaic[place // 2::2, place % 2::2] = rgb[0, 0, 'rgb'.index(colour)]
    if bits == 16:
        mosaic = mosaic.astype(np.uint16) * 257
    out = rgb_from_image(message(mosaic, f'bayer_{pattern}{bits}'))
    np.testing.assert_allclose(out[4:-4, 4:-4], rgb[4:-4, 4:-4], atol=1)


@mark.parametrize('encoding', ['uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2'])
def test_yuv_is_grey_where_its_colour_is_neutral(encoding):
    luma, chroma = 100, 128
    pair = (chroma, luma) if encoding in ('uyvy', 'yuv422') else (luma, chroma)
    pixels = np.tile(np.array(pair, np.uint8), (16, 16, 1))
    out = rgb_from_image(message(pixels, encoding, 4))
    # Video range: 16..235 is black to white, so 100 is (100 - 16) * 255 / 219.
    np.testing.assert_allclose(out, 98, atol=2)


def test_last_row_may_come_without_its_padding():
    msg = message(quadrants(), 'rgb8', 5)
    msg.data = msg.data[:-5]
    np.testing.assert_array_equal(rgb_from_image(msg), quadrants())


@mark.parametrize(('change', 'words'), [
    ({'encoding': 'jpeg2000'}, "expected a colour image in one of .*, got 'jpeg2000'"),
    ({'encoding': '16UC1'}, 'check the remappings'),
    ({'step': 10}, 'expected step >= 72 bytes for 24 pixels of rgb8, got 10'),
    ({'width': 0}, 'expected an image of 8x8 to .*, got 0x16'),
    ({'width': 1, 'height': 1}, 'expected an image of 8x8 to .*, got 1x1'),
    ({'height': 17}, 'expected 1224 bytes .* got 1152: the message was cut off'),
    ({'height': 2**31}, 'check the camera driver'),
])
def test_unusable_images_are_refused_with_what_was_expected(change, words):
    msg = message(quadrants(), 'rgb8')
    for name, value in change.items():
        setattr(msg, name, value)
    with raises(BadRequestError, match=words):
        rgb_from_image(msg)


@mark.parametrize('encoding', ['16UC1', 'mono16'])
@mark.parametrize('big_endian', [False, True])
def test_millimetres_become_metres(encoding, big_endian):
    millimetres = np.full((16, 16), 1500, np.uint16)
    millimetres[0, 0] = 0
    depth_m = depth_from_image(message(millimetres, encoding, 2, big_endian))
    assert depth_m.dtype == np.float32
    assert depth_m[0, 0] == 0
    np.testing.assert_allclose(depth_m[1:], 1.5)


def test_readings_that_are_none_become_zero():
    depth = np.full((16, 16), 0.7, np.float32)
    depth[0, :4] = (np.nan, np.inf, -np.inf, -1.0)
    depth_m = depth_from_image(message(depth, '32FC1'))
    np.testing.assert_array_equal(depth_m[0, :4], 0)
    np.testing.assert_allclose(depth_m[1:], 0.7)


def test_float_depth_in_millimetres_is_refused():
    with raises(BadRequestError, match='metres .REP-118., got a median of 1500'):
        depth_from_image(message(np.full((16, 16), 1500, np.float32), '32FC1'))


def test_depth_in_a_colour_encoding_is_refused():
    with raises(BadRequestError, match='expected a depth image .* check the remappings'):
        depth_from_image(message(quadrants(), 'rgb8'))


def compressed(rgb: np.ndarray, extension: str) -> CompressedImage:
    """A CompressedImage."""
    ok, data = cv2.imencode(extension, rgb[..., ::-1])
    assert ok
    return CompressedImage(format=extension[1:], data=array.array('B', data.tobytes()))


def test_png_is_exact_and_jpeg_is_close():
    rgb = quadrants(64, 96)
    np.testing.assert_array_equal(rgb_from_compressed(compressed(rgb, '.png')), rgb)
    out = rgb_from_compressed(compressed(rgb, '.jpg'))
    # Away from the edges, where JPEG rings.
    np.testing.assert_allclose(out[8:24, 8:40].mean((0, 1)), RED, atol=6)


@mark.parametrize('extension', ['.jpg', '.png'])
def test_a_picture_that_was_cut_off_is_refused(extension):
    msg = compressed(quadrants(64, 96), extension)
    msg.data = msg.data[:len(msg.data) // 2]
    with raises(BadRequestError, match='cut off on the way'):
        rgb_from_compressed(msg)


@mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@mark.parametrize(('bits', 'extension'), [(8, '.jpg'), (8, '.png'), (16, '.png')])
def test_a_colour_filter_that_was_compressed_as_it_was(pattern, bits, extension):
    red = (220, 30, 30)
    mosaic = np.zeros((32, 48), np.uint8)
    for place, colour in enumerate(pattern):
        mosaic[place // 2::2, place % 2::2] = red['rgb'.index(colour)]
    values = mosaic if bits == 8 else mosaic.astype(np.uint16) * 257
    _, data = cv2.imencode(extension, values)
    name = extension[1:].replace('jpg', 'jpeg')
    msg = CompressedImage(format=f'bayer_{pattern}{bits}; {name} compressed ',
                          data=array.array('B', data.tobytes()))
    out = rgb_from_compressed(msg)
    assert out.shape == (32, 48, 3) and out.dtype == np.uint8
    np.testing.assert_allclose(out[8:24, 8:40].mean((0, 1)), red, atol=12)


def test_a_colour_filter_that_was_resolved_before_it_was_compressed():
    msg = compressed(quadrants(64, 96), '.png')
    msg.format = 'bayer_rggb8; png compressed bgr8'
    np.testing.assert_array_equal(rgb_from_compressed(msg), quadrants(64, 96))


def test_compressed_depth_on_the_topic_of_images_is_refused():
    _, data = cv2.imencode('.png', np.full((16, 16), 900, np.uint16))
    msg = CompressedImage(format='16UC1; png compressed', data=array.array('B', data.tobytes()))
    with raises(BadRequestError, match='looks like the other kind of camera topic'):
        rgb_from_compressed(msg)


@mark.parametrize('rubbish', [
    bytes(5000), b'\xff' * 5000, bytes(range(256)) * 20, b'\r\n--boundary'])
@mark.parametrize('extension', ['.jpg', '.png'])
def test_what_follows_a_whole_picture_is_left_alone(extension, rubbish):
    msg = compressed(quadrants(64, 96), extension)
    whole = rgb_from_compressed(msg)
    msg.data = array.array('B', bytes(msg.data) + rubbish)
    np.testing.assert_array_equal(rgb_from_compressed(msg), whole)


@mark.parametrize('extension', ['.bmp', '.tiff', '.webp'])
def test_other_formats_are_refused(extension):
    with raises(BadRequestError, match='expected a JPEG or PNG image'):
        rgb_from_compressed(compressed(quadrants(), extension))


def test_larger_images_than_the_limit_are_refused_raw_and_compressed():
    large = quadrants(200, 300)
    with raises(BadRequestError, match='at most 0.05 megapixels, got one of 300x200'):
        rgb_from_image(message(large, 'rgb8'), 0.05)
    with raises(BadRequestError, match='at most 0.05 megapixels, got one of 300x200'):
        rgb_from_compressed(compressed(large, '.png'), 0.05)
    assert rgb_from_image(message(large, 'rgb8'), 0.06).shape == large.shape


@mark.parametrize('data', [b'', b'no picture at all'])
def test_bytes_that_are_no_picture_are_refused(data):
    msg = CompressedImage(format='jpeg', data=array.array('B', data))
    with raises(BadRequestError, match='expected a JPEG or PNG image'):
        rgb_from_compressed(msg)


def test_masks_go_out_as_0_and_255_with_the_source_header():
    header = Header(frame_id='optical')
    mask = np.zeros((9, 11), bool)
    mask[2:4, 3:5] = True
    msg = mask_message(mask, header)
    assert (msg.encoding, msg.height, msg.width, msg.step) == ('mono8', 9, 11, 11)
    assert msg.header.frame_id == 'optical'
    assert sum(msg.data) == 4 * 255


def test_image_message_and_back():
    rgb = quadrants()
    msg = image_message(rgb[:, ::-1], 'rgb8', Header())  # not contiguous
    np.testing.assert_array_equal(rgb_from_image(msg), rgb[:, ::-1])


def test_without_cv_bridge_the_other_library_answers():
    # Neither this environment's wheels nor a pip-only workstation have cv_bridge; where it is
    # there, both must agree.
    rgb = quadrants()
    msg = image_message(rgb[..., ::-1], 'bgr8', Header())
    np.testing.assert_array_equal(rgb_from_image(msg), rgb)


def test_what_one_library_cannot_convert_the_other_does():
    def first(pixels, encoding):
        return pixels

    def second(pixels, encoding):
        raise RuntimeError(f'Unsupported conversion from [{encoding}] to [rgb8]')
    mono = conversions.COLOUR_ENCODINGS['mono8']
    assert conversions.choose_converter(mono, None, first) is first
    assert conversions.choose_converter(mono, second, first) is first
    assert conversions.choose_converter(mono, first, second) is first


@mark.parametrize('encoding', sorted(conversions.COLOUR_ENCODINGS))
@mark.parametrize('size', [(8, 8), (9, 11), (11, 9), (16, 13)])
def test_every_encoding_at_odd_sizes_is_converted_or_refused(encoding, size):
    known = conversions.COLOUR_ENCODINGS[encoding]
    shape = size if known.channels == 1 else (*size, known.channels)
    msg = message(np.full(shape, 77, known.dtype), encoding)
    if known.name.startswith('yuv422') and size[1] % 2:
        with raises(BadRequestError, match='expected an even width'):
            rgb_from_image(msg)
    else:
        out = rgb_from_image(msg)
        assert out.shape == (*size, 3) and out.dtype == np.uint8
