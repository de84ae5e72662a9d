"""Main axis and oriented rectangle of a region in the picture.

Two readings of "main axis" are here, because they fail differently. The smallest rectangle
around the outline lies flat against straight sides, which is what jaws need, and stays defined
for a square; on a tapered region (a bottle in perspective) it lies flat against one of the sides.
The axis of least second moment averages over the whole region, is the axis of symmetry where
there is one, and is undefined for a square or a circle. The default takes of the two the one
about which the region is more symmetric.
"""

from dataclasses import dataclass
import math

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.outline import Outline
from refdiff_ros.masks import pixels_vu
from refdiff_ros.optional import require_package

METHODS = ('symmetric', 'min_area', 'moments')

# Below this elongation the axis of least second moment is noise.
_MIN_ELONGATION = 1.1
# Pixels that the symmetry is judged by; more do not make it better.
_MIRRORED_POINTS = 20_000


@dataclass(frozen=True)
class Rectangle:
    """An oriented rectangle in pixels (u right, v down).

    Attributes:
        center: (u, v) of its centre.
        length_px, width_px: sides along and across the main axis; length_px >= width_px for
            'min_area'; around the axis of moments an odd shape may be wider than long.
        angle: of the main axis against the u axis, radians in (-pi/2, pi/2], positive from u
            towards v.
    """

    center: tuple[float, float]
    length_px: float
    width_px: float
    angle: float

    @property
    def axis(self) -> np.ndarray:
        """(2,) unit vector (u, v) along the main axis."""
        return np.array([math.cos(self.angle), math.sin(self.angle)])

    @property
    def across(self) -> np.ndarray:
        """(2,) unit vector (u, v) across the main axis, turned so that across x axis = +z."""
        return np.array([math.sin(self.angle), -math.cos(self.angle)])

    @property
    def corners(self) -> np.ndarray:
        """(4, 2) corners (u, v) in order around the rectangle."""
        half = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * 0.5
        return np.asarray(np.array(self.center) + half[:, :1] * self.length_px * self.axis
                + half[:, 1:] * self.width_px * self.across)


def wrap_angle(angle: float) -> float:
    """The same undirected axis as an angle in (-pi/2, pi/2]."""
    wrapped = math.remainder(angle, math.pi)
    return math.pi / 2 if wrapped <= -math.pi / 2 + 1e-9 else wrapped


def oriented_rectangle(mask: np.ndarray, outline: Outline,
                       method: str = 'symmetric') -> Rectangle:
    """The oriented rectangle around a region.

    A circle has no main axis and a square has two; the answer is then one of the equally good
    ones, the same each time.

    Args:
        mask: (H, W) bool, one connected part.
        outline: its outline (`outline.trace`).
        method: 'min_area' (smallest rectangle around the outline), 'moments' (axis of least
            second moment of the mask's pixels) or 'symmetric' (of both the one about which the
            mask is more symmetric; 'min_area' for a region without elongation).

    Raises:
        BadRequestError: another method.
    """
    if method not in METHODS:
        raise BadRequestError(f'expected a method of {METHODS}, got {method!r}')
    flat = around(outline.points, _min_area_angle(outline.points))
    if method == 'min_area':
        return flat
    angle, elongation = moment_axis(mask)
    if method == 'symmetric' and (
            elongation < _MIN_ELONGATION
            or mirror_symmetry(mask, angle) <= mirror_symmetry(mask, flat.angle)):
        return flat
    return around(outline.points, angle, swap=False)


def around(points: np.ndarray, angle: float, swap: bool = True) -> Rectangle:
    """The smallest rectangle around (K, 2) points with a side along `angle`.

    With `swap` the main axis is the longer side, whichever of the two that is.
    """
    axis = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([axis[1], -axis[0]])
    along_px, across_px = points @ axis, points @ across
    length, width = np.ptp(along_px), np.ptp(across_px)
    center = ((along_px.min() + along_px.max()) / 2 * axis
              + (across_px.min() + across_px.max()) / 2 * across)
    if swap and width > length * (1 + 1e-6):
        length, width, angle = width, length, angle + math.pi / 2
    return Rectangle((float(center[0]), float(center[1])), float(length), float(width),
                     wrap_angle(angle))


def mirror_symmetry(mask: np.ndarray, angle: float) -> float:
    """Share of a (H, W) bool mask's pixels, 0..1, that fall on the mask when they are mirrored
    about the axis through its centre of area at `angle` radians.
    """
    v, u = pixels_vu(mask)
    center = np.array([u.mean(), v.mean()])
    points = np.stack([u, v], 1)[::max(len(u) // _MIRRORED_POINTS, 1)] - center
    across = np.array([math.sin(angle), -math.cos(angle)])
    mirrored = np.rint(points - 2 * (points @ across)[:, None] * across + center).astype(int)
    limit = np.array(mask.shape[::-1]) - 1
    inside = np.all((mirrored >= 0) & (mirrored <= limit), 1)
    u, v = mirrored[inside].T
    return float(mask[v, u].sum() / len(points))


def moment_axis(mask: np.ndarray) -> tuple[float, float]:
    """Axis of least second moment of the mask's pixels.

    Returns:
        Its angle in (-pi/2, pi/2] and the elongation: square root of the ratio of the second
        moments along and across it (1 for a circle or a square, whose axis is undefined).
    """
    v, u = pixels_vu(mask)
    # A pixel is an area: 1/12 is the second moment of a unit square about its centre.
    uu, vv = np.var(u) + 1 / 12, np.var(v) + 1 / 12
    uv = np.mean((u - u.mean()) * (v - v.mean()))
    angle = 0.5 * math.atan2(2 * uv, uu - vv)
    spread = math.hypot((uu - vv) / 2, uv)
    mean = (uu + vv) / 2
    return wrap_angle(angle), math.sqrt((mean + spread) / max(float(mean - spread), 1e-9))


def _min_area_angle(points: np.ndarray) -> float:
    """Angle of one side of the smallest rectangle around the points."""
    cv2 = require_package('cv2', 'grasp')
    box = cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32)))
    sides = np.roll(box, -1, axis=0) - box
    longest = sides[int(np.argmax(np.hypot(sides[:, 0], sides[:, 1])))]
    return wrap_angle(math.atan2(float(longest[1]), float(longest[0])))
