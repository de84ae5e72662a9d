"""The twenty shapes of the wider world: the eight of `shapes` in more proportions, twelve more.

Metres, as in `shapes`. Boxes and balls are meshes here too, so that a pattern can be painted on.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from refdiff_ros.sim import shapes
from refdiff_ros.sim.meshes import cuboid, Mesh, revolve, tube
from refdiff_ros.sim.shapes import Part, Shape

_METAL = (0.75, 0.75, 0.78)
_PAPER = (0.92, 0.90, 0.84)
_CARDBOARD = (0.62, 0.48, 0.32)
_GOLD = (0.78, 0.62, 0.25)
_DARK = (0.16, 0.15, 0.15)
_STEM = (0.3, 0.2, 0.1)


def _scaled(shape: Shape, across: float, upwards: float) -> Shape:
    """`shape` scaled alike along x and y, and along z."""
    factors = np.array([across, across, upwards])

    def part(old: Part) -> Part:
        if old.mesh is not None:
            return replace(old, mesh=replace(old.mesh, vertices=old.mesh.vertices * factors))
        return replace(old, half_sizes=tuple((factors * old.half_sizes).tolist()),
                       position=tuple((factors * old.position).tolist()))
    return Shape(tuple(map(part, shape.parts)), tuple((factors * shape.extents).tolist()),
                 shape.radius * across, shape.round)


def _varied(make: Callable[[np.random.Generator], Shape]) -> Callable[..., Shape]:
    """A shape of today's eight in more proportions."""
    def varied(rng: np.random.Generator) -> Shape:
        return _scaled(make(rng), rng.uniform(0.85, 1.2), rng.uniform(0.85, 1.2))
    return varied


def _ball(rng: np.random.Generator) -> Shape:
    """A ball."""
    radius = rng.uniform(0.026, 0.048)
    angle = np.linspace(0, np.pi, 15)
    mesh = revolve([(radius * abs(np.sin(a)), radius * (1 - np.cos(a))) for a in angle])
    return Shape((Part('mesh', mesh),), (2 * radius,) * 3, radius, round=True)


def _box(rng: np.random.Generator) -> Shape:
    """A carton, at least half as long again as wide; some have a strip of tape over the lid."""
    width, height = rng.uniform(0.045, 0.085), rng.uniform(0.035, 0.12)
    length = width * rng.uniform(1.5, 2.3)
    parts = [Part('mesh', cuboid((length / 2, width / 2, height / 2), (0, 0, height / 2)))]
    if rng.random() < 0.4:
        parts.append(Part('mesh', cuboid((length / 2 + 0.0004, width * 0.09, 0.0006),
                                         (0, 0, height)), rgb=_CARDBOARD))
    return Shape(tuple(parts), (length, width, height), float(np.hypot(length, width) / 2),
                 round=False)


def cup(rng: np.random.Generator) -> Shape:
    """A tumbler: wider at the rim than at the foot, no handle."""
    top, height, wall = rng.uniform(0.034, 0.044), rng.uniform(0.075, 0.115), 0.003
    foot = top * rng.uniform(0.62, 0.75)
    body = revolve([
        (0, 0), (foot * 0.94, 0), (foot, 0.004), (top, height), (top - wall, height),
        (foot - wall, 0.008), (0, 0.006)])
    return Shape((Part('mesh', body),), (2 * top, 2 * top, height), top, round=True)


def jar(rng: np.random.Generator) -> Shape:
    """A squat body with round shoulders, and a screw lid of brass."""
    radius, height = rng.uniform(0.036, 0.048), rng.uniform(0.075, 0.11)
    body, neck = height * 0.8, radius * 0.78
    side = revolve([
        (0, 0), (radius * 0.88, 0), (radius, 0.01), (radius, body * 0.72),
        (radius * 0.95, body * 0.88), (neck, body), (0, body)])
    lid = revolve([(0, body), (neck * 1.06, body), (neck * 1.06, height - 0.003),
                   (neck, height), (0, height)])
    return Shape((Part('mesh', side), Part('mesh', lid, rgb=_GOLD)),
                 (2 * radius, 2 * radius, height), radius, round=True)


def block(rng: np.random.Generator) -> Shape:
    """A toy brick: a cube with a round stud in the middle of its top."""
    side = rng.uniform(0.038, 0.056)
    stud, rise = side * 0.27, side * 0.2
    body = cuboid((side / 2,) * 3, (0, 0, side / 2))
    top = revolve([(0, side), (stud, side), (stud, side + rise), (0, side + rise)], segments=24)
    return Shape((Part('mesh', body), Part('mesh', top)), (side, side, side + rise),
                 side * 0.708, round=False)


