"""From a region in the picture and its visible surface to a pose and sizes in metres.

One view shows one side: the pose is of the visible surface, and nothing is said about what lies
behind it. Across the main axis the width is measured at the silhouette's own depth, which on a
round object lies deeper than the surface that faces the camera: with the front's depth a ball
would come out too small by its radius over its distance.
"""

from dataclasses import replace
import math

import numpy as np

from refdiff_ros.grasp.config import GraspConfig
from refdiff_ros.grasp.lens import rays
from refdiff_ros.grasp.rectangle import Rectangle
from refdiff_ros.grasp.results import GraspCandidate, Pose, quaternion
from refdiff_ros.grasp.surface import back_project, robust_fit, Surface
from refdiff_ros.masks import pixels_vu
from refdiff_ros.results import Camera

# Extents leave this share of the points out at either end, percent.
_EXTENT_TAIL = 1.0
# Points that the extents and the slope are taken from; more do not make them better.
_EXTENT_POINTS = 50_000
_SLOPE_POINTS = 10_000
# Where the slope is taken: distance from the main axis in widths, and from the centre along it in
# lengths.
_FLANKS = (0.2, 0.4)
_MIDDLE = 0.35
# Pixels this near to the outermost one lie on the same side.
_SIDE_PX = 1.0
# Limits of the two bands behind a contact: a share of the region's width and pixels more.
_BANDS = ((0.05, 1.5), (0.15, 2.5), (0.25, 3.5))


