"""Colours by distance in Lab: which names are near a colour, and colours that no name forbids.

Letters: K names.
"""

from collections.abc import Collection

import cv2
import numpy as np

from refdiff_ros.sim.paints import WIDE_COLOURS

_NEAR = 2  # names that a person might give to a colour


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """Colours (K, 3) in 0..1 as CIE Lab (K, 3)."""
    return cv2.cvtColor(np.float32(rgb)[None], cv2.COLOR_RGB2LAB)[0]


_NAMES = tuple(WIDE_COLOURS)
_LAB = to_lab(np.array(list(WIDE_COLOURS.values())))


def near_names(rgb: np.ndarray) -> frozenset[str]:
    """The two names whose colours are nearest to `rgb` (3,)."""
    distance = np.linalg.norm(_LAB - to_lab(np.array(rgb)[None]), axis=1)
    return frozenset(_NAMES[i] for i in np.argsort(distance)[:_NEAR])


def free_colour(
    rng: np.random.Generator, forbidden: Collection[str], tries: int = 20,
) -> tuple[np.ndarray, frozenset[str]] | None:
    """A random colour that is near none of the names `forbidden`, and the names it is near.

    One in four is about as dark, as grey or as light as black, grey and white are, which are rare
    among random colours.
    """
    for _ in range(tries):
        hue, saturation, value = rng.random(3)
        if rng.random() < 0.25:
            saturation *= 0.15
        hsv = np.float32([[[360 * hue, saturation, 0.03 + 0.94 * value]]])
        rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
        near = near_names(rgb)
        if not near & set(forbidden):
            return rgb, near
    return None
