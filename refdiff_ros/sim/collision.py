"""What a shape is made of for physics: a few boxes, cylinders, capsules and spheres.

Rendered meshes are not used for contact, since MuJoCo takes a mesh by its convex hull and a mug
would be solid. Hollow bodies are rings of small boxes around a base. Metres, in the frame of
`shapes`: the object stands on z = 0, its main axis along x.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
import itertools
import math

import numpy as np

from refdiff_ros.errors import BadRequestError, require
from refdiff_ros.sim.meshes import Mesh
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
    rings = _mesh(form, 0).vertices.reshape(-1, _TUBE_SEGMENTS, 3)[1:-1]  # without the caps
    middles = rings.mean(axis=1)
    radii = np.linalg.norm(rings - middles[:, None], axis=2).mean(axis=1)
    rows = range(0, len(middles) - 2, 2)
    return [_capsule(middles[k], middles[k + 2], float(radii[k:k + 3].mean())) for k in rows]


def _mesh(form: Shape, part: int) -> Mesh:
    return require(form.parts[part].mesh, f'a mesh as part {part} of the shape')


def _foot(form: Shape) -> float:
    """Radius of the circle on which a body of revolution stands."""
    vertices = _mesh(form, 0).vertices
    return float(np.hypot(*vertices[vertices[:, 2] < 0.006, :2].T).max())


def _cup(form: Shape) -> list[Solid]:
    foot, top, height = _foot(form), form.extents[0] / 2, form.extents[2]
    return [_cylinder(foot * 0.95, 0.0, 0.008, 0.4),
            *_ring((foot, 0.004), (top, height), _WALL_M, 16, 0.6)]


def _jar(form: Shape) -> list[Solid]:
    radius, height = form.extents[0] / 2, form.extents[2]
    return [_cylinder(radius, 0.0, height * 0.68, 0.8),
            _cylinder(radius * 0.82, height * 0.68, height, 0.2)]


def _block(form: Shape) -> list[Solid]:
    side, height = form.extents[0], form.extents[2]
    half = side / 2
    return [Solid('box', (half, half, half), (0.0, 0.0, half), np.eye(3), 0.9),
            _cylinder(side * 0.27, side, height, 0.1)]


def _apple(form: Shape) -> list[Solid]:
    radius = form.extents[2] / 2
    return [Solid('sphere', (radius,), (0.0, 0.0, radius), np.eye(3))]


def _lemon(form: Shape) -> list[Solid]:
    radius, reach = form.extents[2] / 2 * 0.97, form.extents[0] / 2
    end = np.array([reach - 1.15 * radius, 0.0, radius])
    return [_capsule(end * [-1, 1, 1], end, radius)]


def _spoon(form: Shape) -> list[Solid]:
    reach, broad = form.extents[0] / 2, form.extents[1] / 2
    bowl = broad * 1.45
    middle = reach - bowl
    return [Solid('box', (bowl * 0.75, broad * 0.75, 0.0055), (middle, 0.0, 0.0055), np.eye(3),
                  0.6),
            _capsule(np.array([-reach + 0.006, 0.0, 0.006]),
                     np.array([middle - bowl * 0.75, 0.0, 0.009]), 0.0055, 0.4)]


def _screwdriver(form: Shape) -> list[Solid]:
    reach, thick = form.extents[0] / 2, form.extents[2] / 2
    grip = float(_mesh(form, 0).vertices[:, 0].max())  # where the handle ends
    return [_capsule(np.array([-reach + thick, 0.0, thick]),
                     np.array([grip - thick, 0.0, thick]), thick, 0.8),
            _capsule(np.array([grip, 0.0, thick]), np.array([reach - 0.005, 0.0, thick]), 0.0042,
                     0.2)]


def _tape(form: Shape) -> list[Solid]:
    radius, height = form.extents[0] / 2, form.extents[2]
    core = float(np.hypot(*_mesh(form, 1).vertices[:, :2].T).min())
    return _ring((radius, 0.0), (radius, height), radius - core, 20, 1.0)


def _lid(form: Shape) -> list[Solid]:
    radius, rise = form.extents[0] / 2, form.extents[2] - 0.02
    return [_cylinder(radius, 0.0, 0.006, 0.5), _cylinder(radius * 0.8, 0.006, rise * 0.6, 0.3),
            _cylinder(radius * 0.5, rise * 0.6, rise, 0.1),
            _cylinder(0.012, rise, form.extents[2] - 0.002, 0.1)]


def _teapot(form: Shape) -> list[Solid]:
    radius, height = form.extents[0] / 2, form.extents[2] / 1.22
    low, high = np.array([-radius * 0.86, 0, height * 0.25]), np.array([-radius * 0.86, 0,
                                                                        height * 0.85])
    far = np.array([-radius * 1.5, 0, height * 0.55])
    spout = np.array([radius * 0.85, 0, height * 0.4]), np.array([form.radius - 0.014, 0,
                                                                  height * 0.93])
    return [_cylinder(radius * 0.75, 0.0, height * 0.2, 0.3),
            _cylinder(radius * 0.97, height * 0.2, height * 0.7, 0.4),
            _cylinder(radius * 0.6, height * 0.7, height * 0.93, 0.15),
            _cylinder(0.01, height * 0.93, height * 1.2, 0.05),
            _capsule(low, far, 0.0066, 0.03), _capsule(far, high, 0.0066, 0.03),
            _capsule(*spout, 0.008, 0.04)]


def _pan(form: Shape) -> list[Solid]:
    radius, height = form.extents[1] / 2, form.extents[2]
    shift = form.extents[0] / 2 - radius  # the pan's middle is that far from the origin
    walls = [replace(solid, position=(solid.position[0] - shift, *solid.position[1:]))
             for solid in [_cylinder(radius * 0.85, 0.0, 0.005, 0.5),
                           *_ring((radius * 0.85, 0.0), (radius, height), _WALL_M, 20, 0.4)]]
    return [*walls, _capsule(np.array([radius - shift, 0.0, height * 0.9]),
                             np.array([form.extents[0] / 2 - 0.01, 0.0, height]), 0.0075, 0.1)]


_MAKERS: dict[str, Callable[[Shape], list[Solid]]] = {
    'mug': _mug, 'bowl': _bowl, 'bottle': _bottle, 'can': _can, 'box': _box, 'plate': _plate,
    'ball': _ball, 'banana': _banana, 'cup': _cup, 'jar': _jar, 'block': _block, 'book': _box,
    'apple': _apple, 'lemon': _lemon, 'spoon': _spoon, 'screwdriver': _screwdriver,
    'tape': _tape, 'lid': _lid, 'teapot': _teapot, 'pan': _pan}