def region_pose(mask: np.ndarray, surface: Surface, rectangle: Rectangle, camera: Camera,
                config: GraspConfig | None = None,
                ) -> tuple[Pose, float, tuple[float, float, float]]:
    """Pose, gripper opening and extents of a region.

    Args:
        mask: (H, W) bool.
        surface: its visible surface.
        rectangle: its oriented rectangle.
        camera: intrinsics.
        config: settings.

    Returns:
        The pose in the optical frame: position is the mean of the visible surface's points
        (each pixel counts once) in metres, y runs along the main axis on the surface, x across
        it and across the viewing ray, z away from the camera. Then the opening in metres across
        the main axis, and the extents in metres along the pose's x, y and z.
    """
    config = config or GraspConfig()
    v, u = pixels_vu(mask)
    points = back_project(u, v, surface.depth_m[v, u], camera)  # (M, 3)
    position = points.mean(0)
    axes = _axes(position, surface, rectangle, camera, config)
    few = points[::max(len(points) // _EXTENT_POINTS, 1)]
    local = (few - position) @ axes  # (<= M, 3)
    low, high = np.percentile(local, [_EXTENT_TAIL, 100 - _EXTENT_TAIL], axis=0)
    width = opening(mask, surface, rectangle, camera, axes[:, 0])
    pose = Pose(tuple(position.tolist()), quaternion(axes))
    return pose, width, tuple((high - low).tolist())


def opening(mask: np.ndarray, surface: Surface, rectangle: Rectangle, camera: Camera,
            closing: np.ndarray) -> float:
    """Metres that jaws must open to pass the region on both sides across its main axis.

    Args:
        mask: (H, W) bool.
        surface: its visible surface.
        rectangle: its oriented rectangle, whose long sides the contacts lie on.
        camera: intrinsics.
        closing: (3,) unit vector along which the opening is measured.
    """
    across = rectangle.across
    v, u = pixels_vu(mask)
    offset = np.stack([u, v], 1) @ across
    center = np.array(rectangle.center)
    ends = []
    for sign in (1, -1):
        # Halfway along the pixels that are outermost: a straight side has many.
        outermost = np.flatnonzero(sign * offset > (sign * offset).max() - _SIDE_PX)
        along = np.stack([u, v], 1)[outermost] @ rectangle.axis
        middle = outermost[np.argsort(along, kind='stable')[len(along) // 2]]
        contact = np.array([u[middle], v[middle]], float)
        # On the rectangle's side, which is the mask's edge and not its last pixel's centre.
        contact += (center @ across + sign * rectangle.width_px / 2
                    - contact @ across) * across
        depth = rim_depth(contact, -sign * across, rectangle.width_px, surface, camera)
        ends.append(back_project(contact[0], contact[1], np.asarray(depth), camera))
    return float(abs((ends[0] - ends[1]) @ closing))


def rim_depth(contact: np.ndarray, inward: np.ndarray, width_px: float,
              surface: Surface, camera: Camera) -> float:
    """Depth in metres of the surface where it ends at a contact.

    The last pixels are not believed (flying pixels), so the depth is carried on from inside: the
    medians of two bands behind the rim, and their slope where it goes away from the camera.

    Args:
        contact: (u, v) on the silhouette.
        inward: (2,) unit vector from the contact into the region.
        width_px: width of the region there.
        surface: its visible surface.
        camera: intrinsics.
    """
    starts = [share * width_px + rim for share, rim in _BANDS]
    near = band_depth(contact, inward, starts[0], starts[1], surface)
    far = band_depth(contact, inward, starts[1], starts[2], surface)
    if near is None:
        v, u = np.rint(contact).astype(int)[::-1]
        height, width = surface.depth_m.shape
        return nearest_depth(min(max(u, 0), width - 1), min(max(v, 0), height - 1), surface)
    if far is None:
        return near
    # Near its rim a round surface falls away with the root of the distance from it.
    root_near, root_far = math.sqrt((starts[0] + starts[1]) / 2), math.sqrt(
        (starts[1] + starts[2]) / 2)
    beyond = max(near - far, 0.0) * root_near / (root_far - root_near)
    # It ends at most its radius behind its front.
    return near + min(beyond, 0.5 * width_px * near / camera.fx)


def band_depth(contact: np.ndarray, inward: np.ndarray, start_px: float, end_px: float,
               surface: Surface, half_px: float = 2.0) -> float | None:
    """Median believed depth in a small rectangle behind a contact, None without a reading."""
    steps = np.arange(start_px, end_px + 0.5, 1.0)
    sideways = np.arange(-half_px, half_px + 0.5, 1.0)
    normal = np.array([-inward[1], inward[0]])
    at = (contact + steps[:, None, None] * inward + sideways[None, :, None] * normal)
    u, v = np.rint(at.reshape(-1, 2)).astype(int).T
    height, width = surface.usable.shape
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    u, v = u[inside], v[inside]
    values = surface.depth_m[v, u][surface.usable[v, u]]
    return float(np.median(values)) if len(values) >= 3 else None


def nearest_depth(u: int, v: int, surface: Surface) -> float:
    """Depth of the mask's pixel that is nearest to (u, v), metres."""
    rows, columns = surface.depth_m.nonzero()
    nearest = np.argmin((columns - u) ** 2 + (rows - v) ** 2)
    return float(surface.depth_m[rows[nearest], columns[nearest]])


def candidate_pose(candidate: GraspCandidate, surface: Surface, camera: Camera,
                   approach: np.ndarray) -> GraspCandidate:
    """The candidate with its pose and opening in metres.

    Args:
        candidate: contacts in pixels.
        surface: the region's visible surface.
        camera: intrinsics.
        approach: (3,) unit vector, the region's approach direction in the optical frame.
    """
    first = np.array([candidate.u1, candidate.v1])
    second = np.array([candidate.u2, candidate.v2])
    closing = (second - first) / max(candidate.width_px, 1e-9)
    ends = []
    for contact, inward in ((first, closing), (second, -closing)):
        depth = rim_depth(contact, inward, candidate.width_px, surface, camera)
        ends.append(back_project(contact[0], contact[1], np.asarray(depth), camera))
    one, two = ends
    across = two - one
    # Both fingers come along the approach, so they close at right angles to it.
    across = across - (across @ approach) * approach
    width = float(np.linalg.norm(across))
    if width < 1e-6:
        return candidate
    x = across / width
    axes = np.stack([x, np.cross(approach, x), approach], 1)
    return replace(candidate, pose_valid=True, width_m=width,
                   pose=Pose(tuple(((one + two) / 2).tolist()), quaternion(axes)))


def _axes(position: np.ndarray, surface: Surface, rectangle: Rectangle, camera: Camera,
          config: GraspConfig) -> np.ndarray:
    """(3, 3) axes as columns: x across, y along the main axis on the surface, z approach."""
    ray = position / np.linalg.norm(position)
    slope = _slope(surface, rectangle, config)
    depth = position[2]
    # The viewing ray's change for a pixel along the main axis.
    ends = np.array(rectangle.center) + np.outer((-0.5, 0.5), rectangle.axis)
    first, second = rays(ends[:, 0], ends[:, 1], camera)
    step = second - first
    # Derivative of the back-projected point along the main axis, with the depth's slope.
    along = np.array([step[0] * depth + position[0] / depth * slope,
                      step[1] * depth + position[1] / depth * slope, slope])
    along /= np.linalg.norm(along)
    across = np.cross(along, ray)
    across /= np.linalg.norm(across)
    return np.stack([across, along, np.cross(across, along)], 1)


def _slope(surface: Surface, rectangle: Rectangle, config: GraspConfig) -> float:
    """Change of depth per pixel along the main axis, m/px, at the rectangle's centre.

    Taken on the flanks of the middle part: an upright bottle or can also shows its top, which is
    round and so reaches less far down its flanks than along its middle. Inverse depth is linear
    along a straight edge, whatever the perspective.
    """
    v, u = pixels_vu(surface.usable)
    stride = max(len(u) // (2 * _SLOPE_POINTS), 1)
    v, u = v[::stride], u[::stride]
    offset = np.stack([u, v], 1) - np.array(rectangle.center)
    along, across = offset @ rectangle.axis, offset @ rectangle.across
    flank = np.abs(across) / max(rectangle.width_px, 1e-9)
    used = ((flank >= _FLANKS[0]) & (flank <= _FLANKS[1])
            & (np.abs(along) <= _MIDDLE * rectangle.length_px))
    if used.sum() < config.min_points:
        used[:] = True
    design = np.stack([along[used], np.ones(used.sum())], 1)
    scale = max(float(np.abs(design[:, 0]).max()), 1.0)
    design[:, 0] /= scale
    inverse = 1 / surface.depth_m[v, u][used]
    slope, level = robust_fit(design, inverse)
    return float(-(slope / scale) / level ** 2)
