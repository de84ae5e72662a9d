"""From a `sensor_msgs/CameraInfo` to the intrinsics of the picture that it came with.

Any object with the message's fields will do, those of ROS 1 with their capital letters too, so
that bags and files are read without ROS.
"""

from dataclasses import dataclass
import math
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.results import Camera, Lens, LENS_MODELS


def camera_from_info(
    msg: Any, rectified: bool = False, size_hw: tuple[int, int] | None = None,
) -> Camera:
    """Intrinsics and lens from K and D, or from P alone for a rectified picture.

    By the message's definition K and P are those of the full sensor, and `binning` and `roi` say
    which part of it the picture is. Some drivers fill in those of the picture: where its size is
    that of the message they are taken as they are.

    Args:
        msg: the message.
        rectified: whether the picture is rectified: the lens is then out of it, and P counts
            where there is one.
        size_hw: the picture's height and width; what the message says where it is None.

    Raises:
        BadRequestError: focal length, size or lens are not those of a calibrated camera, or the
            message belongs to a picture of another size.
    """
    p, k = _numbers(msg, 'p', 12), _numbers(msg, 'k', 9)
    if rectified and p is not None and p[0] > 0:
        fx, cx, fy, cy = p[0], p[2], p[5], p[6]
    elif k is not None:
        fx, cx, fy, cy = k[0], k[2], k[4], k[5]
    else:
        raise BadRequestError('expected camera_info with nine numbers in k, got none')
    lens = None if rectified else lens_from_info(msg)
    part = _part(msg, size_hw)
    return Camera(
        fx / part.binning_x, fy / part.binning_y, (cx - part.left) / part.binning_x,
        (cy - part.top) / part.binning_y, part.width, part.height, lens)


def lens_from_info(msg: Any) -> Lens | None:
    """The lens of D by its model; None where it distorts nothing.

    Raises:
        BadRequestError: D distorts and is of a model that is not known, or is not finite.
    """
    values = _numbers(msg, 'd') or ()
    model = str(getattr(msg, 'distortion_model', ''))
    # Without coefficients an equidistant lens is still no pinhole.
    if not any(values) and not (values and model == 'equidistant'):
        return None
    if model not in LENS_MODELS:
        raise BadRequestError(
            f'expected a distortion_model of {", ".join(LENS_MODELS)}, got {model!r} with '
            f'{len(values)} coefficients: rectify the image (image_proc) and set rectified')
    return Lens(model, values)


@dataclass(frozen=True)
class _Part:
    """Which part of the sensor a picture is: its first pixel, how many make one, its size."""

    left: int
    top: int
    binning_x: int
    binning_y: int
    width: int
    height: int


def _part(msg: Any, size_hw: tuple[int, int] | None) -> _Part:
    width, height = int(msg.width), int(msg.height)
    part = _declared_part(msg)
    if size_hw is None:
        return part
    if size_hw == (height, width):
        return _Part(0, 0, 1, 1, width, height)
    if abs(size_hw[0] - part.height) <= 1 and abs(size_hw[1] - part.width) <= 1 and (
            part.height, part.width) != (height, width):
        return _Part(part.left, part.top, part.binning_x, part.binning_y, size_hw[1], size_hw[0])
    declared = '' if (part.height, part.width) == (height, width) else (
        f' of which binning and roi leave {part.width}x{part.height}')
    raise BadRequestError(
        f'expected camera_info for {size_hw[1]}x{size_hw[0]} pixels, got {width}x{height}'
        f'{declared}: remap camera_info to the colour camera')


def _declared_part(msg: Any) -> _Part:
    """The part as `binning` and `roi` say, 0 being nothing said."""
    binning_x, binning_y = (max(int(getattr(msg, name, 0)), 1)
                            for name in ('binning_x', 'binning_y'))
    roi = getattr(msg, 'roi', None)
    left, top, width, height = (int(getattr(roi, name, 0)) for name in (
        'x_offset', 'y_offset', 'width', 'height'))
    width, height = width or int(msg.width), height or int(msg.height)
    return _Part(left, top, binning_x, binning_y, width // binning_x, height // binning_y)


def _numbers(msg: Any, name: str, count: int | None = None) -> tuple[float, ...] | None:
    """Numbers of a field, which ROS 1 writes as a capital letter; None where there are none."""
    values = getattr(msg, name, getattr(msg, name.upper(), None))
    if values is None or not len(values):
        return None
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise BadRequestError(f'expected numbers in {name} of camera_info: {error}') from error
    if count is not None and len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise BadRequestError(
            f'expected {count or ""} finite numbers in {name} of camera_info, got {numbers}: '
            'publish a calibrated camera_info')
    return numbers
