"""What the depth picture shows in the robot's base: the object's points, and what is in the way.

Letters: H W picture height and width, M points.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.lens import rays
from refdiff_ros.grasp.results import Pose
from refdiff_ros.grasp.surface import back_project
from refdiff_ros.pick.reach import Reach
from refdiff_ros.results import Camera, describe_array

# Readings that differ by more than this from a neighbour lie on an edge, or on nothing.
_STEADY_M = 0.025
# What is seen in a column must cover this much before it is something: a few wrong readings do
# not.
_LEAST_M2 = 40e-6
# Round the fingers, m.
_MARGIN_M = 0.004
# Noise of depth under the fingertips, m.
_BELOW_M = 0.006
_PALM_HALF_DEPTH_M = 0.025
_HIGHEST = 99.8  # percentile


@dataclass(frozen=True)
class View:
    """A depth picture and where it was taken from.

    Attributes:
        depth_m: (H, W) float metres along the optical axis.
        camera: intrinsics.
        pose: the optical frame in the base.
    """

    depth_m: np.ndarray
    camera: Camera
    pose: Pose

    def space(self, mask: np.ndarray | None = None, without: np.ndarray | None = None) -> 'Space':
        """What it shows in the base.

        Args:
            mask: (H, W) bool, of the object that is meant.
            without: (H, W) bool, of what is looked past.

        Raises:
            BadRequestError: the sizes differ.
        """
        depth_m = self.depth_m
        if without is not None:
            depth_m = np.where(_grown(_grown(without)), 0.0, depth_m)
        return Space.seen(depth_m, self.camera, self.pose, mask)

    def shows(self, points: np.ndarray) -> np.ndarray:
        """(K,) bool: which of (K, 3) points in the base lie within the picture's edges."""
        seen = (points - np.array(self.pose.position)) @ self.pose.rotation
        height, width = self.depth_m.shape
        camera = self.camera
        edges = ((0, camera.cy), (camera.cx, 0), (width - 1, camera.cy), (camera.cx, height - 1))
        (left, _), (_, top), (right, _), (_, bottom) = (
            rays(np.array(u), np.array(v), camera) for u, v in edges)
        ahead = seen[:, 2] > 0
        x, y = (seen[:, :2] / np.where(ahead, seen[:, 2], 1.0)[:, None]).T
        return ahead & (left <= x) & (x <= right) & (top <= y) & (y <= bottom)

    def standing(self, xy: np.ndarray, radius_m: float, above_m: float) -> np.ndarray:
        """(H, W) bool: what is seen within a radius of a place, and higher than that.

        Args:
            xy: (2,) in the base.
            radius_m: around it.
            above_m: a height in the base.
        """
        v, u = _steady(self.depth_m).nonzero()
        points = _in_base(v, u, self.depth_m, self.camera, self.pose)
        there = (np.hypot(*(points[:, :2] - xy).T) < radius_m) & (points[:, 2] > above_m)
        mask = np.zeros(self.depth_m.shape, bool)
        mask[v[there], u[there]] = True
        return mask


