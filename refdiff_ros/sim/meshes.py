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


def tube(path: np.ndarray, radii: np.ndarray, segments: int = 12) -> Mesh:
    """A round tube along `path` (n, 3) with a radius per point, closed at both ends."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    # The paths used here are plane curves; their plane's normal never turns along the tangent.
    normal = np.cross(path[1] - path[0], path[-1] - path[0])
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
