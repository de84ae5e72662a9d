"""Answers as the operator page gets them."""

import json

import numpy as np
from std_msgs.msg import Header

from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.results import (
    Camera,
    Frame,
    ReferringExpression,
    Scores,
    Segmentation,
    Status,
)
from refdiff_ros.ros.answers import Answer

SIZE_HW = (120, 160)


def unpack(data):
    """(milliseconds waited, head, parts) of a binary message."""
    length = int.from_bytes(data[4:8], 'big')
    head, at, parts = json.loads(data[8:8 + length]), 8 + length, []
    for size in head['parts']:
        parts.append(data[at:at + size])
        at += size
    assert at == len(data)
    return int.from_bytes(data[:4], 'big'), head, parts


def ambiguous(depth=True, status=Status.AMBIGUOUS):
    """Boxes at u 10..49 and 100..139, v 40..69."""
    masks = np.zeros((2, *SIZE_HW), bool)
    masks[0, 40:70, 10:50] = masks[1, 40:70, 100:140] = True
    depth_m = np.full(SIZE_HW, 0.6, np.float32) if depth else None
    frame = Frame(np.full((*SIZE_HW, 3), 90, np.uint8), depth_m,
                  Camera(150.0, 150.0, 80.0, 60.0, 160, 120))
    values = np.array([0.3, 0.29], np.float32)
    result = Segmentation(
        status, 'say which one', ReferringExpression('<b>box</b>', 'box', (3, 6)), masks[0], 0.3,
        0.5, 0, (1,) if status is Status.AMBIGUOUS else (), masks,
        Scores(values, values, values), np.linspace(0, 1, 120 * 160, dtype=np.float32).reshape(
            SIZE_HW))
    return Answer(status, 'say which one', '<b>box</b>', Header(frame_id='optical'), frame,
                  result, grasp_region(masks[0], depth_m, frame.camera))