@dataclass(frozen=True)
class Space:
    """Points in the base, metres.

    Attributes:
        points: (M, 3) float64.
        area_m2: (M,) what each pixel covers at its distance.
        own: (M,) bool, of the object that is meant, its rim left out.
    """

    points: np.ndarray
    area_m2: np.ndarray
    own: np.ndarray

    @classmethod
    def seen(cls, depth_m: np.ndarray, camera: Camera, pose: Pose,
             mask: np.ndarray | None = None) -> 'Space':
        """From a depth picture.

        Args:
            depth_m: (H, W) float metres along the optical axis; 0, negative, NaN and infinite
                values are no reading.
            camera: its intrinsics.
            pose: the optical frame in the base.
            mask: (H, W) bool, of the object that is meant.

        Raises:
            BadRequestError: the sizes differ.
        """
        if mask is not None and mask.shape != depth_m.shape:
            raise BadRequestError(f'expected a mask of the depth picture\'s size {depth_m.shape}, '
                                  f'got {describe_array(mask)}')
        v, u = _steady(depth_m).nonzero()
        z = depth_m[v, u].astype(np.float64)
        points = _in_base(v, u, depth_m, camera, pose)
        inner = np.zeros(depth_m.shape, bool) if mask is None else _eroded(mask)
        rim = np.zeros(depth_m.shape, bool) if mask is None else _grown(mask) & ~inner
        # The rim belongs to nobody: it may be the object's or what lies behind it.
        keep = ~rim[v, u]
        return cls(points[keep], (z * z / (camera.fx * camera.fy))[keep], inner[v, u][keep])

    @cached_property
    def object(self) -> np.ndarray:
        """(K, 3) points of the object that is meant."""
        return self.points[self.own]

    @cached_property
    def highest_m(self) -> float:
        """How high anything that is seen reaches."""
        return float(np.percentile(self.points[:, 2], _HIGHEST)) if len(self.points) else 0.0

    def in_the_way(self, pose: Pose, opening_m: float, reach: Reach) -> str:
        """What fingers meet that come down to a pose with that opening; '' where nothing is.

        Args:
            pose: between the fingertips, x the closing direction, z down.
            opening_m: between the fingers.
            reach: of the gripper.
        """
        along, across, over = self._around(pose)
        finger = reach.finger_thickness_m / 2
        # Readings on edges are left out, so that other things reach a pixel farther than is seen.
        margin = _MARGIN_M + np.where(self.own, 0.0, np.sqrt(self.area_m2))
        beside = np.abs(np.abs(along) - opening_m / 2 - finger) < finger + margin
        fingers = (beside & (np.abs(across) < reach.finger_width_m / 2 + margin)
                   & (over > _BELOW_M))
        palm = ((np.abs(along) < reach.palm_width_m / 2 + _MARGIN_M)
                & (np.abs(across) < _PALM_HALF_DEPTH_M)
                & (over > reach.finger_length_m - _MARGIN_M))
        for name, inside in (('a finger', fingers), ('the palm', palm)):
            for whose, what in (((~self.own), 'something else'), (self.own, 'the object itself')):
                if self.area_m2[inside & whose].sum() > _LEAST_M2:
                    return f'{name} would meet {what}'
        return ''

    def _around(self, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(M,) each: along the closing direction, across it, and over the fingertips."""
        offset = self.points - np.array(pose.position)
        x = pose.rotation[:2, 0]
        return (offset[:, :2] @ x, offset[:, :2] @ np.array([-x[1], x[0]]), offset[:, 2])

    def highest_around(self, xy: np.ndarray, radius_m: float) -> float:
        """How high what is seen reaches within a radius; -inf where nothing is seen."""
        near = np.hypot(*(self.points[:, :2] - xy).T) < radius_m
        heights, area = self.points[near, 2], self.area_m2[near]
        order = np.argsort(-heights)
        enough = np.cumsum(area[order]) > _LEAST_M2
        return float(heights[order][enough][0]) if enough.any() else -np.inf


def _in_base(v: np.ndarray, u: np.ndarray, depth_m: np.ndarray, camera: Camera,
             pose: Pose) -> np.ndarray:
    z = depth_m[v, u].astype(np.float64)
    return back_project(u, v, z, camera) @ pose.rotation.T + np.array(pose.position)


def _steady(depth_m: np.ndarray) -> np.ndarray:
    """(H, W) bool: readings whose neighbours above, below and beside are about as far."""
    usable = np.isfinite(depth_m) & (np.nan_to_num(depth_m) > 0)
    padded = np.pad(np.where(usable, depth_m, np.nan), 1, constant_values=np.nan)
    inner = padded[1:-1, 1:-1]
    steady = usable.copy()
    for rows, columns in ((slice(None, -2), slice(1, -1)), (slice(2, None), slice(1, -1)),
                          (slice(1, -1), slice(None, -2)), (slice(1, -1), slice(2, None))):
        # A missing neighbour (NaN) says nothing.
        steady &= ~(np.abs(padded[rows, columns] - inner) > _STEADY_M)
    return steady


def _grown(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    return (padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2]
            | padded[1:-1, 2:])


def _eroded(mask: np.ndarray) -> np.ndarray:
    return ~_grown(~mask)
