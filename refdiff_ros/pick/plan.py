"""From a grasp region in the camera's frame to poses that a gripper is driven through from above.

The fingers come down vertically, which needs the least room among other objects; what the region
says about contacts decides where, and along which horizontal direction they close. Poses are in
the robot's base (metres, z up), of the frame between the fingertips: x closes, z is the approach.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.results import GraspRegion, Pose, quaternion
from refdiff_ros.pick.from_above import (
    EDGE_INSET_M,
    EDGE_OPENING_M,
    find_top,
    grips,
    Top,
    TopGrip,
)
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.space import Space

# Above this height component an axis counts as upright.
_UPRIGHT = 0.6
# Where the middle of what is seen of a tall box lies at least, as a share of its height.
_TALL = 0.4
# A rectangle longer than wide by this factor has a main axis.
_LONG = 1.15
# Below this height component a closing direction is level: the silhouette's width is the object's.
_LEVEL = 0.35
# Least share of the silhouette's width that the object itself is taken to have.
_LEAST_WIDTH = 0.6
# Where no depth picture shows the object's top, an edge is held this deep.
_EDGE_DEPTH_M = 0.02
# Less than this over the table an edge cannot be reached under; such heights are rough, so it is
# more than in `from_above`.
_LEAST_EDGE_M = 0.03
# The hand passes this far over the highest thing.
_OVER_M = 0.04
# Grasps whose directions differ by less than 20 degrees, and that are this near, are one.
_ALIKE, _ALIKE_M = 0.94, 0.015


class NoGraspError(RefDiffError):
    """The region cannot be gripped; the message says why."""


@dataclass(frozen=True)
class Grip:
    """One way to close: between the contacts, along a horizontal direction.

    Attributes:
        position: (3,) between the contacts, in the base.
        closing: (2,) unit vector.
        width_m: between the contacts.
        quality: 0..1, what prefers one grip to another.
    """

    position: np.ndarray
    closing: np.ndarray
    width_m: float
    quality: float


@dataclass(frozen=True)
class GraspPlan:
    """What is driven: `before`, down to `grasp`, close, up to `lifted`.

    Attributes:
        before, grasp, lifted: poses in the base.
        opening_m: of the fingers on the way down.
        edge: whether an edge is held, because the whole is too wide.
        rise_m: how high the fingertips stand over the base of the object.
        radius_m: of the circle around the object's middle that holds its footprint.
        off_m: from the fingertips to the object's middle, in the base.
        top_m: how high the object reaches over the fingertips.
        clear_z_m: a height at which the hand meets nothing on its way; that of `before` where
            nothing else is known.
    """

    before: Pose
    grasp: Pose
    lifted: Pose
    opening_m: float
    edge: bool = False
    rise_m: float = 0.0
    radius_m: float = 0.06
    off_m: tuple[float, float] = (0.0, 0.0)
    top_m: float = 0.0
    clear_z_m: float = 0.0


def plan_grasp(region: GraspRegion, camera: Pose, reach: Reach | None = None,
               space: Space | None = None, tried: Sequence[Pose] = ()) -> GraspPlan:
    """Poses in the base for the best grip on a region.

    Args:
        region: with a pose, in the camera's optical frame.
        camera: the optical frame in the base.
        reach: of the gripper.
        space: what the depth picture shows: the grip is then taken from the object's top, and
            the way of the fingers is free in it. None goes by the region alone.
        tried: grasps that came to nothing: another direction or place is taken.

    Raises:
        NoGraspError: the region has no pose, nothing on it fits between the fingers, or
            something is in the way of every grip.
    """
    reach = reach or Reach()
    if not region.valid:
        raise NoGraspError(f'no region to grip: {region.reason}')
    if not region.pose_valid:
        raise NoGraspError(f'no grasp pose: {region.pose_reason}')
    top = None if space is None else find_top(space, reach)
    if space is not None and top is not None:
        return _free(space, top, camera, reach, tried)
    plan = _from_region(region, camera, reach)
    if space is None:
        return plan
    blocked = space.in_the_way(plan.grasp, plan.opening_m, reach)
    if blocked:
        raise NoGraspError(_no_room(blocked))
    return _over(plan, space)


def _free(space: Space, top: Top, camera: Pose, reach: Reach,
          tried: Sequence[Pose] = ()) -> GraspPlan:
    """The best grip on the object's top whose way is free."""
    blocked = ''
    for grip in grips(space, top, np.array(camera.position[:2]), reach):
        plan = _through(grip.tip, grip.closing, grip.opening_m, top.z, reach)
        what = space.in_the_way(plan.grasp, plan.opening_m, reach) or (
            'this grip came to nothing' if any(_alike(plan.grasp, pose) for pose in tried) else '')
        if not what:
            return _over(_standing(plan, top, grip), space)
        blocked = blocked or what
    if blocked:
        raise NoGraspError(_no_room(blocked))
    raise NoGraspError(
        f'it is {2 * top.radius_m * 100:.0f} cm wide, more than the '
        f'{reach.max_opening_m * 100:.0f} cm of the gripper, and too flat to hold by its edge: '
        'use a wider gripper')


