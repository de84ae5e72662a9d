"""Masks and depth of known geometry, computed pixel by pixel."""

import math

import numpy as np

from refdiff_ros.results import Camera

CAMERA = Camera(fx=600.0, fy=600.0, cx=319.5, cy=239.5, width=640, height=480)
SIZE_HW = (480, 640)


def pixels(size_hw: tuple[int, int] = SIZE_HW) -> tuple[np.ndarray, np.ndarray]:
    """The u and v of every pixel."""
    v, u = np.mgrid[:size_hw[0], :size_hw[1]].astype(float)
    return u, v


def box(length: float, width: float, angle_deg: float, center: tuple[float, float],
        size_hw: tuple[int, int] = (200, 240)) -> np.ndarray:
    """A rectangle turned by `angle_deg` from u towards v: pixels whose centre lies in it."""
    u, v = pixels(size_hw)
    angle = math.radians(angle_deg)
    along = (u - center[0]) * math.cos(angle) + (v - center[1]) * math.sin(angle)
    across = (u - center[0]) * math.sin(angle) - (v - center[1]) * math.cos(angle)
    return (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)


def disc(radius: float, center: tuple[float, float] = (100.0, 100.0),
         size_hw: tuple[int, int] = (200, 240)) -> np.ndarray:
    """Pixels whose centre lies in a circle."""
    u, v = pixels(size_hw)
    return (u - center[0]) ** 2 + (v - center[1]) ** 2 <= radius ** 2


def rays() -> np.ndarray:
    """(480, 640, 3) viewing rays of CAMERA with z = 1."""
    u, v = pixels()
    return np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy,
                     np.ones_like(u)], -1)


def plate(center: np.ndarray, rotation: np.ndarray, length: float, width: float,
          background_m: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Mask and depth of a thin plate: columns of `rotation` are across, along, and normal."""
    normal = rotation[:, 2]
    depth = (center @ normal) / (rays() @ normal)
    local = (rays() * depth[..., None] - center) @ rotation
    mask = (np.abs(local[..., 0]) <= width / 2) & (np.abs(local[..., 1]) <= length / 2)
    return mask, np.where(mask, depth, background_m).astype(np.float32)


def ball(center: np.ndarray, radius: float,
         background_m: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Mask and depth of a ball."""
    square, toward = np.sum(rays() ** 2, -1), rays() @ center
    root = toward ** 2 - square * (center @ center - radius ** 2)
    mask = root > 0
    depth = (toward - np.sqrt(np.maximum(root, 0))) / square
    return mask, np.where(mask, depth, background_m).astype(np.float32)
