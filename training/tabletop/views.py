"""What CLIP is shown and told: views of single objects, and windows of a scene with captions.

Letters: B views of a batch, T texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from refdiff_ros.discriminative.crops import box_window
from training.tabletop.captions import caption, named
from training.tabletop.data import SceneSet, Thing

_MIN_PIXELS = 60
_SCENES = 0.15  # share of windows with several objects
# What lies outside of the object in its view, and how often. Grey hides no colour of the set.
_OUTSIDE = {'grey': 0.55, 'black': 0.15, 'picture': 0.3}
_GREY = 128
_OTHER_WORDS = ('one', 'object', 'thing')


@dataclass(frozen=True)
class View:
    """A picture with its text.

    Attributes:
        pixels: (S, S, 3) uint8.
        text: what is said of it.
        shown: (colour, shape) of each object that is shown.
        said: the same of each that is spoken of; None for what is left out.
    """

    pixels: np.ndarray
    text: str
    shown: frozenset[tuple[str, str]]
    said: frozenset[tuple[str | None, str | None]]


def random_view(rng: np.random.Generator, scenes: SceneSet, side: int) -> View:
    """One view of one scene."""
    while True:
        row = int(rng.choice(scenes.rows))
        things = [(number, thing) for number, thing in enumerate(scenes.things(row), start=1)
                  if thing.pixels >= _MIN_PIXELS]
        if things:
            break
    image, labels = scenes.images[row], scenes.labels[row]
    number, thing = things[int(rng.integers(len(things)))]
    if rng.random() < _SCENES:
        return _scene_view(rng, image, thing, [other for _, other in things], side)
    mask = jittered(rng, labels == number)
    outside = str(rng.choice(list(_OUTSIDE), p=list(_OUTSIDE.values())))
    margin = rng.uniform(1.05, 1.35)
    text, said = _told(rng, thing)
    return View(object_view(image, mask, side, margin, outside), text,
                frozenset({(thing.colour, thing.shape)}), frozenset({said}))


def object_view(
    image: np.ndarray, mask: np.ndarray, side: int, margin: float, outside: str,
) -> np.ndarray:
    """The window around `mask` (H, W) as a picture (S, S, 3).

    Outside of the mask it is 'grey', 'black' or the 'picture' itself; beyond the image it is
    grey or black.
    """
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (int(xs[0]), int(ys[0]), int(xs[-1]), int(ys[-1]))
    left, top, extent = box_window(box, margin)
    beyond = _GREY if outside == 'grey' else 0
    if outside != 'picture':
        image = np.where(mask[..., None], image, np.uint8(beyond))
    return _window(image, left, top, extent, side, beyond)


def _window(
    image: np.ndarray, left: int, top: int, extent: int, side: int, beyond: int = 0,
) -> np.ndarray:
    height, width = image.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + extent), min(height, top + extent)
    square = np.full((extent, extent, 3), beyond, np.uint8)
    square[y0 - top:y1 - top, x0 - left:x1 - left] = image[y0:y1, x0:x1]
    way = cv2.INTER_AREA if extent > side else cv2.INTER_LINEAR
    return cv2.resize(square, (side, side), interpolation=way)


def jittered(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """A mask as a segmentor gives it: coarse edges, a pixel too wide or too narrow."""
    if rng.random() < 0.35:
        return mask
    height, width = mask.shape
    coarse = cv2.resize(mask.astype(np.float32), (width * 3 // 8, height * 3 // 8),
                        interpolation=cv2.INTER_AREA)
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    rough = soft > rng.uniform(0.3, 0.7)
    return rough if np.count_nonzero(rough) >= _MIN_PIXELS // 2 else mask


def _told(
    rng: np.random.Generator, thing: Thing,
) -> tuple[str, tuple[str | None, str | None]]:
    chance = rng.random()
    if chance < 0.12:
        word = str(rng.choice(_OTHER_WORDS))
        return f'the {thing.colour} {word}', (thing.colour, None)
    if chance < 0.4:
        return named(rng, thing, colours=0.0), (None, thing.shape)
    return named(rng, thing, colours=1.0), (thing.colour, thing.shape)


def _scene_view(
    rng: np.random.Generator, image: np.ndarray, thing: Thing, things: Sequence[Thing], side: int,
) -> View:
    height, width = image.shape[:2]
    extent = int(rng.uniform(0.35, 0.8) * height)
    x = (thing.box_xyxy[0] + thing.box_xyxy[2]) / 2 * width + rng.uniform(-0.3, 0.3) * extent
    y = (thing.box_xyxy[1] + thing.box_xyxy[3]) / 2 * height + rng.uniform(-0.3, 0.3) * extent
    left = int(np.clip(x - extent / 2, 0, width - extent))
    top = int(np.clip(y - extent / 2, 0, height - extent))
    shown = [other for other in things if _mostly_inside(
        other, left / width, top / height, (left + extent) / width, (top + extent) / height)]
    text = caption(rng, shown) or 'a table'
    names = frozenset((other.colour, other.shape) for other in shown)
    return View(_window(image, left, top, extent, side), text, names, names)


def _mostly_inside(thing: Thing, x0: float, y0: float, x1: float, y1: float) -> bool:
    a, b, c, d = thing.box_xyxy
    shared = max(0.0, min(c, x1) - max(a, x0)) * max(0.0, min(d, y1) - max(b, y0))
    return shared > 0.6 * (c - a) * (d - b)


def truth(views: Sequence[View], texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which text belongs to which view, and which is true of it all the same.

    Returns:
        own: (B, T) bool, the view's own text.
        also: (B, T) bool, other texts that are true, or partly true, of the view: neither right
            nor wrong answers.
    """
    said = {view.text: view.said for view in views}
    own = np.array([[view.text == text for text in texts] for view in views])
    also = np.array([[_touches(view.shown, said[text]) for text in texts] for view in views])
    return own, also & ~own


def _touches(
    shown: frozenset[tuple[str, str]], said: frozenset[tuple[str | None, str | None]],
) -> bool:
    return any(colour in (None, seen_colour) and shape in (None, seen_shape)
               for colour, shape in said for seen_colour, seen_shape in shown)
