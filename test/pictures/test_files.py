import struct

import numpy as np
from PIL import Image
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.pictures.files import read_camera, read_depth, read_image

# As the camera_calibration package writes it.
CALIBRATION = """\
image_width: 640
image_height: 480
camera_name: head
camera_matrix:
  rows: 3
  cols: 3
  data: [525.5, 0.0, 319.5, 0.0, 526.5, 239.5, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
"""

# As `ros2 topic echo --once /camera_info` prints it.
ECHOED = """\
header:
  stamp: {sec: 1, nanosec: 2}
  frame_id: camera_color_optical_frame
height: 480
width: 640
k:
- 525.5
- 0.0
- 319.5
- 0.0
- 526.5
- 239.5
- 0.0
- 0.0
- 1.0
---
"""


@pytest.mark.parametrize('mode, value, expected', [
    ('RGB', (10, 20, 30), (10, 20, 30)),
    ('RGBA', (10, 20, 30, 128), (10, 20, 30)),
    ('L', 77, (77, 77, 77)),
])
def test_pictures_of_any_mode_become_rgb(tmp_path, mode, value, expected):
    Image.new(mode, (5, 3), value).save(tmp_path / 'picture.png')
    image = read_image(tmp_path / 'picture.png')
    assert image.shape == (3, 5, 3)
    assert tuple(image[0, 0]) == expected


def test_a_picture_is_turned_upright_by_its_exif_orientation(tmp_path):
    picture = Image.new('RGB', (6, 2))
    exif = picture.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees
    picture.save(tmp_path / 'picture.jpg', exif=exif)
    assert read_image(tmp_path / 'picture.jpg').shape == (6, 2, 3)


def test_a_picture_of_a_data_set_stays_as_it_is_stored(tmp_path):
    pixels = np.zeros((2, 6, 3), np.uint8)
    pixels[:, :2] = 200
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[0x0112] = 3  # rotate by 180 degrees
    picture.save(tmp_path / 'picture.png', exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / 'picture.png', upright=False), pixels)
    np.testing.assert_array_equal(read_image(tmp_path / 'picture.png'), pixels[:, ::-1])


def test_grey_of_16_bits_keeps_its_high_byte(tmp_path):
    grey = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / 'grey.png')
    image = read_image(tmp_path / 'grey.png')
    np.testing.assert_array_equal(image[..., 1], np.arange(256).reshape(16, 16))


@pytest.mark.parametrize('form', ['BMP', 'GIF', 'TIFF', 'WEBP'])
def test_other_formats_are_told_to_be_converted(tmp_path, form):
    Image.new('RGB', (9, 9)).save(tmp_path / 'picture.png', format=form)
    with pytest.raises(BadRequestError, match='expected a JPEG or PNG image, .*convert'):
        read_image(tmp_path / 'picture.png')


@pytest.mark.parametrize('content', [b'', b'not a picture', None])
def test_no_picture_is_said_with_its_path(tmp_path, content):
    path = tmp_path / 'picture.png'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadRequestError, match='expected a picture at .*picture.png'):
        read_image(path)


def test_a_png_with_a_damaged_chunk_is_no_picture(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'image.png')
    head, *chunks = (tmp_path / 'image.png').read_bytes().split(b'IDAT')
    assert len(chunks) > 1
    (tmp_path / 'image.png').write_bytes(
        head + b'IDAT' + chunks[0] + b'\xd8\xcb,\xe9' + b'IDAT'.join(chunks[1:]))
    with pytest.raises(BadRequestError, match='expected a picture at .*image.png'):
        read_image(tmp_path / 'image.png')


def test_16_bit_depth_is_millimetres(tmp_path):
    Image.fromarray(np.array([[0, 1500]], np.uint16)).save(tmp_path / 'depth.png')
    np.testing.assert_allclose(read_depth(tmp_path / 'depth.png'), [[0.0, 1.5]])


