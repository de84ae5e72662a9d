"""The colour word of a region, where one is plainly right.

Between the bands of hue lie gaps: what is neither plainly red nor plainly orange has no name. How
bright a thing looks depends on the light, so grey is never named, and of black and white, brown
and orange what might be either is not.
"""

import colorsys

import numpy as np

from refdiff_ros.masks import window

# Hue in degrees; red goes through 0, light red is pink, dark orange brown.
_BANDS = {
    'red': (-12, 10), 'orange': (16, 38), 'yellow': (45, 66), 'green': (82, 165),
    'blue': (195, 255), 'purple': (266, 302), 'pink': (318, 350)}
_LOW_HUE = -30
_COLOURLESS, _COLOURFUL = 0.12, 0.3  # saturation
_LIGHT_RED, _DEEP_RED = 0.55, 0.68  # likewise
_BLACK, _WHITE = 0.13, 0.72  # value
_BROWN, _ORANGE = 0.3, 0.6  # likewise
NAMES = (*_BANDS, 'brown', 'black', 'white')
_GRID = 128  # rows or columns that are looked at, about


class ColourNames:
    """`colour_name` of each of N masks by its row, found when it is first asked for.

    Args:
        image_rgb: (H, W, 3) uint8.
        masks: (N, H, W) bool.
    """

    def __init__(self, image_rgb: np.ndarray, masks: np.ndarray):
        self._image_rgb, self._masks = image_rgb, masks
        self._known: dict[int, str] = {}

    def take_over(self, before: 'ColourNames', came_from: np.ndarray) -> None:
        """Take the colours of masks that were in another frame already.

        Args:
            before: the colours of that frame.
            came_from: (N,) rows of these masks there; -1 for those that were not.
        """
        for row, old in enumerate(came_from.tolist()):
            if old in before._known:
                self._known[row] = before._known[old]

    def prefetch(self, rows: np.ndarray) -> None:
        """Find those of `rows` (K,) ahead."""
        for row in rows.tolist():
            _ = self[row]

    def __getitem__(self, row: int) -> str:
        if row not in self._known:
            self._known[row] = colour_name(self._image_rgb, self._masks[row])
        return self._known[row]


def colour_name(image_rgb: np.ndarray, mask: np.ndarray) -> str:
    """The word for the median colour of a region.

    Args:
        image_rgb: (H, W, 3) uint8.
        mask: (H, W) bool.

    Returns:
        One of `NAMES`, or '' where none is plainly right or nothing of the region is seen.
    """
    stride = max(1, min(mask.shape) // _GRID)
    looked_at = slice(None, None, stride), slice(None, None, stride)
    small = mask[looked_at]
    part = window(small)
    pixels = image_rgb[looked_at][part][small[part]]  # (P, 3)
    if not len(pixels):
        return ''
    hue, saturation, value = colorsys.rgb_to_hsv(*np.median(pixels, axis=0) / 255)
    if value < _BLACK:
        return 'black'
    if saturation < _COLOURLESS:
        return 'white' if value > _WHITE else ''
    if saturation < _COLOURFUL:
        return ''
    return _by_hue((360 * hue - _LOW_HUE) % 360 + _LOW_HUE, saturation, value)


def _by_hue(degrees: float, saturation: float, value: float) -> str:
    if degrees < _BANDS['red'][0]:  # 330 to 348, which counts from below here
        degrees += 360
    name = next((name for name, (low, high) in _BANDS.items() if low <= degrees <= high), '')
    if name in ('red', 'pink') or degrees > _BANDS['pink'][1]:
        if saturation < _LIGHT_RED:
            return 'pink'
        return 'red' if saturation > _DEEP_RED and name == 'red' else ''
    if name == 'orange' and value < _ORANGE:
        return 'brown' if value < _BROWN else ''
    return name
