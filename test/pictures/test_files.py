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
