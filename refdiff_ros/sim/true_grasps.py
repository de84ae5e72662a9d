"""How a gripper should close on an object of a rendered scene, from what the simulator knows.

The pose is the one that `msg/GraspRegion` defines, with exact depth, the true mask and the
object's true axis in the places of what the grasp stage estimates.
"""

from dataclasses import dataclass
import math

import numpy as np

from refdiff_ros.errors import require
from refdiff_ros.sim.render import SceneObject, SceneView
from refdiff_ros.sim.shapes import Part

# Seen nearer to end-on than this, an axis has no direction in the picture to speak of.
_END_ON_DEG = 45.0
# A box has a main axis when it is so many times as long as wide and high.
_LONG = 1.5


@dataclass(frozen=True)
class SceneGrasp:
    """The truth about one grasp, in the camera's optical frame (REP-103).

    Attributes:
        position: (3,) metres, the centre of the visible surface.
        rotation: (3, 3) whose columns are the closing direction, the object's axis and the
            approach; None for an object without an axis (a ball, a bowl).
        width_m: extent of the whole object along the closing direction; None without one.
    """

    position: np.ndarray
    rotation: np.ndarray | None = None
    width_m: float | None = None


def true_grasp(view: SceneView, row: int) -> SceneGrasp:
    """The grasp of an object of which something is seen."""
    position = surface_centre(view, view.masks[row])
    axis = true_axis(view.objects[row])
    if axis is None:
        return SceneGrasp(position)
    across = np.cross(axis, position / np.linalg.norm(position))
    across /= np.linalg.norm(across)
    rotation = np.stack([across, axis, np.cross(across, axis)], 1)
    return SceneGrasp(position, rotation, _extent(view, row, across))


def surface_centre(view: SceneView, mask: np.ndarray) -> np.ndarray:
    """(3,) metres in the optical frame: mean of the exact surface points of a mask's pixels.

    Args:
        view: with exact depth.
        mask: (H, W) bool, not empty.
    """
    camera = require(view.frame.camera, 'intrinsics of a rendered view')
    v, u = mask.nonzero()
    z = require(view.frame.depth_m, 'depth of a rendered view')[v, u].astype(np.float64)
    return np.stack([(u - camera.cx) * z / camera.fx, (v - camera.cy) * z / camera.fy, z],
                    1).mean(0)


def true_axis(thing: SceneObject) -> np.ndarray | None:
    """(3,) unit vector in the optical frame, or None where no axis is defined.

    Bottles and cans have their upright axis of revolution, bananas their chord, long boxes their
    length. Mugs, bowls, plates and balls have none, nor has what is seen nearly end-on.
    """
    length, width, height = thing.extents
    if thing.shape in ('bottle', 'can'):
        axis = thing.rotation[:, 2]
    elif thing.shape == 'banana' or (
            thing.shape == 'box' and length >= _LONG * max(width, height)):
        axis = thing.rotation[:, 0]
    else:
        return None
    ray = thing.centre / np.linalg.norm(thing.centre)
    return axis if abs(axis @ ray) <= math.cos(math.radians(_END_ON_DEG)) else None


def _extent(view: SceneView, row: int, direction: np.ndarray) -> float:
    """Metres from one end to the other of all parts of an object along a unit vector (3,)."""
    local = view.objects[row].rotation.T @ direction
    spans = np.array([_span(part, local) for part in view.scene.things[row].form.parts])
    return float(spans[:, 1].max() - spans[:, 0].min())


def _span(part: Part, direction: np.ndarray) -> tuple[float, float]:
    """The ends of one part along a unit vector (3,) in the object's frame, metres."""
    if part.mesh is not None:
        along = part.mesh.vertices @ direction
        return float(along.min()), float(along.max())
    reach = np.abs(np.array(part.half_sizes) * direction)
    half = float(reach.sum() if part.kind == 'box' else np.linalg.norm(reach))
    middle = float(np.array(part.position) @ direction)
    return middle - half, middle + half
