"""Intrinsics and lens from camera_info, whole, binned, cropped and wrong."""

import logging
from types import SimpleNamespace

from bag_files import image, info, stamp, write_bag
import numpy as np
from pytest import approx, mark, raises
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.frames import read_frames
from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
from refdiff_ros.evaluation.bags.reading import Bag
from refdiff_ros.pictures.camera_info import camera_from_info
from refdiff_ros.pictures.files import read_camera
from refdiff_ros.results import Lens

K = [500.0, 0.0, 330.0, 0.0, 502.0, 250.0, 0.0, 0.0, 1.0]
P = [400.0, 0.0, 300.0, 0.0, 0.0, 401.0, 200.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def message(**changes) -> CameraInfo:
    return CameraInfo(**{
        'height': 480, 'width': 640, 'k': K, 'p': P, 'distortion_model': 'plumb_bob', **changes})


def values(camera):
    return camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height


def test_the_matrix_of_the_image_as_it_comes_and_of_a_rectified_one():
    assert values(camera_from_info(message())) == (500, 502, 330, 250, 640, 480)
    assert values(camera_from_info(message(), rectified=True)) == (400, 401, 300, 200, 640, 480)
    assert values(camera_from_info(message(p=[0.0] * 12), rectified=True))[:2] == (500, 502)


def test_zero_focal_length_is_refused():
    with raises(BadRequestError, match='focal length fx > 0'):
        camera_from_info(CameraInfo(height=480, width=640))


@mark.parametrize(('model', 'd', 'lens'), [
    ('plumb_bob', [0.0] * 5, None), ('', [], None), ('unknown', [0.0] * 4, None),
    ('plumb_bob', [-0.3, 0.1], Lens('plumb_bob', (-0.3, 0.1, 0.0, 0.0))),
    ('plumb_bob', [-0.3, 0.1, 0.0, 0.0, 0.2], Lens('plumb_bob', (-0.3, 0.1, 0.0, 0.0, 0.2))),
    ('rational_polynomial', [0.1] * 8, Lens('rational_polynomial', (0.1,) * 8)),
    # No pinhole, even so.
    ('equidistant', [0.0] * 4, Lens('equidistant', (0.0,) * 4)),
])
def test_the_lens_by_its_model_and_none_in_a_rectified_image(model, d, lens):
    assert camera_from_info(message(distortion_model=model, d=d)).lens == lens
    assert camera_from_info(message(distortion_model=model, d=d), rectified=True).lens is None


@mark.parametrize(('changes', 'words'), [
    ({'distortion_model': 'fov', 'd': [0.9]}, "distortion_model of plumb_bob.*got 'fov'.*rectify"),
    ({'distortion_model': '', 'd': [0.1, 0.2]}, "got ''"),
    ({'d': [0.1, 0.2, 0.3]}, '2 or 4 or 5 finite coefficients of plumb_bob'),
    ({'distortion_model': 'equidistant', 'd': [0.1] * 5}, '4 finite coefficients'),
    ({'d': [0.1, float('nan'), 0.0, 0.0]}, 'finite numbers in d'),
    ({'k': [float('inf')] * 9}, '9 finite numbers in k'),
])
def test_a_lens_that_cannot_be_used_is_refused(changes, words):
    with raises(BadRequestError, match=words):
        camera_from_info(message(**changes))


def region(**changes) -> RegionOfInterest:
    return RegionOfInterest(**changes)


@mark.parametrize(('changes', 'size_hw', 'expected'), [
    # By the message's definition: K of the full sensor.
    ({'binning_x': 2, 'binning_y': 2}, (240, 320), (250, 251, 165, 125, 320, 240)),
    ({'binning_x': 2, 'binning_y': 1}, (480, 320), (250, 502, 165, 250, 320, 480)),
    ({'roi': region(x_offset=100, y_offset=60, width=400, height=300)}, (300, 400),
     (500, 502, 230, 190, 400, 300)),
    ({'roi': region(x_offset=100, y_offset=60, width=400, height=300), 'binning_x': 2,
      'binning_y': 2}, (150, 200), (250, 251, 115, 95, 200, 150)),
    ({'width': 641, 'binning_x': 2, 'binning_y': 2}, (240, 321), (250, 251, 165, 125, 321, 240)),
    # As some drivers do: K of the picture, whose size is the message's.
    ({'binning_x': 2, 'binning_y': 2}, (480, 640), (500, 502, 330, 250, 640, 480)),
    ({'roi': region(x_offset=9, y_offset=9, width=640, height=480)}, (480, 640),
     (500, 502, 330, 250, 640, 480)),
    ({'binning_x': 1, 'binning_y': 1}, (480, 640), (500, 502, 330, 250, 640, 480)),
])
def test_a_binned_or_cropped_image(changes, size_hw, expected):
    camera = camera_from_info(message(**changes), size_hw=size_hw)
    assert values(camera) == approx(expected)


def test_another_size_says_what_binning_and_roi_leave():
    with raises(BadRequestError, match=r'for 100x90 pixels, got 640x480: remap camera_info'):
        camera_from_info(message(), size_hw=(90, 100))
    with raises(BadRequestError, match='640x480 of which binning and roi leave 320x240'):
        camera_from_info(message(binning_x=2, binning_y=2), size_hw=(90, 100))


def test_capital_letters_of_ros_1():
    ros1 = SimpleNamespace(
        height=480, width=640, K=K, D=[-0.3, 0.1], P=P, distortion_model='plumb_bob')
    camera = camera_from_info(ros1)
    assert values(camera)[:2] == (500, 502) and camera.lens.coefficients[:2] == (-0.3, 0.1)


# As the camera_calibration package writes it.
CALIBRATION = """\
image_width: 640
image_height: 480
camera_name: head
camera_matrix: {rows: 3, cols: 3, data: [500, 0, 330, 0, 502, 250, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.3, 0.1, 0.001, 0.002, 0]}
projection_matrix: {rows: 3, cols: 4, data: [400, 0, 300, 0, 0, 401, 200, 0, 0, 0, 1, 0]}
"""
# As `ros2 topic echo --once` prints it.
ECHOED = """\
height: 480
width: 640
distortion_model: rational_polynomial
d: [0.5, -2.5, 0.0, 0.0, 1.4, 0.4, -2.3, 1.3]
k: [500, 0, 330, 0, 502, 250, 0, 0, 1]
p: [400, 0, 300, 0, 0, 401, 200, 0, 0, 0, 1, 0]
binning_x: 2
binning_y: 2
roi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}
---
"""


def test_a_file_has_lens_projection_and_binning_too(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(CALIBRATION)
    assert read_camera(path).lens == Lens('plumb_bob', (-0.3, 0.1, 0.001, 0.002, 0.0))
    assert values(read_camera(path, rectified=True)) == (400, 401, 300, 200, 640, 480)
    path.write_text(ECHOED)
    camera = read_camera(path, size_hw=(240, 320))
    assert values(camera) == (250, 251, 165, 125, 320, 240)
    assert camera.lens.model == 'rational_polynomial'


def test_intrinsics_of_a_bag_that_are_zero_cost_no_picture(tmp_path, caplog):
    pixels = np.full((24, 32, 3), 90, np.uint8)
    bag = write_bag(tmp_path, 'mcap', [
        info('/info', stamp(0), 0.0, (24, 32)),
        *(image('/image', stamp(k), pixels, 'rgb8') for k in range(3))])
    with caplog.at_level(logging.WARNING), Bag(bag) as opened:
        index = index_bag(opened, Topics(('/image',), '', '/info'))
        frames = [recorded.frame for recorded in read_frames(opened, index, index.pictures)]
    assert len(frames) == 3 and all(frame.camera is None for frame in frames)
    notes = [record.getMessage() for record in caplog.records]
    assert len(notes) == 1 and 'camera_info is left out' in notes[0]
