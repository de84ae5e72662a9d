"""Small triangle meshes: surfaces of revolution and tubes along a path.

Letters: V vertices, F triangles. Metres; z is up and the object stands on z = 0.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """Vertices (V, 3) float64 and triangles (F, 3) int, seen from outside counter-clockwise."""

    vertices: np.ndarray
    faces: np.ndarray


def revolve(profile_rz: list[tuple[float, float]], segments: int = 40) -> Mesh:
    """The surface that a closed outline in (radius, height) sweeps around the z axis.

    The outline runs from the axis along the outside and, for a hollow body, back along the
    inside; both ends lie on the axis.
    """
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rows = np.concatenate([
        np.column_stack([ring * radius, np.full(segments, height)])
        for radius, height in profile_rz])
    return Mesh(rows, _grid_faces(len(profile_rz), segments))


def cuboid(
    half_sizes: tuple[float, float, float], position: tuple[float, float, float],
) -> Mesh:
    """A box around `position`; each face has corners of its own, so that edges stay sharp."""
    vertices: list[np.ndarray] = []
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        side, up = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1, 1):
            first = len(vertices)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = np.zeros(3)
                corner[axis], corner[side], corner[up] = sign, a * sign, b
                vertices.append(corner)
            faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    return Mesh(np.array(vertices) * half_sizes + position, np.array(faces))


def tube(path: np.ndarray, radii: np.ndarray, segments: int = 12) -> Mesh:
    """A round tube along `path` (n, 3) with a radius per point, closed at both ends."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    # The paths used here are plane curves; their plane's normal never turns along the tangent.
    normal = np.cross(path[1] - path[0], path[-1] - path[0])
    if np.linalg.norm(normal) < 1e-9:  # straight: any plane through it will do
        normal = np.cross(tangents[0], np.eye(3)[np.abs(tangents[0]).argmin()])
    normal /= np.linalg.norm(normal)
    side = np.cross(tangents, normal)
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    circle = (np.cos(angles)[None, :, None] * normal
              + np.sin(angles)[None, :, None] * side[:, None])  # (n, segments, 3)
    rings = path[:, None] + radii[:, None, None] * circle
    caps = [np.repeat(path[:1], segments, axis=0), np.repeat(path[-1:], segments, axis=0)]
    rows = np.concatenate([caps[0], rings.reshape(-1, 3), caps[1]])
    return Mesh(rows, _grid_faces(len(path) + 2, segments)[:, ::-1])


def _grid_faces(rings: int, segments: int) -> np.ndarray:
    faces = []
    for ring in range(rings - 1):
        for column in range(segments):
            a = ring * segments + column
            b = ring * segments + (column + 1) % segments
            faces += [(a, b, b + segments), (a, b + segments, a + segments)]
    return np.array(faces)