def test_float_depth_is_metres(tmp_path):
    depth = np.array([[0.5, 1.5]], np.float32)
    Image.fromarray(depth).save(tmp_path / 'depth.tiff')
    np.save(tmp_path / 'depth.npy', depth.astype(np.float64))
    for name in ('depth.tiff', 'depth.npy'):
        read = read_depth(tmp_path / name)
        assert read.dtype == np.float32
        np.testing.assert_allclose(read, depth)


@pytest.mark.parametrize('order', ['<', '>'])
def test_depth_of_either_byte_order(tmp_path, order):
    # Two rows of a TIFF as ImageJ writes it: one strip behind the directory.
    values = np.array([[0, 1500], [700, 65535]], f'{order}u2')
    entries = [(256, 3, 2), (257, 3, 2), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 122),
               (277, 3, 1), (278, 3, 2), (279, 4, 8)]
    data = (b'II*\0' if order == '<' else b'MM\0*') + struct.pack(f'{order}I', 8)
    data += struct.pack(f'{order}H', len(entries))
    for tag, kind, value in entries:
        data += struct.pack(f'{order}HHI', tag, kind, 1) + (
            struct.pack(f'{order}HH', value, 0) if kind == 3 else struct.pack(f'{order}I', value))
    data += bytes(4)
    (tmp_path / 'depth.tif').write_bytes(data + values.tobytes())
    np.save(tmp_path / 'depth.npy', values)
    for name in ('depth.tif', 'depth.npy'):
        read = read_depth(tmp_path / name)
        assert read.dtype == np.float32 and read.dtype.isnative
        np.testing.assert_allclose(read, [[0, 1.5], [0.7, 65.535]], rtol=1e-6)


def hostile_array(shape: tuple[int, ...], descr: str = '<f4') -> bytes:
    """A .npy file that claims `shape` and holds nothing."""
    head = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head


@pytest.mark.parametrize('content', [
    hostile_array((10**6, 10**6)), hostile_array((2**62, 4)), hostile_array((2, 2), '|O'),
    hostile_array((-1, 4)), hostile_array((2, 2), 'no type'), b'PK\x03\x04' + bytes(40),
    b'\x93NUMPY\x09\x00', b'\x93NUMPY\x01\x00\xff\xff' + b'(' * 65535, b'', b'\x80\x04N.'])
def test_hostile_arrays_of_depth_are_refused(tmp_path, content):
    (tmp_path / 'depth.npy').write_bytes(content)
    with pytest.raises(BadRequestError, match='expected (a depth image|depth)'):
        read_depth(tmp_path / 'depth.npy')


def test_depth_beyond_the_limit_is_refused(tmp_path):
    depth = np.ones((200, 300), np.float32)
    np.save(tmp_path / 'depth.npy', depth)
    Image.fromarray(depth).save(tmp_path / 'depth.tiff')
    for name in ('depth.npy', 'depth.tiff'):
        with pytest.raises(BadRequestError, match='at most 0.05 megapixels'):
            read_depth(tmp_path / name, 0.05)


def test_colour_depth_is_refused(tmp_path):
    Image.new('RGB', (2, 2)).save(tmp_path / 'depth.png')
    with pytest.raises(BadRequestError, match=r'got \(2, 2, 3\) uint8'):
        read_depth(tmp_path / 'depth.png')


@pytest.mark.parametrize('text', [CALIBRATION, ECHOED])
def test_camera_from_both_layouts(tmp_path, text):
    (tmp_path / 'camera.yaml').write_text(text)
    camera = read_camera(tmp_path / 'camera.yaml')
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (525.5, 526.5, 319.5, 239.5)
    assert (camera.width, camera.height) == (640, 480)


@pytest.mark.parametrize('text, match', [
    ('', 'got no mapping'),
    ('width: [', 'camera_info YAML'),
    ('width: 640\nheight: 480\n', r'got \[.height., .width.\]'),
    (CALIBRATION.replace('525.5', '0.0'), 'expected a focal length fx > 0'),
    (CALIBRATION.replace('525.5', 'wide'), 'expected numbers'),
])
def test_a_useless_camera_file_says_why(tmp_path, text, match):
    (tmp_path / 'camera.yaml').write_text(text)
    with pytest.raises(BadRequestError, match=match):
        read_camera(tmp_path / 'camera.yaml')
