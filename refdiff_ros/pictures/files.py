"""Pictures, depth and camera_info from files, with errors that say what was expected."""

from pathlib import Path

import numpy as np
import yaml

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package
from refdiff_ros.results import Camera, describe_array


def read_image(path: Path) -> np.ndarray:
    """A picture as (H, W, 3) uint8 RGB, turned upright by its EXIF orientation.

    Raises:
        BadRequestError: the file is missing or no picture.
    """
    pil = require_package('PIL.Image', 'models')
    ops = require_package('PIL.ImageOps', 'models')
    try:
        with pil.open(path) as picture:
            return np.asarray(ops.exif_transpose(picture).convert('RGB'))
    # A PNG with a damaged chunk is a SyntaxError to Pillow.
    except (OSError, SyntaxError, pil.DecompressionBombError) as error:
        raise BadRequestError(f'expected a picture at {path}, got: {error}') from error


def read_depth(path: Path) -> np.ndarray:
    """Depth as (H, W) float32 metres; integers are millimetres, 0 invalid (REP-118).

    Raises:
        BadRequestError: the file is missing or holds no single-channel 16-bit or float image.
    """
    try:
        depth = np.load(path) if path.suffix == '.npy' else _read_picture(path)
    except (OSError, ValueError) as error:
        raise BadRequestError(f'expected a depth image at {path}, got: {error}') from error
    if depth.ndim != 2 or not (depth.dtype in (np.uint16, np.int32) or depth.dtype.kind == 'f'):
        raise BadRequestError(
            f'expected depth (H, W) as 16-bit millimetres or float metres in {path}, '
            f'got {describe_array(depth)}')
    scale = 1.0 if depth.dtype.kind == 'f' else 1e-3
    return depth.astype(np.float32) * np.float32(scale)


def _read_picture(path: Path) -> np.ndarray:
    with require_package('PIL.Image', 'models').open(path) as picture:
        return np.asarray(picture)


def read_camera(path: Path) -> Camera:
    """Intrinsics from YAML: the camera_calibration layout or an echoed CameraInfo message.

    Raises:
        BadRequestError: the file is missing, is no YAML, or lacks the size or the matrix.
    """
    try:
        # An echoed message ends with '---', which starts a second, empty document.
        values = next(yaml.safe_load_all(path.read_text()), None)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRequestError(f'expected a camera_info YAML at {path}, got: {error}') from error
    if not isinstance(values, dict):
        raise BadRequestError(f'expected a camera_info YAML at {path}, got no mapping')
    matrix = values.get('camera_matrix', values.get('k', values.get('K')))
    matrix = matrix.get('data') if isinstance(matrix, dict) else matrix
    width = values.get('image_width', values.get('width'))
    height = values.get('image_height', values.get('height'))
    if not isinstance(matrix, list) or len(matrix) != 9 or not width or not height:
        raise BadRequestError(
            f'expected image_width, image_height and camera_matrix (or width, height and k) '
            f'in {path}, got {sorted(map(str, values))}')
    try:
        fx, _, cx, _, fy, cy = (float(value) for value in matrix[:6])
        return Camera(fx, fy, cx, cy, int(width), int(height))
    except (TypeError, ValueError) as error:
        raise BadRequestError(f'expected numbers in {path}: {error}') from error
