"""Pictures, depth and camera_info from files, with errors that say what was expected."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package
from refdiff_ros.pictures.camera_info import camera_from_info
from refdiff_ros.pictures.header import check_pixels, checked_header, MAX_MEGAPIXELS
from refdiff_ros.results import Camera, describe_array


def read_image(
    path: Path, upright: bool = True, max_megapixels: float = MAX_MEGAPIXELS,
) -> np.ndarray:
    """A JPEG or PNG as (H, W, 3) uint8 RGB.

    Grey of 16 bits keeps its high byte, as `mono16` of ROS does.

    Args:
        path: the file.
        upright: whether the picture is turned as its EXIF orientation says. Annotations of a data
            set are of the pixels as they are stored.
        max_megapixels: a larger picture is refused before it is decoded.

    Raises:
        BadRequestError: the file is missing, no whole JPEG or PNG, or too large.
    """
    pil = require_package('PIL.Image', 'models')
    ops = require_package('PIL.ImageOps', 'models')
    try:
        data = path.read_bytes()
        checked_header(data, max_megapixels)
        with pil.open(io.BytesIO(data), formats=('JPEG', 'PNG')) as picture:
            picture.load()
            turned = ops.exif_transpose(picture) if upright else picture
            return _rgb(turned)
    # A PNG with a damaged chunk is a SyntaxError to Pillow; one with odd chunks a ValueError.
    except (OSError, SyntaxError, ValueError, pil.DecompressionBombError) as error:
        raise BadRequestError(f'expected a picture at {path}, got: {error}') from error


def _rgb(picture: Any) -> np.ndarray:
    if picture.mode.startswith('I'):  # 16-bit grey, which Pillow would clip to white
        grey = (np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)  # (H, W) -> (H, W, 3)
    return np.asarray(picture.convert('RGB'))


def read_mask(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> np.ndarray:
    """A mask (H, W) bool from a JPEG or PNG of one channel: what is not 0 is in it.

    Raises:
        BadRequestError: as `read_image`, or the picture has several channels.
    """
    pil = require_package('PIL.Image', 'models')
    try:
        data = path.read_bytes()
        checked_header(data, max_megapixels)
        with pil.open(io.BytesIO(data), formats=('JPEG', 'PNG')) as picture:
            pixels = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, pil.DecompressionBombError) as error:
        raise BadRequestError(f'expected the picture of a mask at {path}, got: {error}') from error
    if pixels.ndim != 2:
        raise BadRequestError(f'expected a mask of one channel in {path}, got {pixels.shape}')
    return pixels != 0


def read_depth(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> np.ndarray:
    """Depth as (H, W) float32 metres; integers are millimetres, 0 invalid (REP-118).

    Args:
        path: a PNG, TIFF or .npy file, of either byte order.
        max_megapixels: larger depth is refused before it is decoded.

    Raises:
        BadRequestError: the file is missing, too large, or holds no single-channel 16-bit or
            float image.
    """
    try:
        depth = (_read_array if path.suffix == '.npy' else _read_picture)(path, max_megapixels)
    except Exception as error:  # damaged files make the readers raise all kinds of errors
        raise BadRequestError(f'expected a depth image at {path}, got: {error}') from error
    depth = depth.astype(depth.dtype.newbyteorder('='), copy=False)
    if depth.ndim != 2 or not (depth.dtype in (np.uint16, np.int32) or depth.dtype.kind == 'f'):
        raise BadRequestError(
            f'expected depth (H, W) as 16-bit millimetres or float metres in {path}, '
            f'got {describe_array(depth)}')
    scale = 1.0 if depth.dtype.kind == 'f' else 1e-3
    return depth.astype(np.float32) * np.float32(scale)


def _read_array(path: Path, max_megapixels: float) -> np.ndarray:
    # Mapped first: a header of 128 bytes can claim more than any memory holds.
    mapped = np.lib.format.open_memmap(path, mode='r')
    if mapped.ndim == 2:
        check_pixels(mapped.shape[1], mapped.shape[0], max_megapixels)
        return np.array(mapped)
    return mapped


def _read_picture(path: Path, max_megapixels: float) -> np.ndarray:
    with require_package('PIL.Image', 'models').open(path, formats=('PNG', 'TIFF')) as picture:
        width, height = picture.size
        check_pixels(width, height, max_megapixels)
        return np.asarray(picture)


def read_camera(
    path: Path, rectified: bool = False, size_hw: tuple[int, int] | None = None,
) -> Camera:
    """Intrinsics from YAML: the camera_calibration layout or an echoed CameraInfo message.

    Args:
        path: the file.
        rectified, size_hw: of the picture, as in `camera_from_info`.

    Raises:
        BadRequestError: the file is missing, is no YAML, or lacks the size or the matrix.
    """
    try:
        # An echoed message ends with '---', which starts a second, empty document.
        values = next(yaml.safe_load_all(path.read_text()), None)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise BadRequestError(f'expected a camera_info YAML at {path}, got: {error}') from error
    if not isinstance(values, dict):
        raise BadRequestError(f'expected a camera_info YAML at {path}, got no mapping')
    info = _as_info(values)
    if not isinstance(info.k, list) or len(info.k) != 9 or not info.width or not info.height:
        raise BadRequestError(
            f'expected image_width, image_height and camera_matrix (or width, height and k) '
            f'in {path}, got {sorted(map(str, values))}')
    try:
        return camera_from_info(info, rectified, size_hw)
    except BadRequestError as error:
        raise BadRequestError(f'{path}: {error}') from error
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequestError(f'expected numbers in {path}: {error}') from error


# Names of a CameraInfo's fields in the layout of camera_calibration.
_CALIBRATION = {'k': 'camera_matrix', 'd': 'distortion_coefficients', 'p': 'projection_matrix',
                'width': 'image_width', 'height': 'image_height'}


def _as_info(values: dict[str, Any]) -> SimpleNamespace:
    """The mapping's values by the names of a CameraInfo's fields."""
    found = {name: values.get(other, values.get(name, values.get(name.upper())))
             for name, other in _CALIBRATION.items()}
    matrices = {name: value.get('data') if isinstance(value, dict) else value
                for name, value in found.items()}
    rest = {name: values.get(name, 0) for name in ('binning_x', 'binning_y')}
    roi = values.get('roi')
    return SimpleNamespace(
        **matrices, **rest, distortion_model=values.get('distortion_model', ''),
        roi=SimpleNamespace(**roi) if isinstance(roi, dict) else None)