def _alike(one: Pose, other: Pose) -> bool:
    """Whether two grasps close at about the same place along about the same direction."""
    along = abs(float(one.rotation[:, 0] @ other.rotation[:, 0]))
    return along > _ALIKE and math.dist(one.position[:2], other.position[:2]) < _ALIKE_M


def _no_room(blocked: str) -> str:
    return (f'there is no room for the fingers beside it ({blocked}): move apart what stands '
            'around it')


def _standing(plan: GraspPlan, top: Top, grip: TopGrip) -> GraspPlan:
    off = top.centre - grip.tip[:2]
    return replace(plan, edge=grip.edge, rise_m=float(grip.tip[2]) - top.support_z,
                   radius_m=top.radius_m, off_m=(float(off[0]), float(off[1])),
                   top_m=top.z - float(grip.tip[2]))


def _over(plan: GraspPlan, space: Space) -> GraspPlan:
    return replace(plan, clear_z_m=max(plan.clear_z_m, space.highest_m + _OVER_M))


def _from_region(region: GraspRegion, camera: Pose, reach: Reach) -> GraspPlan:
    box = _box(region, camera, reach.table_z_m)
    ranked = sorted(_grips(region, camera, box), key=lambda grip: -grip.quality)
    fitting = [grip for grip in ranked if grip.width_m <= reach.max_opening_m - 0.006]
    if fitting:
        return _across(fitting[0], box.top_z, reach)
    return _edge(box, ranked[0], reach)


@dataclass(frozen=True)
class _Box:
    """A region's visible surface as a box on the table.

    Attributes:
        lying: whether it has a main axis on the table.
        centre: (3,) of the visible surface, in the base.
        main: (2,) unit vector, its main axis on the table where it is lying.
        length_m, width_m: along and across that axis; 0 where it is not lying.
        height_m: of what is seen of it.
        top_z: height of its top in the base.
    """

    lying: bool
    centre: np.ndarray
    main: np.ndarray
    length_m: float
    width_m: float
    height_m: float
    top_z: float


def _box(region: GraspRegion, camera: Pose, table_z_m: float) -> _Box:
    pose = camera.of(region.pose)
    axes, extents = pose.rotation, np.array(region.extents)
    centre = np.array(pose.position)
    main = axes[:2, 1] / max(float(np.linalg.norm(axes[:2, 1])), 1e-9)
    if abs(axes[2, 1]) >= _UPRIGHT or region.length_px < _LONG * region.width_px:
        height = float(np.abs(axes[2]) @ extents)
        return _Box(False, centre, main, 0.0, 0.0, height, float(centre[2]) + height / 2)
    # Across the main axis a box shows its front, of height h, and its top, of width w. Seen at
    # the elevation e these span w sin e + h cos e across the view, and along it the larger of
    # w cos e and h sin e. Which is the larger the middle of what is seen tells: on a tall box it
    # is at half its height or higher, in a bowl or on a plate low over the table.
    cos, sin = (min(max(abs(float(axes[2, k])), 0.05), 1.0) for k in (0, 2))
    across, along = float(extents[0]), float(extents[2])
    height = along / sin
    width = max((across - height * cos) / sin, 0.0)
    if centre[2] - table_z_m < _TALL * height:
        width = along / cos
        height = max((across - width * sin) / cos, 0.0)
    return _Box(True, centre, main, float(extents[1]), width, height,
                float(centre[2]) + height / 2)