def book(rng: np.random.Generator) -> Shape:
    """A closed book that lies on its back: two covers, a spine, and a block of pages."""
    length, thick = rng.uniform(0.12, 0.18), rng.uniform(0.018, 0.04)
    width, cover = length * rng.uniform(0.66, 0.8), 0.003
    half = (length / 2, width / 2)
    pages = cuboid((half[0] - 0.004, half[1] - 0.004, thick / 2 - cover), (0, 0, thick / 2))
    covers = [cuboid((*half, cover / 2), (0, 0, z)) for z in (cover / 2, thick - cover / 2)]
    spine = cuboid((half[0], cover / 2, thick / 2), (0, half[1] - cover / 2, thick / 2))
    title = cuboid((half[0] * 0.5, half[1] * 0.16, 0.0005),
                   (0, -half[1] * 0.3, thick), )
    return Shape((*(Part('mesh', mesh) for mesh in (*covers, spine)),
                  Part('mesh', pages, rgb=_PAPER), Part('mesh', title, rgb=_PAPER)),
                 (length, width, thick), float(np.hypot(length, width) / 2), round=False)


_APPLE_RZ = ((0, 0.1), (0.22, 0.0), (0.58, 0.1), (0.88, 0.42), (1.0, 0.85), (0.97, 1.2),
             (0.78, 1.55), (0.5, 1.7), (0.25, 1.66), (0.1, 1.5), (0, 1.45))


def apple(rng: np.random.Generator) -> Shape:
    """An apple with a dimple, a stem and a leaf."""
    radius = rng.uniform(0.032, 0.042)
    body = revolve([(radius * r, radius * z) for r, z in _APPLE_RZ])
    lean = np.array([[0, 0, 1.45], [0.1, 0, 1.8], [0.26, 0, 2.1]]) * radius
    stem = tube(lean, np.full(3, radius * 0.09))
    leaf = tube(np.array([[0.12, 0, 1.8], [0.4, 0.1, 1.92], [0.72, 0.3, 1.84]]) * radius,
                np.array([0.05, 0.17, 0.03]) * radius)
    parts = (Part('mesh', body), Part('mesh', stem, rgb=_STEM),
             Part('mesh', leaf, rgb=(0.2, 0.42, 0.12)))
    return Shape(parts, (2 * radius, 2 * radius, 1.7 * radius), radius, round=True)


_LEMON_RX = ((0, 0), (0.1, 0.03), (0.2, 0.16), (0.5, 0.34), (0.85, 0.7), (1.0, 1.2),
             (0.98, 1.6), (0.78, 2.02), (0.45, 2.3), (0.22, 2.42), (0.14, 2.56), (0, 2.6))


def lemon(rng: np.random.Generator) -> Shape:
    """A lemon that lies on its side, with a tip at either end."""
    radius = rng.uniform(0.025, 0.031)
    upright = revolve([(radius * r, radius * x) for r, x in _LEMON_RX])
    length = 2.6 * radius
    return Shape((Part('mesh', _laid(upright, length, radius)),),
                 (length, 2 * radius, 2 * radius), length / 2, round=False)


def _laid(upright: Mesh, length: float, height: float) -> Mesh:
    """A mesh along z from 0 to `length`, laid along x with its axis `height` above the table."""
    x, y, z = upright.vertices.T
    return Mesh(np.column_stack([z - length / 2, y, height - x]), upright.faces)


def spoon(rng: np.random.Generator) -> Shape:
    """A spoon that lies on its back: an oval bowl and a handle that widens to its end."""
    length, broad = rng.uniform(0.15, 0.2), rng.uniform(0.021, 0.026)
    bowl, deep = broad * 1.45, 0.011
    angle = np.linspace(0.12, np.pi / 2, 7)
    outer = [(np.sin(a), 1 - np.cos(a)) for a in angle]
    inner = [(0.86 * r, 0.28 + 0.72 * z) for r, z in outer[::-1]]
    dish = revolve([(0, 0), *outer, *inner, (0, 0.28)])
    middle = length / 2 - bowl
    dish = Mesh(dish.vertices * [bowl, broad, deep] + [middle, 0, 0], dish.faces)
    start = middle - bowl * 0.94
    path = np.array([[start, 0, deep], [start - 0.015, 0, deep + 0.006],
                     [start - 0.04, 0, deep + 0.004], [-length / 2 + 0.02, 0, 0.007],
                     [-length / 2, 0, 0.006]])
    handle = tube(path, np.array([0.005, 0.0045, 0.0045, 0.0065, 0.005]))
    return Shape((Part('mesh', dish), Part('mesh', handle)), (length, 2 * broad, deep + 0.008),
                 length / 2 + 0.004, round=False)


def screwdriver(rng: np.random.Generator) -> Shape:
    """A screwdriver that lies: a thick ribbed handle, a shaft of steel with a flat tip."""
    grip, thick = rng.uniform(0.085, 0.105), rng.uniform(0.0135, 0.017)
    shaft = rng.uniform(0.075, 0.11)
    length = grip + shaft
    profile = [(0, 0), (0.7, 0), (0.98, 0.08), (1.0, 0.3), (0.84, 0.38), (1.0, 0.46),
               (0.98, 0.72), (0.6, 0.84), (0.72, 1.0), (0, 1.0)]
    handle = _laid(revolve([(r * thick, z * grip) for r, z in profile], segments=16), length,
                   thick)
    middle = np.array([[grip - 0.004, 0, 0], [length - 0.016, 0, 0], [length - 0.012, 0, 0]])
    rod = tube(middle + np.array([-length / 2, 0, thick]), np.full(3, 0.0042))
    tip = cuboid((0.009, 0.006, 0.0018), (length / 2 - 0.009, 0, thick))
    return Shape((Part('mesh', handle), Part('mesh', rod, rgb=_METAL),
                  Part('mesh', tip, rgb=_METAL)),
                 (length, 2 * thick, 2 * thick), length / 2, round=False)


