"""Which depth and camera_info belong to which image."""

import numpy as np
from pytest import approx, mark
from ros_graph import camera_info, image
from sensor_msgs.msg import CompressedImage, Image

from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.decoding import decode
from refdiff_ros.ros.frame_sync import FrameSync

TOLERANCE_S = 0.02


def depth(stamp: float, height: int = 96, width: int = 128, metres: float = 0.5) -> Image:
    """A flat depth image."""
    return image_message(np.full((height, width), metres, np.float32), '32FC1',
                         image(stamp=stamp).header)


def stamp_s(msg) -> float:
    return msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9


def fed(*messages) -> FrameSync:
    """A sync with messages (kind, message, second of receipt)."""
    sync = FrameSync()
    for kind, msg, second in messages:
        getattr(sync, f'add_{kind}')(msg, int(second * 1e9), second)
    return sync


def test_nothing_before_the_first_image():
    sync = fed(('depth', depth(1.0), 1.0), ('camera_info', camera_info(stamp=1.0), 1.0))
    assert sync.newest(TOLERANCE_S) is None


def test_depth_within_the_tolerance_belongs_to_the_image():
    found = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.015), 1.0)).newest(
        TOLERANCE_S)
    assert stamp_s(found.depth) == approx(10.015)
    assert found.depth_problem == ''


def test_depth_outside_the_tolerance_is_reported_and_the_image_stays():
    found = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.5), 1.0)).newest(TOLERANCE_S)
    assert found.depth is None
    assert 'within 20 ms' in found.depth_problem
    assert '+500.0 ms away' in found.depth_problem
    assert stamp_s(found.image) == approx(10.0)


def test_the_image_whose_depth_is_there_is_preferred_to_one_a_moment_newer():
    sync = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.0), 1.01),
               ('image', image(stamp=10.033), 1.033))
    assert stamp_s(sync.newest(TOLERANCE_S).image) == approx(10.0)
    # Once its depth has come too, the newer image is the one.
    sync.add_depth(depth(10.033), 0, 1.05)
    assert stamp_s(sync.newest(TOLERANCE_S).image) == approx(10.033)


def test_depth_that_comes_after_its_image_is_waited_for():
    sync = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.0), 1.005),
               ('image', image(stamp=11.0), 2.0))
    assert sync.depth_due_s(TOLERANCE_S, 2.001) == approx(0.199)
    assert sync.depth_due_s(TOLERANCE_S, 2.3) == 0
    sync.add_depth(depth(11.0), 0, 2.005)
    assert sync.depth_due_s(TOLERANCE_S, 2.006) == 0
    assert stamp_s(sync.newest(TOLERANCE_S).depth) == approx(11.0)


def test_depth_is_not_waited_for_where_it_never_fitted_or_an_image_with_it_is_at_hand():
    never = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.5), 1.0),
                ('image', image(stamp=11.0), 2.0))
    assert never.depth_due_s(TOLERANCE_S, 2.0) == 0
    fast = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.0), 1.01),
               ('image', image(stamp=10.033), 1.033))
    assert fast.depth_due_s(TOLERANCE_S, 1.034) == 0
    assert fed(('image', image(stamp=10.0), 1.0)).depth_due_s(TOLERANCE_S, 1.0) == 0


def test_depth_that_stopped_does_not_hold_images_back():
    sync = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.0), 1.0),
               ('image', image(stamp=11.0), 2.0))
    assert stamp_s(sync.newest(TOLERANCE_S).image) == approx(11.0)
    assert sync.newest(TOLERANCE_S).depth is None


def test_where_depth_was_lost_the_image_before_is_taken():
    sync = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.0), 1.0),
               ('image', image(stamp=10.4), 1.4))
    assert sync.newest(TOLERANCE_S, 1.5).depth is None  # it may still come
    lost = sync.newest(TOLERANCE_S, 1.61)
    assert stamp_s(lost.image) == stamp_s(lost.depth) == approx(10.0)
    assert lost.depth_problem == ''
    sync.add_image(image(stamp=10.8), 0, 1.8)
    assert sync.newest(TOLERANCE_S, 2.1).depth is None  # it comes no more


def test_without_any_depth_topic_nothing_is_wrong():
    found = fed(('image', image(stamp=10.0), 1.0)).newest(TOLERANCE_S)
    assert (found.depth, found.depth_problem, found.notes) == (None, '', ())


def test_stamps_that_jump_back_drop_what_was_stamped_later():
    sync = fed(('image', image(stamp=100.0), 1.0), ('depth', depth(100.0), 1.0),
               ('image', image(stamp=5.0), 1.03))
    found = sync.newest(TOLERANCE_S)
    # Not the image of second 100, although its depth is there and it came only 30 ms before.
    assert stamp_s(found.image) == approx(5.0)
    sync.add_depth(depth(5.0), 0, 1.04)
    assert stamp_s(sync.newest(TOLERANCE_S).depth) == approx(5.0)


