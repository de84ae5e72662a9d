import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.results import Camera, DirectionWord, Frame, ReferringExpression, Status

IMAGE = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize('image', [
    np.zeros((4, 6), np.uint8), np.zeros((4, 6, 4), np.uint8), np.zeros((4, 6, 3), np.float32),
    np.zeros((0, 6, 3), np.uint8), None])
def test_a_frame_refuses_anything_but_rgb(image):
    with pytest.raises(BadRequestError, match='expected an'):
        Frame(image)


def test_a_frame_refuses_depth_of_another_size_or_type():
    with pytest.raises(BadRequestError, match='register depth'):
        Frame(IMAGE, depth_m=np.zeros((6, 4), np.float32))
    with pytest.raises(BadRequestError, match='float32 metres, got uint16'):
        Frame(IMAGE, depth_m=np.zeros((4, 6), np.uint16))


def test_the_digest_is_of_the_picture_alone():
    changed = IMAGE.copy()
    changed[0, 0, 0] = 1
    assert Frame(IMAGE, stamp_ns=1).digest == Frame(IMAGE.copy(), stamp_ns=2).digest
    assert Frame(IMAGE).digest != Frame(changed).digest


@pytest.mark.parametrize('fx', [0.0, -1.0, float('nan'), float('inf')])
def test_a_camera_refuses_a_useless_focal_length(fx):
    with pytest.raises(BadRequestError, match='focal length fx > 0'):
        Camera(fx, 1.0, 0.0, 0.0, 6, 4)


def test_a_camera_refuses_an_empty_image():
    with pytest.raises(BadRequestError, match='at least 1x1, got 0x4'):
        Camera(1.0, 1.0, 0.0, 0.0, 0, 4)


def test_the_root_span_must_point_at_the_root():
    with pytest.raises(BadRequestError, match="point at 'mug'"):
        ReferringExpression('red mug', 'mug', (0, 3))


def test_root_directions_leave_out_words_about_other_objects():
    expression = ReferringExpression(
        'left cup next to the top plate', 'cup', (5, 8),
        directions=(DirectionWord('left', 'left', 'cup'), DirectionWord('left', 'left', 'cup'),
                    DirectionWord('top', 'top', 'plate', of_root=False)))
    assert expression.root_directions == ('left',)


def test_only_found_and_ambiguous_carry_a_mask():
    assert [status for status in Status if status.has_mask] == [Status.FOUND, Status.AMBIGUOUS]