def tape(rng: np.random.Generator) -> Shape:
    """A roll of tape that lies flat: a ring around a core of cardboard."""
    radius, height = rng.uniform(0.036, 0.052), rng.uniform(0.02, 0.036)
    inner = radius * rng.uniform(0.55, 0.66)
    core = inner - 0.004

    def ring(inside: float, outside: float, low: float, high: float) -> Mesh:
        return revolve([(inside, low), (outside, low), (outside, high), (inside, high),
                        (inside, low)])
    return Shape((Part('mesh', ring(inner, radius, 0, height)),
                  Part('mesh', ring(core, inner, 0, height - 0.001), rgb=_CARDBOARD)),
                 (2 * radius, 2 * radius, height), radius, round=True)


def lid(rng: np.random.Generator) -> Shape:
    """The lid of a pot: a dome with a rim of steel and a knob."""
    radius, rise = rng.uniform(0.05, 0.075), rng.uniform(0.02, 0.03)
    dome = revolve([(0, 0.002), (radius * 0.96, 0.002), (radius * 0.96, 0.006),
                    (radius * 0.8, rise * 0.5), (radius * 0.5, rise * 0.85), (0, rise)])
    rim = revolve([(radius * 0.9, 0), (radius, 0), (radius, 0.006), (radius * 0.9, 0.0062),
                   (radius * 0.9, 0)])
    knob = revolve([(0, rise - 0.002), (0.006, rise - 0.002), (0.006, rise + 0.007),
                    (0.013, rise + 0.011), (0.012, rise + 0.018), (0, rise + 0.02)], segments=20)
    return Shape((Part('mesh', dome), Part('mesh', rim, rgb=_METAL), Part('mesh', knob)),
                 (2 * radius, 2 * radius, rise + 0.02), radius, round=True)


def teapot(rng: np.random.Generator) -> Shape:
    """A round body with a lid and its knob, a spout on one side, a handle on the other."""
    radius, height = rng.uniform(0.045, 0.056), rng.uniform(0.075, 0.095)
    body = revolve([
        (0, 0), (radius * 0.62, 0), (radius * 0.86, height * 0.16), (radius, height * 0.45),
        (radius * 0.9, height * 0.74), (radius * 0.6, height * 0.9), (radius * 0.34, height),
        (0.008, height * 1.03), (0.006, height * 1.07), (0.011, height * 1.12),
        (0.009, height * 1.2), (0, height * 1.22)])
    reach = radius * 0.85
    spout = tube(np.array([[radius * 0.8, 0, height * 0.35],
                           [radius + reach * 0.35, 0, height * 0.45],
                           [radius + reach * 0.6, 0, height * 0.75],
                           [radius + reach * 0.95, 0, height * 0.98]]),
                 np.array([0.017, 0.013, 0.009, 0.0075]))
    angle = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 13)
    handle = tube(np.column_stack([
        -radius * 0.86 - reach * 0.8 * np.cos(angle), np.zeros(13),
        height * 0.55 + height * 0.3 * np.sin(angle)]), np.full(13, 0.0066))
    far = radius + reach * 0.95 + 0.008
    return Shape((Part('mesh', body), Part('mesh', spout), Part('mesh', handle)),
                 (2 * radius, 2 * radius, height * 1.22), far, round=True)


def pan(rng: np.random.Generator) -> Shape:
    """A frying pan: a flat dish with steep walls and a long dark handle."""
    radius, height, wall = rng.uniform(0.056, 0.07), rng.uniform(0.026, 0.036), 0.004
    grip = radius * rng.uniform(1.2, 1.5)
    shift = grip / 2  # the middle of pan and handle stands over the origin
    body = revolve([
        (0, 0), (radius * 0.85, 0), (radius, height), (radius - wall, height),
        (radius * 0.85 - wall, 0.004), (0, 0.004)])
    body = Mesh(body.vertices - [shift, 0, 0], body.faces)
    path = np.array([[radius - 0.004, 0, height * 0.78], [radius + 0.02, 0, height * 0.95],
                     [radius + grip, 0, height + 0.008]]) - [shift, 0, 0]
    handle = tube(path, np.array([0.0055, 0.0085, 0.0075]))
    return Shape((Part('mesh', body), Part('mesh', handle, rgb=_DARK)),
                 (2 * radius + grip, 2 * radius, height), radius + grip / 2, round=False)


WIDE_SHAPES: dict[str, Callable[[np.random.Generator], Shape]] = {
    **{name: _varied(shapes.SHAPES[name])
       for name in ('mug', 'bowl', 'bottle', 'can', 'plate', 'banana')},
    'box': _box, 'ball': _ball,
    **{function.__name__: function for function in (
        cup, jar, block, book, apple, lemon, spoon, screwdriver, tape, lid, teapot, pan)}}
