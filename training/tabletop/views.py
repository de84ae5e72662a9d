"""What CLIP is shown and told: views of single objects, and windows of a scene with captions.

Letters: B views of a batch, T texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from refdiff_ros.discriminative.crops import box_window
from training.tabletop.captions import caption, named
from training.tabletop.colours import free_colour
from training.tabletop.data import SceneSet, Thing
from training.tabletop.regions import Regions
from training.tabletop.repaint import repaint

Pairs = frozenset[tuple[str, str]]

_MIN_PIXELS = 60
_SCENES = 0.12  # share of windows with several objects
# Share of plain objects that are shown in a random colour and spoken of by their shape alone.
_REPAINTED = 0.4
# How often an object is named by its colour alone, and by its shape alone; else by both.
_COLOUR_ALONE, _SHAPE_ALONE = 0.15, 0.35
# What lies outside of the object in its view, and how often. Grey hides no colour of the set.
_OUTSIDE = {'grey': 0.55, 'black': 0.15, 'picture': 0.3}
_GREY = 128
_OTHER_WORDS = ('one', 'object', 'thing')
# How often an object is cut out as the segmentor drew it, where it did.
_AS_DRAWN = 0.5
# Share of a mask from which on it is made of an object.
_MADE_OF = 0.1


@dataclass(frozen=True)
class View:
    """A picture with its text.

    Attributes:
        pixels: (S, S, 3) uint8.
        text: what is said of it.
        shown: (colour, shape) of each object that is shown.
        said: the same of each that is spoken of; None for what is left out.
        near: what a person might call the colour of an object in a random one, whose colour in
            `shown` is ''.
    """

    pixels: np.ndarray
    text: str
    shown: frozenset[tuple[str, str]]
    said: frozenset[tuple[str | None, str | None]]
    near: frozenset[str] = frozenset()


def random_view(
    rng: np.random.Generator, scenes: SceneSet, side: int, unknown: Pairs = frozenset(),
    regions: Regions | None = None,
) -> View:
    """One view of one scene.

    Args:
        rng: chooses.
        scenes: rendered scenes; with `greys`, some objects are shown in another colour.
        side: S.
        unknown: pairs (shape, colour) that no picture of training shows, and none shall.
        regions: the segmentor's masks of some of the scenes, which then cut objects out.
    """
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
    # What the view can show at its widest; the rest of the picture costs time only.
    around = _around(thing, image.shape[:2])
    image, true = image[around], labels[around] == number
    drawn = None if regions is None or rng.random() > _AS_DRAWN else regions.of(rng, row, number)
    mask = jittered(rng, true) if drawn is None else drawn[around]
    near, colour = frozenset(), thing.colour
    text, said = _told(rng, thing)
    if thing.plain and scenes.greys is not None and rng.random() < _REPAINTED:
        free = free_colour(rng, {name for shape, name in unknown if shape == thing.shape})
        if free is not None:
            image = repaint(image, scenes.greys[row][around], scenes.blacks[row][around],
                            true, free[0])
            near, colour = free[1], ''
            text, said = named(rng, thing, colours=0.0), (None, thing.shape)
    return View(_seen(rng, image, mask, side), text, frozenset({(colour, thing.shape)}),
                frozenset({said}), near)


def false_view(
    rng: np.random.Generator, scenes: SceneSet, side: int, regions: Regions,
) -> View:
    """A view of a mask that shows no object: no text is true of it.

    It has neither a text nor anything `said`; `shown` are the objects that it is made of.
    """
    row, mask = regions.false(rng)
    numbers, counts = np.unique(scenes.labels[row][mask], return_counts=True)
    things = scenes.things(row)
    shown = frozenset(
        (things[number - 1].colour, things[number - 1].shape)
        for number, count in zip(numbers, counts) if number and count > _MADE_OF * counts.sum())
    return View(_seen(rng, scenes.images[row], mask, side), '', shown, frozenset())


def _seen(
    rng: np.random.Generator, image: np.ndarray, mask: np.ndarray, side: int,
) -> np.ndarray:
    """The view of a mask with a random margin, with a random outside, mirrored or not."""
    outside = str(rng.choice(list(_OUTSIDE), p=list(_OUTSIDE.values())))
    pixels = object_view(image, mask, side, rng.uniform(1.05, 1.35), outside)
    return np.ascontiguousarray(pixels[:, ::-1]) if rng.random() < 0.5 else pixels


def _around(thing: Thing, size_hw: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the picture that hold every view of an object."""
    height, width = size_hw
    x0, y0, x1, y1 = np.array(thing.box_xyxy) * (width, height, width, height)
    reach = 0.75 * max(x1 - x0, y1 - y0) + 4  # from the middle; views have 1.35 at most
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return (slice(max(0, int(y - reach)), int(y + reach) + 1),
            slice(max(0, int(x - reach)), int(x + reach) + 1))


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
    if chance < _COLOUR_ALONE:
        word = str(rng.choice(_OTHER_WORDS))
        return f'the {thing.colour} {word}', (thing.colour, None)
    if chance < _COLOUR_ALONE + _SHAPE_ALONE:
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


def truth(
    views: Sequence[View], texts: Sequence[str], unknown: Pairs = frozenset(),
) -> tuple[np.ndarray, np.ndarray]:
    """Which text belongs to which view, and which is neither a right nor a wrong answer.

    A text of a shape that no picture of training shows in the view's colour can never be right
    for such a view. If it counted as wrong, the model would learn from it that black things are
    no mugs; so it is left out, as is a text of a colour in which the view's shape never occurs.
    That is logit adjustment (Menon et al. 2020) for pairs of frequency 0.

    Args:
        views, texts: of a batch.
        unknown: pairs (shape, colour) that no picture of training shows.

    Returns:
        own: (B, T) bool, the view's own text.
        also: (B, T) bool, other texts that are true, or partly true, of the view, and those of
            unknown pairs.
    """
    said = {view.text: view.said for view in views}
    own = np.array([[view.text == text for text in texts] for view in views])
    # A view of which nothing is said shows objects at most in part: their texts are wrong.
    also = np.array([[bool(view.said) and _touches(view, said[text])
                      or _untold(view, said[text], unknown)
                      for text in texts] for view in views])
    return own, also & ~own


def _touches(view: View, said: frozenset[tuple[str | None, str | None]]) -> bool:
    return any(
        (colour in (None, seen_colour) or colour in view.near) and shape in (None, seen_shape)
        for colour, shape in said for seen_colour, seen_shape in view.shown)


def _untold(view: View, said: frozenset[tuple[str | None, str | None]], unknown: Pairs) -> bool:
    """Whether a text's shape never occurs in a colour shown, or its colour on a shape shown."""
    return any(
        (shape, seen) in unknown or (seen_shape, colour) in unknown
        for colour, shape in said for seen_colour, seen_shape in view.shown
        for seen in (seen_colour, *view.near))
