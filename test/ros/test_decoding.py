"""A frame is decoded, hashed and reduced once, whoever asks for it."""

from concurrent.futures import ThreadPoolExecutor
import threading

import numpy as np
from ros_graph import camera_info, image, picture

from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.decoding import decode, picture_of
from refdiff_ros.ros.frame_sync import FrameSync, Shared


def sync_with(msg):
    sync = FrameSync()
    sync.add_image(msg, 0, 1.0)
    return sync


def test_two_questions_about_a_frame_get_the_same_arrays():
    sync = sync_with(image(picture(480, 640)))
    first, second = decode(sync.newest(0.1)), decode(sync.newest(0.1))
    assert first.frame is second.frame  # and so its digest is computed once
    assert first.small(1e5) is second.small(1e5)
    assert first.small(1e5).size_hw[0] < 480
    assert first.small(1e7) is first.frame


def test_depth_that_comes_later_makes_another_frame_of_the_same_picture():
    msg = image()
    sync = sync_with(msg)
    before = decode(sync.newest(0.1))
    depth = image_message(np.full((96, 128), 0.5, np.float32), '32FC1', msg.header)
    sync.add_depth(depth, 0, 1.0)
    sync.add_camera_info(camera_info(), 0, 1.0)
    after = decode(sync.newest(0.1))
    assert before.frame.depth_m is None and after.frame.depth_m is not None
    assert after.frame.camera is not None
    assert after.frame.image_rgb is before.frame.image_rgb is picture_of(sync.newest(0.1))
    assert decode(sync.newest(0.1), rectified=True).frame is not after.frame


def test_another_image_is_decoded_anew():
    sync = sync_with(image(picture(seed=0), 1.0))
    first = decode(sync.newest(0.1))
    sync.add_image(image(picture(seed=1), 2.0), 0, 2.0)
    assert decode(sync.newest(0.1)).frame.digest != first.frame.digest


def test_two_threads_that_ask_at_once_have_it_computed_once():
    shared, computed, begun = Shared(), [], threading.Event()

    def compute():
        computed.append(1)
        begun.set()
        threading.Event().wait(0.05)  # long enough for the other to come in between
        return object()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(shared.get, 'key', compute)
        begun.wait(10.0)
        second = threads.submit(shared.get, 'key', compute)
        assert first.result() is second.result()
    assert len(computed) == 1
