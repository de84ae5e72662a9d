"""A random tabletop of the wider world: twenty shapes, twelve colours, three surfaces.

Up to twelve objects, some on and some in others, closer together than in `scene`; light from
evening to glare. Metres and radians, as in `scene`.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.paints import paint, SURFACES, WIDE_COLOURS
from refdiff_ros.sim.scene import Light, Scene, Thing, View
from refdiff_ros.sim.shapes import Shape
from refdiff_ros.sim.textures import WIDE_KINDS
from refdiff_ros.sim.wide_shapes import WIDE_SHAPES

Pairs = Collection[tuple[str, str]]

# What a person would call wrongly named in another colour.
_COLOURS_OF = {'banana': ('yellow', 'green'), 'lemon': ('yellow',),
               'apple': ('red', 'green', 'yellow')}
_SURFACES_OF = {
    'striped': ('mug', 'bowl', 'cup', 'bottle', 'can', 'box', 'ball', 'plate', 'jar', 'teapot'),
    'wooden': ('bowl', 'cup', 'box', 'block', 'spoon', 'ball', 'lid'),
    'two-coloured': ('mug', 'cup', 'bowl', 'bottle', 'jar', 'can', 'block', 'ball', 'teapot',
                     'book')}
_SURFACE_SHARE = 0.22
_PLACE_HALF_XY = (0.3, 0.235)
_GAP_M = 0.006
_TRIES = 60
# What lies in what, and what stands on what; and the height that carries it.
_INSIDE = {'bowl': ('apple', 'lemon', 'ball', 'block', 'tape')}
_UPON = {'plate': ('cup', 'mug', 'can', 'jar', 'ball', 'apple', 'lemon', 'block', 'tape'),
         'box': ('can', 'cup', 'mug', 'ball', 'apple', 'block', 'tape', 'lemon'),
         'book': ('mug', 'cup', 'can', 'jar', 'apple', 'block', 'tape', 'ball', 'lemon')}
_FLOORS_M = {'plate': 0.005, 'bowl': 0.004}
_STACK_SHARE, _STACKS = 0.6, 3
_OVERHANG_M = 0.004


def names_of(shape: str) -> tuple[str, ...]:
    """The colours and surfaces in which `shape` occurs."""
    if shape in _COLOURS_OF:
        return _COLOURS_OF[shape]
    return (*WIDE_COLOURS, *(name for name in SURFACES if shape in _SURFACES_OF[name]))


def wide_scene(
    seed: int,
    min_things: int = 4,
    max_things: int = 12,
    excluded: Pairs = (),
    featured: Pairs = (),
) -> Scene:
    """The tabletop of `seed`; arguments and errors as of `scene.random_scene`."""
    if seed < 0:
        raise BadRequestError(f'expected a seed of 0 or more, got {seed}')
    if not 1 <= min_things <= max_things:
        raise BadRequestError('expected 1 <= min_things <= max_things, '
                              f'got {min_things} and {max_things}')
    rng = np.random.default_rng([seed, 20])
    wanted = int(rng.integers(min_things, max_things + 1))
    things: list[Thing] = []
    for shape, name in _names(rng, wanted, excluded, featured):
        avoided = {colour for held, colour in excluded if held == shape}
        thing = _place(rng, shape, name, things, avoided)
        if thing is not None:
            things.append(thing)
    if rng.random() < _STACK_SHARE:
        for _ in range(int(rng.integers(1, _STACKS + 1))):
            things = _stack(rng, things)
    return Scene(seed, tuple(things), _view(rng), _light(rng),
                 str(rng.choice(WIDE_KINDS)), str(rng.choice(WIDE_KINDS)))


def _view(rng: np.random.Generator) -> View:
    return View(
        target_xy=(rng.uniform(-0.03, 0.03), rng.uniform(-0.03, 0.03)),
        distance=rng.uniform(0.72, 0.95), elevation=np.radians(rng.uniform(26, 60)),
        azimuth=np.radians(rng.uniform(-60, 60)), fovy=np.radians(rng.uniform(40, 46)))


def _light(rng: np.random.Generator) -> Light:
    """Evening (dim and warm), day, or glare; a third each, about."""
    angle = rng.uniform(0, 2 * np.pi)
    position = (0.8 * np.cos(angle), 0.8 * np.sin(angle), rng.uniform(0.9, 1.8))
    mood = rng.random()
    if mood < 0.3:
        warm = rng.uniform(0, 1)
        return Light(position, rng.uniform(0.3, 0.5), rng.uniform(0.14, 0.26),
                     (1.0, 1 - 0.1 * warm, 1 - 0.26 * warm), 0.15)
    if mood < 0.75:
        cool = rng.uniform(0, 0.08)
        return Light(position, rng.uniform(0.45, 0.75), rng.uniform(0.25, 0.42),
                     (1 - cool, 1 - cool / 2, 1.0), 0.25)
    return Light(position, rng.uniform(0.75, 0.95), rng.uniform(0.36, 0.48),
                 specular=rng.uniform(0.4, 0.8))


def _names(
    rng: np.random.Generator, count: int, excluded: Pairs, featured: Pairs,
) -> list[tuple[str, str]]:
    """Shapes with colours or surfaces; a few objects are alike in one or the other."""
    shapes = [str(shape) for shape in rng.choice(list(WIDE_SHAPES), count)]
    wished = [str(name) for name in rng.choice(list(WIDE_COLOURS), count)]
    if featured:
        shapes[0], wished[0] = sorted(featured)[int(rng.integers(len(featured)))]
    if count > 1 and rng.random() < 0.8:
        shapes[1] = shapes[0]
    if count > 2 and rng.random() < 0.8:
        wished[2] = wished[0]
    if count > 4 and rng.random() < 0.6:
        shapes[4] = shapes[3]
    if count > 6 and rng.random() < 0.5:
        shapes[6] = shapes[int(rng.integers(6))]
    found = []
    for row, (shape, name) in enumerate(zip(shapes, wished, strict=True)):
        if not (featured and row == 0):
            allowed = [each for each in names_of(shape) if (shape, each) not in excluded]
            surfaces = [each for each in allowed if each in SURFACES]
            if surfaces and row != 2 and rng.random() < _SURFACE_SHARE:
                name = str(rng.choice(surfaces))
            elif name not in allowed:
                name = str(rng.choice([each for each in allowed if each not in SURFACES]))
        found.append((shape, name))
    return found


def _place(
    rng: np.random.Generator, shape: str, name: str, others: list[Thing],
    avoided: Collection[str],
) -> Thing | None:
    form, covered = WIDE_SHAPES[shape](rng), paint(rng, name, avoided)
    for _ in range(_TRIES):
        xy = (rng.uniform(-1, 1) * _PLACE_HALF_XY[0], rng.uniform(-1, 1) * _PLACE_HALF_XY[1])
        thing = Thing(shape, name, xy, rng.uniform(-np.pi, np.pi), form, paint=covered)
        if _is_clear(thing, others):
            return thing
    return None


def _is_clear(thing: Thing, others: Iterable[Thing]) -> bool:
    """Whether an object touches none of `others`."""
    centres, radius = footprint(thing)
    for other in others:
        rivals, rival_radius = footprint(other)
        apart = np.linalg.norm(centres[:, None] - rivals[None], axis=2).min()
        if apart < radius + rival_radius + _GAP_M:
            return False
    return True


def footprint(thing: Thing) -> tuple[np.ndarray, float]:
    """Circles that cover an object seen from above: centres (n, 2) and their radius."""
    form = thing.form
    half = form.extents[1] / 2
    if form.round or half > 0.7 * form.radius:
        return np.array([thing.xy]), form.radius
    reach = max(0.0, form.radius - half)
    count = max(2, 1 + int(np.ceil(reach / half)))
    steps = np.linspace(-reach, reach, count)[:, None]
    return np.array(thing.xy) + steps * [np.cos(thing.yaw), np.sin(thing.yaw)], half * 1.15


def _stack(rng: np.random.Generator, things: list[Thing]) -> list[Thing]:
    """One object that fits put on or into another; unchanged where none fits."""
    busy = {thing.on for thing in things}
    pairs = [(row, under) for row, thing in enumerate(things)
             for under, base in enumerate(things)
             if row != under and thing.on is None and row not in busy
             and base.on is None and under not in busy and _carries(base, thing)]
    if not pairs:
        return things
    row, under = pairs[int(rng.integers(len(pairs)))]
    base = things[under]
    z = _FLOORS_M.get(base.shape, base.form.extents[2])
    return [replace(thing, xy=base.xy, z=z, on=under) if number == row else thing
            for number, thing in enumerate(things)]


def _carries(base: Thing, thing: Thing) -> bool:
    if thing.shape in _INSIDE.get(base.shape, ()):
        return _widest(thing.form) <= base.form.extents[0] / 2 * 0.72
    if thing.shape not in _UPON.get(base.shape, ()):
        return False
    return thing.form.extents[1] / 2 <= min(base.form.extents[:2]) / 2 * 0.9 + _OVERHANG_M


def _widest(form: Shape) -> float:
    return max(form.extents[:2]) / 2