def test_a_camera_info_sent_once_is_used_and_noted():
    sync = fed(('camera_info', camera_info(stamp=1.0), 0.5), ('image', image(stamp=61.0), 60.0))
    found = sync.newest(TOLERANCE_S)
    assert found.camera_info.k[0] == 100
    assert '-60.0 s away' in found.notes[0]


def test_image_numbers_count_up():
    sync = fed(('image', image(stamp=1.0), 1.0), ('image', image(stamp=2.0), 2.0))
    assert sync.newest(TOLERANCE_S).number == sync.images_received == 2
    sync.clear()
    assert sync.newest(TOLERANCE_S) is None
    sync.add_image(image(stamp=3.0), 0, 3.0)
    assert sync.newest(TOLERANCE_S).number == 3


def decoded(depth_msg=None, camera_msg=None):
    messages = [('image', image(stamp=1.0), 1.0)]
    messages += [('depth', depth_msg, 1.0)] if depth_msg else []
    messages += [('camera_info', camera_msg, 1.0)] if camera_msg else []
    return decode(fed(*messages).newest(TOLERANCE_S))


def test_a_whole_frame_decodes():
    result = decoded(depth(1.0), camera_info(stamp=1.0))
    assert result.frame.size_hw == (96, 128)
    assert result.frame.depth_m[0, 0] == approx(0.5)
    assert result.frame.camera.fx == 100
    assert result.frame.stamp_ns == 1_000_000_000
    assert result.frame.frame_id == 'camera_optical'
    assert (result.depth_problem, result.camera_problem) == ('', '')


def test_depth_of_another_size_costs_only_the_depth():
    result = decoded(depth(1.0, 48, 64), camera_info(stamp=1.0))
    assert result.frame.depth_m is None
    assert 'size 128x96, got 64x48' in result.depth_problem
    assert result.frame.camera is not None


def test_depth_in_another_unit_costs_only_the_depth():
    result = decoded(depth(1.0, metres=900.0))
    assert result.frame.depth_m is None
    assert 'metres' in result.depth_problem


def test_zero_focal_length_costs_only_the_camera():
    result = decoded(depth(1.0), camera_info(stamp=1.0, fx=0.0))
    assert result.frame.camera is None
    assert 'focal length' in result.camera_problem
    assert result.frame.depth_m is not None


def test_camera_info_of_another_size_costs_only_the_camera():
    result = decoded(camera_msg=camera_info(480, 640, stamp=1.0))
    assert result.frame.camera is None
    assert 'camera_info for 128x96 pixels, got 640x480' in result.camera_problem


def test_empty_optional_messages_count_as_absent():
    frame_set = fed(('image', image(stamp=1.0), 1.0)).newest(TOLERANCE_S)
    assert not isinstance(frame_set.image, CompressedImage)
    result = decode(type(frame_set)(frame_set.image, Image(), type(camera_info())()))
    assert (result.depth_problem, result.camera_problem) == ('', '')


@mark.parametrize('second', [0, 77.0])
def test_of_equal_stamps_the_depth_that_came_with_the_image_is_taken(second):
    messages = []
    for k in range(4):
        messages += [('depth', still(depth(1.0, metres=0.5 + k), second), 1 + k / 30),
                     ('image', still(image(), second), 1.005 + k / 30)]
    found = fed(*messages).newest(TOLERANCE_S)
    assert decode(found).frame.depth_m[0, 0] == approx(3.5)
    assert any('again and again' in note and 'came within 5 ms' in note for note in found.notes)


@mark.parametrize('second', [0, 77.0])
def test_depth_that_died_while_stamps_stand_still_belongs_to_no_image(second):
    sync = fed(('depth', still(depth(1.0), second), 1.0), ('image', still(image(), second), 1.0))
    for k in range(1, 60):
        sync.add_image(still(image(), second), 0, 1.0 + k / 10)
    found = sync.newest(TOLERANCE_S)
    assert found.depth is None
    assert 'came within 0.2 s of the image, the nearest came 5.9 s away' in found.depth_problem
    assert sync.depth_due_s(TOLERANCE_S, 6.95) == 0


def test_true_stamps_that_came_late_by_a_slow_camera_are_no_fault():
    found = fed(('image', image(stamp=10.0), 1.0), ('depth', depth(10.0), 1.9)).newest(TOLERANCE_S)
    assert found.depth is not None and found.notes == ()


def still(msg, second):
    msg.header.stamp.sec, msg.header.stamp.nanosec = int(second), 0
    return msg
