"""The shapes of real things that stand on the table: one function a shape.

Metres; each shape stands on z = 0 with its main horizontal axis along x.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refdiff_ros.sim.meshes import Mesh, revolve, tube

_METAL = (0.75, 0.75, 0.78)


@dataclass(frozen=True)
class Part:
    """One piece of a shape: a mesh, a box or an ellipsoid.

    Attributes:
        kind: 'mesh', 'box' or 'ellipsoid'.
        mesh: the mesh of a 'mesh'.
        half_sizes: half extents of a 'box' or 'ellipsoid', metres.
        position: centre of a 'box' or 'ellipsoid', metres.
        rgb: a colour of its own; None takes the object's.
    """

    kind: str
    mesh: Mesh | None = None
    half_sizes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rgb: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Shape:
    """A shape in one size.

    Attributes:
        parts: what is rendered.
        extents: of the part a gripper closes on, along x (main axis), y and z, metres.
        radius: of the circle around the z axis that holds all parts, metres.
        round: whether it has no main horizontal axis (a ball, a bottle, a mug's body).
    """

    parts: tuple[Part, ...]
    extents: tuple[float, float, float]
    radius: float
    round: bool


def mug(rng: np.random.Generator) -> Shape:
    """A hollow cylinder with a handle on one side."""
    radius, height, wall = rng.uniform(0.036, 0.044), rng.uniform(0.085, 0.105), 0.004
    body = revolve([
        (0, 0), (radius * 0.9, 0), (radius, 0.006), (radius, height), (radius - wall, height),
        (radius - wall, 0.01), (0, 0.008)])
    angle = np.linspace(-0.52 * np.pi, 0.52 * np.pi, 15)
    reach, rise = radius * 0.85, height * 0.3
    path = np.column_stack([
        radius - 0.003 + reach * np.cos(angle) - reach * np.cos(angle[0]),
        np.zeros(15), height * 0.52 + rise * np.sin(angle)])
    handle = tube(path, np.full(15, 0.0068))
    return Shape((Part('mesh', body), Part('mesh', handle)), (2 * radius, 2 * radius, height),
                 float(path[:, 0].max() + 0.007), round=True)


def bowl(rng: np.random.Generator) -> Shape:
    """A hollow half sphere on a small foot."""
    radius, height, wall = rng.uniform(0.06, 0.08), rng.uniform(0.045, 0.06), 0.004
    angle = np.linspace(0.22 * np.pi, 0.5 * np.pi, 9)
    outer = [(radius * np.sin(a), height * (1 - np.cos(a) / np.cos(angle[0]))) for a in angle]
    inner = [((radius - wall) * r / radius, wall + z * (height - wall) / height)
             for r, z in outer[::-1]]
    inner[0] = (radius - wall, height)
    body = revolve([(0, 0), *outer, *inner, (0, wall)])
    return Shape((Part('mesh', body),), (2 * radius, 2 * radius, height), radius, round=True)


def bottle(rng: np.random.Generator) -> Shape:
    """A body with shoulders, a neck and a white cap."""
    radius, height = rng.uniform(0.03, 0.037), rng.uniform(0.18, 0.23)
    neck, shoulder = radius * 0.38, height * 0.62
    body = revolve([
        (0, 0), (radius * 0.92, 0), (radius, 0.006), (radius, shoulder),
        (radius * 0.86, shoulder + 0.018), (radius * 0.55, shoulder + 0.036),
        (neck, shoulder + 0.048), (neck, height - 0.02), (0, height - 0.02)])
    cap = revolve([(0, height - 0.02), (neck * 1.25, height - 0.02), (neck * 1.25, height),
                   (0, height)], segments=24)
    return Shape((Part('mesh', body), Part('mesh', cap, rgb=(0.95, 0.95, 0.95))),
                 (2 * radius, 2 * radius, height), radius, round=True)


def can(rng: np.random.Generator) -> Shape:
    """A drinks can: a painted side, bare metal at both ends."""
    radius, height = rng.uniform(0.031, 0.036), rng.uniform(0.1, 0.125)
    side = revolve([(0, 0.008), (radius, 0.008), (radius, height - 0.01),
                    (radius * 0.86, height - 0.006), (0, height - 0.006)])
    base = revolve([(0, 0), (radius * 0.82, 0), (radius, 0.0085), (0, 0.0085)])
    lid = revolve([(0, height - 0.0055), (radius * 0.87, height - 0.0055),
                   (radius * 0.85, height), (radius * 0.78, height),
                   (radius * 0.76, height - 0.003), (0, height - 0.003)])
    return Shape(
        (Part('mesh', side), Part('mesh', base, rgb=_METAL), Part('mesh', lid, rgb=_METAL)),
        (2 * radius, 2 * radius, height), radius, round=True)


def box(rng: np.random.Generator) -> Shape:
    """A carton."""
    length, width = rng.uniform(0.1, 0.16), rng.uniform(0.05, 0.075)
    height = rng.uniform(0.05, 0.11)
    half = (length / 2, width / 2, height / 2)
    return Shape((Part('box', half_sizes=half, position=(0, 0, height / 2)),),
                 (length, width, height), float(np.hypot(length, width) / 2), round=False)


def plate(rng: np.random.Generator) -> Shape:
    """A flat dish with a raised rim."""
    radius = rng.uniform(0.085, 0.11)
    body = revolve([
        (0, 0), (radius * 0.6, 0), (radius * 0.7, 0.003), (radius, 0.016), (radius, 0.0185),
        (radius * 0.68, 0.0075), (radius * 0.6, 0.005), (0, 0.005)])
    return Shape((Part('mesh', body),), (2 * radius, 2 * radius, 0.0185), radius, round=True)


def ball(rng: np.random.Generator) -> Shape:
    """A ball."""
    radius = rng.uniform(0.032, 0.045)
    return Shape(
        (Part('ellipsoid', half_sizes=(radius,) * 3, position=(0, 0, radius)),),
        (2 * radius,) * 3, radius, round=True)


def banana(rng: np.random.Generator) -> Shape:
    """A bent, tapered tube that lies on its side, with a dark stem."""
    length, thickness = rng.uniform(0.16, 0.2), rng.uniform(0.016, 0.02)
    bend = 0.62
    angle = np.linspace(-bend, bend, 17)
    bow = length / (2 * np.sin(bend))
    path = np.column_stack([
        bow * np.sin(angle), bow * (np.cos(angle) - (1 + np.cos(bend)) / 2),
        np.full(17, thickness)])
    along = np.linspace(-1, 1, 17)
    radii = thickness * np.clip(1.05 - 0.75 * np.abs(along) ** 4, 0.3, 1.0)
    stem = tube(np.stack([path[-1], path[-1] + (path[-1] - path[-2]) * 1.1,
                          path[-1] + (path[-1] - path[-2]) * 1.8 + [0, 0.003, 0]]),
                np.full(3, thickness * 0.28))
    width = float(np.ptp(path[:, 1]) + 2 * thickness)
    return Shape((Part('mesh', tube(path, radii)), Part('mesh', stem, rgb=(0.3, 0.2, 0.1))),
                 (length, width, 2 * thickness), length / 2 + 0.02, round=False)


SHAPES: dict[str, Callable[[np.random.Generator], Shape]] = {
    function.__name__: function
    for function in (mug, bowl, bottle, can, box, plate, ball, banana)}

COLOURS: dict[str, tuple[float, float, float]] = {
    'red': (0.80, 0.08, 0.08), 'green': (0.10, 0.55, 0.15), 'blue': (0.10, 0.22, 0.75),
    'yellow': (0.93, 0.80, 0.10), 'orange': (0.95, 0.45, 0.05), 'purple': (0.45, 0.12, 0.60),
    'white': (0.93, 0.93, 0.93), 'black': (0.06, 0.06, 0.07), 'pink': (0.95, 0.50, 0.65),
    'brown': (0.40, 0.22, 0.10),
}

# What a person would call wrongly named in another colour.
COLOURS_OF = {'banana': ('yellow', 'green')}
