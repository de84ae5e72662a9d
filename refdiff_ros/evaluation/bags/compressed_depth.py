"""Depth of `compressed_depth_image_transport`: a PNG behind 12 bytes of parameters.

By hand, since the transport is a plugin of a ROS installation, and bags are read without one.
"""

import struct
from typing import Any

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package
from refdiff_ros.pictures.header import checked_header
from refdiff_ros.ros.conversions import clean_depth

_HEADER = struct.Struct('<iff')  # how it was compressed, and A and B of the quantisation


def depth_from_compressed(msg: Any) -> np.ndarray:
    """Metres in a `sensor_msgs/CompressedImage` of depth.

    16UC1 holds millimetres; 32FC1 holds inverse depth, v = A / z + B.

    Returns:
        (H, W) float32, 0 where there is no reading.

    Raises:
        BadRequestError: another format (JPEG loses depth, RVL is not read), or damaged data.
    """
    encoding, _, how = msg.format.partition(';')
    data, header = bytes(msg.data), (0, 0.0, 0.0)
    if 'compressedDepth' in how and 'rvl' not in how.lower() and len(data) > _HEADER.size:
        header, data = _HEADER.unpack_from(data), data[_HEADER.size:]
    elif how.strip() and 'png' not in how.lower():
        raise BadRequestError(
            "expected depth as 'compressedDepth png' or as PNG, which lose nothing, got the "
            f'format {msg.format!r}: record the raw depth topic, or set png as its format')
    try:
        checked_header(data)
    except BadRequestError as error:
        raise BadRequestError(f'expected a 16-bit PNG of depth, got {len(data)} bytes of format '
                              f'{msg.format!r}: {error}') from error
    cv2 = require_package('cv2', 'ros')
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 2 or values.dtype != np.uint16:
        raise BadRequestError(
            f'expected a 16-bit PNG of depth of one channel, got {len(data)} bytes of format '
            f'{msg.format!r} that hold none')
    if encoding.strip() != '32FC1':
        return clean_depth(values)
    _, scale, offset = header
    inverse = values.astype(np.float32) - np.float32(offset)  # (H, W)
    with np.errstate(divide='ignore'):
        return clean_depth(np.where(values > 0, np.float32(scale) / inverse, 0))
