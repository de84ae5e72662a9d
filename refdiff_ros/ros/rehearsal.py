"""An answer that nobody gets, so that the first one that somebody gets is not the slow one.

What an answer runs through for the first time is imported, compiled for its sizes and kept:
decoding, the parser, each stage of the method, the grasp, the messages.
"""

import time
from typing import TYPE_CHECKING

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.results import Camera
from refdiff_ros.ros.answers import answer
from refdiff_ros.ros.conversions import image_message
from refdiff_ros.ros.frame_sync import FrameSet
from refdiff_ros.ros.messages import service_response
from refdiff_ros.ros.parameters import NodeConfig

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine

_SIZE_HW = (480, 640)
_FOCAL_PX = 500.0
_TEXT = 'the red ball on the left of the blue ball'


def rehearse(engine: 'Engine', config: NodeConfig) -> None:
    """Answer once about two balls on a table, and forget it.

    It has no result: what is wrong with the models or the device is left to the answers, which
    say it.
    """
    pixels, depth_m, ball = _table()
    header = Header(frame_id='camera')
    frame_set = FrameSet(
        image=image_message(pixels, 'rgb8', header), depth=image_message(depth_m, '32FC1', header),
        camera_info=_camera_info(header))
    found = answer(engine, frame_set, _TEXT, config, time.monotonic())
    service_response(found)
    # Whatever was found, the grasp of something round.
    height, width = _SIZE_HW
    grasp_region(ball, depth_m, Camera(
        _FOCAL_PX, _FOCAL_PX, width / 2, height / 2, width, height))
    engine.forget_frames()


def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture (H, W, 3) uint8, its depth in metres and the mask of one of the balls."""
    height, width = _SIZE_HW
    rng = np.random.default_rng(0)
    pixels = rng.integers(150, 180, (height, width, 3)).astype(np.uint8)
    depth_m = np.full(_SIZE_HW, 0.8, np.float32)
    down, right = np.mgrid[:height, :width]
    ball = np.zeros(_SIZE_HW, bool)
    for column, colour in ((220, (200, 30, 30)), (420, (30, 30, 200))):
        ball = np.hypot(down - 240, right - column) < 45
        pixels[ball], depth_m[ball] = colour, 0.75
    return pixels, depth_m, ball


def _camera_info(header: Header) -> CameraInfo:
    height, width = _SIZE_HW
    return CameraInfo(
        header=header, height=height, width=width, distortion_model='plumb_bob', d=[0.0] * 5,
        k=[_FOCAL_PX, 0.0, width / 2, 0.0, _FOCAL_PX, height / 2, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[_FOCAL_PX, 0.0, width / 2, 0.0, 0.0, _FOCAL_PX, height / 2, 0.0, 0.0, 0.0, 1.0, 0.0])
