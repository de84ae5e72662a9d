"""Viewing rays of pixels through a lens that bends them (OpenCV's camera models).

Without it a wide lens puts what lies in a corner of the picture centimetres beside its place.
"""

import numpy as np

from refdiff_ros.optional import require_package
from refdiff_ros.results import Camera

# Until a pixel comes back to its place within 1e-4 pixels, or so often.
_UNTIL = (3, 50, 1e-4)
# A pixel that comes back this far from its place is one that the model sends nowhere.
_LOST_PX = 0.5


def rays(u: np.ndarray, v: np.ndarray, camera: Camera) -> np.ndarray:
    """x/z and y/z of the viewing rays of pixels.

    Args:
        u, v: of the same shape.
        camera: intrinsics, with its lens.

    Returns:
        (..., 2) float64 in the optical frame.
    """
    if camera.lens is None:
        return np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy], -1)
    cv2 = require_package('cv2', 'grasp')
    pixels = np.stack([np.asarray(u, float), np.asarray(v, float)], -1)
    matrix, values = _matrix(camera), np.array(camera.lens.coefficients)
    undistort = cv2.fisheye.undistortPoints if camera.lens.model == 'equidistant' \
        else cv2.undistortPoints
    flat = np.ascontiguousarray(pixels.reshape(-1, 1, 2))
    return np.asarray(undistort(flat, matrix, values, criteria=_UNTIL).reshape(pixels.shape))


def in_view(u: np.ndarray, v: np.ndarray, camera: Camera) -> bool:
    """Whether the lens's model has a ray for every one of the pixels (K,).

    A model holds as far out as it was calibrated; far beyond, its polynomial turns back.
    """
    if camera.lens is None:
        return True
    cv2 = require_package('cv2', 'grasp')
    found = rays(u, v, camera).reshape(-1, 1, 2)
    if not np.isfinite(found).all():
        return False
    matrix, values = _matrix(camera), np.array(camera.lens.coefficients)
    if camera.lens.model == 'equidistant':
        back = cv2.fisheye.distortPoints(found, matrix, values)
    else:
        points = np.concatenate([found, np.ones_like(found[..., :1])], -1)
        back, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, values)
    return bool(np.abs(back.reshape(-1, 2) - np.stack([u, v], -1)).max() < _LOST_PX)


def _matrix(camera: Camera) -> np.ndarray:
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