def _grips(region: GraspRegion, camera: Pose, box: _Box) -> list[Grip]:
    """The candidates with a pose and the region's own axis, as grips from above."""
    # The region's own axis comes after every candidate that is of any use.
    poses = [*((c.pose, c.width_m, c.quality) for c in region.candidates if c.pose_valid),
             (region.pose, region.width_m, 0.05)]
    grips = [_grip(camera.of(pose), width, quality, box) for pose, width, quality in poses]
    level = [grip for grip, tilt in grips if tilt < _LEVEL]
    return level or [grip for grip, _ in grips]


def _grip(pose: Pose, width: float, quality: float, box: _Box) -> tuple[Grip, float]:
    """One grip, and the height component of its contacts' direction."""
    closing, tilt = pose.rotation[:2, 0], min(abs(float(pose.rotation[2, 0])), 1.0)
    if box.lying:
        # The main axis is known on the table; in the picture its normal is foreshortened.
        normal = np.array([-box.main[1], box.main[0]])
        closing = normal if closing @ normal >= 0 else -normal
        if tilt >= _LEVEL:
            width = max(box.width_m, _LEAST_WIDTH * width)
    closing = closing / max(float(np.linalg.norm(closing)), 1e-9)
    return Grip(np.array(pose.position), closing, width,
                quality * math.sqrt(1 - tilt ** 2)), tilt


def _across(grip: Grip, top: float, reach: Reach) -> GraspPlan:
    z = max(grip.position[2] - reach.tip_depth_m, top - reach.finger_length_m + 0.01,
            reach.table_z_m + reach.clearance_m)
    opening = min(grip.width_m + reach.margin_m, reach.max_opening_m)
    return _through(np.array([*grip.position[:2], z]), grip.closing, opening, top, reach)


def _edge(box: _Box, grip: Grip, reach: Reach) -> GraspPlan:
    """One finger inside, one outside of an edge."""
    # A hollow thing shows its inside, whose middle is about half-way up.
    top = max(box.top_z, 2 * float(box.centre[2]) - reach.table_z_m)
    if top - reach.table_z_m < _LEAST_EDGE_M:
        raise NoGraspError(
            f'the region is {grip.width_m * 100:.0f} cm wide, more than the '
            f'{reach.max_opening_m * 100:.0f} cm of the gripper, and too flat to hold by its '
            'edge: use a wider gripper')
    # Seen from the side it is foreshortened across: at its ends it is seen whole.
    if box.lying:
        grip = Grip(np.array([*box.centre[:2], top]), box.main, box.length_m, grip.quality)
    ends = [grip.position[:2] + sign * grip.closing * (grip.width_m / 2 - EDGE_INSET_M)
            for sign in (1, -1)]
    # The end that is farther from the middle may be a handle's.
    end = min(ends, key=lambda xy: float(np.hypot(*(xy - box.centre[:2]))))
    z = max(min(float(grip.position[2]), top) - _EDGE_DEPTH_M, reach.table_z_m + reach.clearance_m)
    plan = _through(np.array([*end, z]), grip.closing, EDGE_OPENING_M, top, reach)
    return replace(plan, edge=True)


def _through(tip: np.ndarray, closing: np.ndarray, opening: float, top: float,
             reach: Reach) -> GraspPlan:
    x = np.array([*closing, 0.0])
    z = np.array([0.0, 0.0, -1.0])
    turn = quaternion(np.column_stack([x, np.cross(z, x), z]))
    def at(height: float) -> Pose:
        return Pose((float(tip[0]), float(tip[1]), float(height)), turn)
    before = max(top, tip[2]) + reach.standoff_m
    return GraspPlan(at(before), at(tip[2]), at(tip[2] + reach.lift_m), opening,
                     rise_m=float(tip[2]) - reach.table_z_m, clear_z_m=float(before))
