"""What covers an object of the wider world: a plain colour, stripes, wood, or two colours.

Names are the words of an expression: 'red', 'striped', 'wooden', 'two-coloured'.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from refdiff_ros.sim.shapes import COLOURS

Rgb = tuple[float, float, float]

SURFACES = ('striped', 'wooden', 'two-coloured')
WIDE_COLOURS: dict[str, Rgb] = {
    **COLOURS, 'grey': (0.42, 0.43, 0.45), 'turquoise': (0.10, 0.66, 0.66)}
# What a person might call a wooden thing.
_OF_WOOD = ('brown', 'orange')
# Colours that a person takes for one at a glance, so that they make no stripes.
_ALIKE = (
    {'red', 'orange'}, {'red', 'pink'}, {'black', 'brown'}, {'black', 'purple'},
    {'white', 'grey'}, {'blue', 'purple'}, {'green', 'turquoise'}, {'blue', 'turquoise'},
    {'orange', 'yellow'}, {'black', 'grey'}, {'orange', 'brown'}, {'brown', 'red'},
    {'blue', 'black'}, {'green', 'black'}, {'purple', 'brown'}, {'grey', 'blue'},
    {'pink', 'orange'}, {'white', 'yellow'}, {'pink', 'white'})
_SPREAD = 0.035  # of each channel, between things of one colour
_SIZE = 64  # pixels of a pattern's picture


@dataclass(frozen=True)
class Paint:
    """How an object is painted.

    Attributes:
        rgb: the colour, or the first of two.
        second_rgb: the other colour; of wood, of its grain.
        pattern: one of `SURFACES`, or '' for one plain colour.
        also: colours of `WIDE_COLOURS` that a person might say of it besides its name.
    """

    rgb: Rgb
    second_rgb: Rgb = (0.0, 0.0, 0.0)
    pattern: str = ''
    also: tuple[str, ...] = ()


def paint(rng: np.random.Generator, name: str, avoided: Collection[str] = ()) -> Paint:
    """A paint that is called `name`: a colour of `WIDE_COLOURS`, or one of `SURFACES`.

    Stripes and halves have none of the colours `avoided`.
    """
    if name == 'wooden':
        light = np.array([0.74, 0.53, 0.32]) * rng.uniform(0.75, 1.15)
        dark = light * rng.uniform(0.5, 0.68)
        return Paint(_rgb(light), _rgb(dark), name, _OF_WOOD)
    if name in SURFACES:
        first, second = _contrasting(rng, name, avoided)
        return Paint(_near(rng, first), _near(rng, second), name, (first, second))
    return Paint(_near(rng, name))


def _contrasting(
    rng: np.random.Generator, name: str, avoided: Collection[str],
) -> tuple[str, str]:
    """Two colours; every other striped thing is striped with white."""
    names = [colour for colour in WIDE_COLOURS if colour not in avoided]
    while True:
        first, second = (str(names[i]) for i in rng.choice(len(names), 2, replace=False))
        if name == 'striped' and 'white' in names and rng.random() < 0.5:
            second = 'white'
        if first != second and {first, second} not in _ALIKE:
            return first, second


def _near(rng: np.random.Generator, name: str) -> Rgb:
    return _rgb(np.array(WIDE_COLOURS[name]) + rng.uniform(-_SPREAD, _SPREAD, 3))


def _rgb(values: np.ndarray) -> Rgb:
    return tuple(np.round(np.clip(values, 0.02, 0.97), 4).tolist())


def pattern_picture(rng: np.random.Generator, covered: Paint) -> np.ndarray:
    """The picture (64, 64, 3) uint8 of a pattern; its lines run along the columns' axis."""
    if covered.pattern == 'striped':
        stripes = int(rng.integers(3, 6))
        share = (np.arange(_SIZE) * 2 * stripes // _SIZE % 2).astype(float)
    elif covered.pattern == 'two-coloured':
        share = (np.arange(_SIZE) > _SIZE * rng.uniform(0.42, 0.58)).astype(float)
    else:
        share = _grain(rng)
    if share.ndim == 1:
        share = np.repeat(share[:, None], _SIZE, axis=1)
    first, second = np.array(covered.rgb), np.array(covered.second_rgb)
    picture = first + (second - first) * share[..., None]
    return np.round(picture * 255).astype(np.uint8)


def _grain(rng: np.random.Generator) -> np.ndarray:
    """(64, 64) 0..1, the rings of a board: lines along the columns, a little wavy."""
    rows, columns = np.mgrid[:_SIZE, :_SIZE] / _SIZE
    wave = 0.06 * np.sin(2 * np.pi * (columns + rng.random())) + 0.03 * np.sin(
        2 * np.pi * (2 * columns + rng.random()))
    rings = int(rng.integers(4, 7))
    lines = 0.5 + 0.5 * np.sin(2 * np.pi * (rings * (rows + wave) + rng.random()))
    return np.clip(0.75 * lines + 0.25 * rng.random((_SIZE, _SIZE)), 0, 1)


def pattern_places(vertices: np.ndarray, covered: Paint, extents: tuple[float, ...]) -> np.ndarray:
    """(V, 2) places of an object's vertices (V, 3) in the picture of its pattern.

    The pattern runs along the height of what is tall, else along the main axis.
    """
    x, y, z = vertices.T
    along = z / extents[2] if extents[2] > 1.02 * extents[0] else x / extents[0] + 0.5
    if covered.pattern == 'wooden':
        # Through the body at a slant, so that every side of it shows the grain.
        reach = max(extents)
        return np.column_stack([(x + 0.3 * z) / reach, (y * 1.6 + 0.8 * z + 0.2 * x) / reach])
    return np.column_stack([np.full(len(x), 0.5), np.clip(along, 0.004, 0.996)])
