"""What a real RGB-D camera does to depth: holes, flying pixels at rims, noise, millimetres."""

import cv2
import numpy as np

# A jump between neighbouring pixels that counts as a rim, metres.
_RIM_M = 0.02


def as_millimetres(depth_m: np.ndarray) -> np.ndarray:
    """Depth as 16UC1 millimetres; what is invalid or beyond 65.535 m becomes 0 (REP-118)."""
    millimetres = np.nan_to_num(np.rint(depth_m * 1000.0), nan=0.0, posinf=0.0, neginf=0.0)
    return np.where((millimetres < 0) | (millimetres > 65535), 0, millimetres).astype(np.uint16)


def sensor_depth(depth_m: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Depth as a stereo camera at this distance would give it.

    Axial noise grows with the square of the distance (2 mm at 1 m), a few patches are holes, and
    pixels on rims are missing or fly between foreground and background.

    Args:
        depth_m: (H, W) float32 metres, exact.
        rng: draws the noise.

    Returns:
        (H, W) float32 metres, 0 where there is no reading.
    """
    shape = depth_m.shape
    noisy = depth_m + rng.normal(0.0, 0.002, shape).astype(np.float32) * depth_m ** 2
    far = cv2.dilate(depth_m, np.ones((3, 3)))
    near = cv2.erode(depth_m, np.ones((3, 3)))
    rim = far - near > _RIM_M
    fate = rng.random(shape)
    between = near + (far - near) * rng.random(shape, np.float32)
    noisy = np.where(rim & (fate < 0.35), between, noisy)
    noisy = np.where(rim & (fate > 0.65), 0.0, noisy)
    coarse = rng.random((shape[0] // 12 + 1, shape[1] // 12 + 1), np.float32)
    holes = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.96
    return np.where(holes, 0.0, noisy).astype(np.float32)
