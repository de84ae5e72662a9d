"""What a shape is made of for physics: a few boxes, cylinders, capsules and spheres.

Rendered meshes are not used for contact, since MuJoCo takes a mesh by its convex hull and a mug
would be solid. Hollow bodies are rings of small boxes around a base. Metres, in the frame of
`shapes`: the object stands on z = 0, its main axis along x.
"""

from collections.abc import Callable
from dataclasses import dataclass
import itertools
import math

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.shapes import Shape

# Segments of the tubes that `meshes.tube` makes.
_TUBE_SEGMENTS = 12
# A little more than is seen, inwards: fingers must not slip through.
_WALL_M = 0.006


@dataclass(frozen=True)
class Solid:
    """One primitive.

    Attributes:
        kind: MuJoCo's 'box', 'cylinder', 'capsule' or 'sphere'.
        size: half extents, (radius, half height), or (radius,), metres.
        position: its centre.
        rotation: (3, 3); a cylinder's or capsule's axis is the third column.
        share: of the object's mass, up to a factor common to all of its solids.
    """

    kind: str
    size: tuple[float, ...]
    position: tuple[float, float, float]
    rotation: np.ndarray
    share: float = 1.0


def solids(name: str, form: Shape) -> tuple[Solid, ...]:
    """The solids of the shape called `name` in the size `form`.

    Raises:
        BadRequestError: there is no such shape.
    """
    if name not in _MAKERS:
        raise BadRequestError(f'expected a shape of {sorted(_MAKERS)}, got {name!r}')
    return tuple(_MAKERS[name](form))


def _cylinder(radius: float, low: float, high: float, share: float = 1.0) -> Solid:
    return Solid('cylinder', (radius, (high - low) / 2), (0.0, 0.0, (low + high) / 2), np.eye(3),
                 share)


def _capsule(first: np.ndarray, second: np.ndarray, radius: float, share: float = 1.0) -> Solid:
    axis = np.asarray(second, float) - first
    length = float(np.linalg.norm(axis))
    z = axis / length
    x = np.cross(z, [0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0])
    x /= np.linalg.norm(x)
    middle = (np.asarray(first, float) + second) / 2
    return Solid('capsule', (radius, length / 2), tuple(middle.tolist()),
                 np.column_stack([x, np.cross(z, x), z]), share)


def _ring(low_rz: tuple[float, float], high_rz: tuple[float, float], wall: float,
          count: int, share: float) -> list[Solid]:
    """A wall around the z axis between two outer (radius, height), of `count` boxes."""
    (r0, z0), (r1, z1) = low_rz, high_rz
    along = np.array([r1 - r0, z1 - z0])
    length = float(np.hypot(*along))
    along /= length
    inward = np.array([-along[1], along[0]])  # along turned towards the axis
    radius, height = (np.array([r0 + r1, z0 + z1]) + inward * wall) / 2
    half_width = max(r0, r1) * math.tan(math.pi / count)
    found = []
    for angle in np.arange(count) * 2 * np.pi / count:
        out, side = np.array([np.cos(angle), np.sin(angle), 0.0]), [-np.sin(angle),
                                                                   np.cos(angle), 0.0]
        up = along[0] * out + [0.0, 0.0, along[1]]
        rotation = np.column_stack([np.cross(side, up), side, up])
        position = out * radius + [0.0, 0.0, height]
        found.append(Solid('box', (wall / 2, half_width, length / 2), tuple(position.tolist()),
                           rotation, share / count))
    return found


def _mug(form: Shape) -> list[Solid]:
    radius, height = form.extents[0] / 2, form.extents[2]
    # The handle's middle line, as `shapes.mug` bends it.
    far, near = form.radius - 0.007, radius - 0.003
    low, high = height * 0.52 - height * 0.28, height * 0.52 + height * 0.28
    corner = near + 0.6 * (far - near)
    path = [(near, low), (corner, low), (far, height * 0.52 - 0.012), (far, height * 0.52 + 0.012),
            (corner, high), (near, high)]
    points = [np.array([x, 0.0, z]) for x, z in path]
    handle = [_capsule(a, b, 0.0068, 0.03) for a, b in itertools.pairwise(points)]
    return [_cylinder(radius * 0.93, 0.0, 0.009, 0.35),
            *_ring((radius, 0.006), (radius, height), _WALL_M, 16, 0.5), *handle]


def _bowl(form: Shape) -> list[Solid]:
    radius, height = form.extents[0] / 2, form.extents[2]
    start = 0.22 * np.pi
    profile = [(radius * np.sin(a), height * (1 - np.cos(a) / np.cos(start)))
               for a in np.linspace(start, 0.5 * np.pi, 4)]
    walls = [solid for low, high in itertools.pairwise(profile)
             for solid in _ring(low, high, _WALL_M, 16, 0.2)]
    return [_cylinder(profile[0][0], 0.0, 0.004, 0.4), *walls]


def _bottle(form: Shape) -> list[Solid]:
    radius, height = form.extents[0] / 2, form.extents[2]
    shoulder = height * 0.62
    return [_cylinder(radius, 0.0, shoulder, 0.8),
            _cylinder(radius * 0.86, shoulder, shoulder + 0.018, 0.08),
            _cylinder(radius * 0.55, shoulder + 0.018, shoulder + 0.04, 0.05),
            _cylinder(radius * 0.45, shoulder + 0.04, height, 0.07)]


def _can(form: Shape) -> list[Solid]:
    return [_cylinder(form.extents[0] / 2, 0.0, form.extents[2])]


def _box(form: Shape) -> list[Solid]:
    half = tuple(extent / 2 for extent in form.extents)
    return [Solid('box', half, (0.0, 0.0, half[2]), np.eye(3))]


def _plate(form: Shape) -> list[Solid]:
    radius = form.extents[0] / 2
    return [_cylinder(radius * 0.68, 0.0, 0.005, 0.6),
            *_ring((radius * 0.68, 0.002), (radius, 0.016), 0.003, 20, 0.4)]


def _ball(form: Shape) -> list[Solid]:
    radius = form.extents[0] / 2
    return [Solid('sphere', (radius,), (0.0, 0.0, radius), np.eye(3))]


def _banana(form: Shape) -> list[Solid]:
    rings = form.parts[0].mesh.vertices.reshape(-1, _TUBE_SEGMENTS, 3)[1:-1]  # without the caps
    middles = rings.mean(axis=1)
    radii = np.linalg.norm(rings - middles[:, None], axis=2).mean(axis=1)
    rows = range(0, len(middles) - 2, 2)
    return [_capsule(middles[k], middles[k + 2], float(radii[k:k + 3].mean())) for k in rows]


_MAKERS: dict[str, Callable[[Shape], list[Solid]]] = {
    'mug': _mug, 'bowl': _bowl, 'bottle': _bottle, 'can': _can, 'box': _box, 'plate': _plate,
    'ball': _ball, 'banana': _banana}
