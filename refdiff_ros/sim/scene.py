"""A random tabletop as plain data, from a seed.

Metres and radians in the world frame: z up, the table's top is z = 0 around the origin.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.paints import Paint
from refdiff_ros.sim.shapes import COLOURS, COLOURS_OF, Shape, SHAPES
from refdiff_ros.sim.textures import KINDS

TABLE_HALF_XY = (0.42, 0.34)
_PLACE_HALF_XY = (0.27, 0.2)
_GAP = 0.012  # between objects
_TRIES = 200
# What may stand on another object, and how far above its base that object carries.
_STACKED = ('ball', 'can', 'mug')
_STACK_SHARE = 0.35  # of the scenes that have both
_PLATE_TOP_M = 0.005
_OVERHANG_M = 0.004


@dataclass(frozen=True)
class Thing:
    """An object on the table.

    Attributes:
        shape, colour: its words.
        xy: where its vertical axis meets the table.
        yaw: turn of its main axis about the vertical, against the world's x.
        form: its geometry.
        z: height of its base over the table.
        on: row of the object that it stands on or lies in, or None for the table.
        paint: what covers it; None for the plain colour of its name.
    """

    shape: str
    colour: str
    xy: tuple[float, float]
    yaw: float
    form: Shape
    z: float = 0.0
    on: int | None = None
    paint: Paint | None = None

    @property
    def name(self) -> str:
        """'red mug'."""
        return f'{self.colour} {self.shape}'


@dataclass(frozen=True)
class View:
    """A camera that looks at a point of the table.

    Attributes:
        target_xy: the point looked at, on the table.
        distance: from it to the camera.
        elevation: of the camera over the table, radians.
        azimuth: of the camera about the vertical, radians; 0 looks along the world's y.
        fovy: vertical field of view, radians.
    """

    target_xy: tuple[float, float]
    distance: float
    elevation: float
    azimuth: float
    fovy: float


@dataclass(frozen=True)
class Light:
    """A lamp over the table.

    Attributes:
        position: where it stands.
        diffuse, ambient: how bright lamp and surroundings are, 0..1.
        tint: colour of lamp and surroundings.
        specular: how bright the lamp is mirrored.
    """

    position: tuple[float, float, float]
    diffuse: float
    ambient: float
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    specular: float = 0.25


@dataclass(frozen=True)
class Scene:
    """Everything that is rendered; `seed` also draws the textures' details."""

    seed: int
    things: tuple[Thing, ...]
    view: View
    light: Light
    table: str
    floor: str


def random_scene(
    seed: int,
    min_things: int = 4,
    max_things: int = 7,
    excluded: Collection[tuple[str, str]] = (),
    featured: Collection[tuple[str, str]] = (),
) -> Scene:
    """The tabletop of `seed`: some objects are alike in shape or in colour.

    Objects do not touch, unless one stands on another.

    Args:
        seed: 0 or more; the same seed and arguments give the same scene.
        min_things, max_things: how many objects.
        excluded: pairs of shape and colour that do not occur.
        featured: pairs of which one occurs.

    Raises:
        BadRequestError: a negative seed, or counts that make no sense.
    """
    if seed < 0:
        raise BadRequestError(f'expected a seed of 0 or more, got {seed}')
    if not 1 <= min_things <= max_things:
        raise BadRequestError('expected 1 <= min_things <= max_things, '
                              f'got {min_things} and {max_things}')
    rng = np.random.default_rng(seed)
    wanted = int(rng.integers(min_things, max_things + 1))
    things: list[Thing] = []
    for shape, colour in _names(rng, wanted, excluded, featured):
        thing = _place(rng, shape, colour, things)
        if thing is not None:
            things.append(thing)
    if rng.random() < _STACK_SHARE:
        things = _stack(rng, things)
    view = View(
        target_xy=(rng.uniform(-0.03, 0.03), rng.uniform(-0.03, 0.03)),
        distance=rng.uniform(0.72, 0.92), elevation=np.radians(rng.uniform(32, 58)),
        azimuth=np.radians(rng.uniform(-40, 40)), fovy=np.radians(rng.uniform(40, 46)))
    angle = rng.uniform(0, 2 * np.pi)
    light = Light(
        position=(0.8 * np.cos(angle), 0.8 * np.sin(angle), rng.uniform(1.1, 1.8)),
        diffuse=rng.uniform(0.45, 0.75), ambient=rng.uniform(0.25, 0.42))
    return Scene(seed, tuple(things), view, light, str(rng.choice(KINDS)), str(rng.choice(KINDS)))


def _names(
    rng: np.random.Generator,
    count: int,
    excluded: Collection[tuple[str, str]],
    featured: Collection[tuple[str, str]],
) -> list[tuple[str, str]]:
    """Shapes and colours; the second object is the first's shape, the third its colour."""
    shapes = [str(shape) for shape in rng.choice(list(SHAPES), count)]
    colours = [str(colour) for colour in rng.choice(list(COLOURS), count)]
    if featured:
        shapes[0], colours[0] = sorted(featured)[int(rng.integers(len(featured)))]
    if count > 1 and rng.random() < 0.8:
        shapes[1] = shapes[0]
    if count > 2 and rng.random() < 0.8:
        colours[2] = colours[0]
    for row, shape in enumerate(shapes):
        if featured and row == 0:
            continue
        allowed = [colour for colour in COLOURS_OF.get(shape, COLOURS)
                   if (shape, colour) not in excluded]
        if colours[row] not in allowed:
            colours[row] = str(rng.choice(allowed))
    return list(zip(shapes, colours, strict=True))


def _place(
    rng: np.random.Generator, shape: str, colour: str, others: list[Thing],
) -> Thing | None:
    form = SHAPES[shape](rng)
    for _ in range(_TRIES):
        xy = (rng.uniform(-1, 1) * _PLACE_HALF_XY[0], rng.uniform(-1, 1) * _PLACE_HALF_XY[1])
        if is_clear(xy, form, others):
            return Thing(shape, colour, xy, rng.uniform(-np.pi, np.pi), form)
    return None


def is_clear(xy: tuple[float, float], form: Shape, others: Iterable[Thing]) -> bool:
    """Whether an object at `xy` touches none of `others`."""
    return all(
        np.hypot(xy[0] - other.xy[0], xy[1] - other.xy[1])
        > form.radius + other.form.radius + _GAP for other in others)


def _stack(rng: np.random.Generator, things: list[Thing]) -> list[Thing]:
    """One object that fits put on a plate or a box, in the middle; unchanged where none fits."""
    pairs = [(row, under) for row, thing in enumerate(things) for under, base in enumerate(things)
             if thing.shape in _STACKED and _carries(base, thing)]
    if not pairs:
        return things
    row, under = pairs[int(rng.integers(len(pairs)))]
    base = things[under]
    z = _PLATE_TOP_M if base.shape == 'plate' else base.form.extents[2]
    return [replace(thing, xy=base.xy, z=z, on=under) if number == row else thing
            for number, thing in enumerate(things)]


def _carries(base: Thing, thing: Thing) -> bool:
    if base.shape == 'plate':
        return True
    narrow = min(base.form.extents[:2]) / 2
    return base.shape == 'box' and thing.form.extents[1] / 2 <= narrow + _OVERHANG_M
