"""Surface, pose and sizes against plates and balls whose place is known."""

import math

from grasp_scenes import ball, CAMERA, disc, plate, SIZE_HW
import numpy as np
import pytest

from refdiff_ros.grasp.config import GraspConfig
from refdiff_ros.grasp.depth_pose import region_pose
from refdiff_ros.grasp.outline import trace
from refdiff_ros.grasp.rectangle import oriented_rectangle
from refdiff_ros.grasp.results import Pose, quaternion
from refdiff_ros.grasp.surface import back_project, erode, fill_nearest, visible_surface


def _rotation(spin_deg, tilt_deg=0.0):
    """Columns across, along, normal: spun about the optical axis after a tilt of `along`."""
    spin, tilt = math.radians(spin_deg), math.radians(tilt_deg)
    along = np.array([math.cos(tilt) * math.cos(spin), math.cos(tilt) * math.sin(spin),
                      math.sin(tilt)])
    across = np.array([math.sin(spin), -math.cos(spin), 0.0])
    return np.stack([across, along, np.cross(across, along)], 1)


def _solve(mask, depth):
    surface = visible_surface(mask, depth, CAMERA)
    return region_pose(mask, surface, oriented_rectangle(mask, trace(mask)), CAMERA)


def _axis_error(pose, column, truth):
    return math.degrees(math.acos(min(abs(pose.rotation[:, column] @ truth), 1)))


def _noisy(mask, depth, seed=0):
    """A depth camera's faults: noise, holes, no reading, and a rim halfway to the background."""
    rng = np.random.default_rng(seed)
    noisy = depth + rng.normal(0, 0.002, depth.shape)
    rim = mask & ~erode(mask, 1)
    noisy[rim] = (noisy[rim] + 1.5) / 2
    noisy[mask & (rng.random(mask.shape) < 0.1)] = 0
    noisy[mask & (rng.random(mask.shape) < 0.02)] = np.nan
    return noisy.astype(np.float32)


@pytest.mark.parametrize(('spin', 'tilt'), [(0, 0), (90, 0), (35, 0), (-50, 25), (20, -35)])
def test_plate(spin, tilt):
    center, rotation = np.array([0.05, -0.03, 0.8]), _rotation(spin, tilt)
    pose, width, extents = _solve(*plate(center, rotation, 0.16, 0.05))
    # The pixels of a tilted plate are denser on its near end, which moves their mean.
    assert np.linalg.norm(pose.position - center) < (0.001 if tilt == 0 else 0.008)
    assert width == pytest.approx(0.05, rel=0.03 if tilt == 0 else 0.1)
    assert extents[1] == pytest.approx(0.16, rel=0.05)
    assert _axis_error(pose, 1, rotation[:, 1]) < 1.5


def test_pose_axes_are_a_rotation_that_looks_away_from_the_camera():
    pose, _, _ = _solve(*plate(np.array([0.1, 0.1, 0.7]), _rotation(30), 0.12, 0.04))
    rotation = pose.rotation
    assert rotation.T @ rotation == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert rotation[:, 2] @ pose.position > 0


@pytest.mark.parametrize('distance', [0.4, 0.8])
def test_ball_is_as_wide_as_it_is_and_not_as_its_front_suggests(distance):
    mask, depth = ball(np.array([0.02, 0.01, distance]), 0.04)
    pose, width, _ = _solve(mask, depth)
    assert width == pytest.approx(0.08, rel=0.05)
    u = mask.any(0).nonzero()[0]
    front = (np.ptp(u) + 1) * depth[mask].min() / CAMERA.fx
    assert abs(width - 0.08) < abs(front - 0.08)
    # The mean of a half sphere seen from far away is a third of the radius behind its front.
    assert pose.position[2] == pytest.approx(distance - 2 / 3 * 0.04, abs=0.003)


@pytest.mark.parametrize('seed', range(5))
def test_flying_pixels_and_holes_move_little(seed):
    center, rotation = np.array([0.05, -0.03, 0.8]), _rotation(35)
    mask, depth = plate(center, rotation, 0.16, 0.05)
    pose, width, extents = _solve(mask, _noisy(mask, depth, seed))
    assert np.linalg.norm(pose.position - center) < 0.002
    assert width == pytest.approx(0.05, rel=0.03)
    assert extents[1] == pytest.approx(0.16, rel=0.05)
    assert extents[2] < 0.015
    assert _axis_error(pose, 1, rotation[:, 1]) < 2


def test_large_hole_does_not_pull_the_centre_to_the_other_side():
    center = np.array([0.0, 0.0, 0.8])
    mask, depth = plate(center, _rotation(0), 0.16, 0.05)
    depth[:, 320:] = 0  # no reading on the right half
    pose, _, _ = _solve(mask, depth)
    assert np.linalg.norm(pose.position - center) < 0.002


def test_background_seen_past_a_mask_that_is_too_large_is_rejected():
    center = np.array([0.0, 0.0, 0.8])
    mask, depth = plate(center, _rotation(20), 0.16, 0.06)
    larger = ~erode(~mask, 4)
    surface = visible_surface(larger, depth, CAMERA)
    assert not (surface.usable & ~mask).any()
    assert surface.fraction == pytest.approx(mask.sum() / larger.sum(), abs=0.01)


def test_only_finite_positive_depth_counts():
    mask = np.zeros(SIZE_HW, bool)
    mask[100:140, 100:140] = True
    depth = np.full(SIZE_HW, 0.8, np.float32)
    depth[100:105, :] = np.nan
    depth[105:110, :] = np.inf
    depth[110:115, :] = -1
    depth[115:120, :] = 0
    surface = visible_surface(mask, depth, CAMERA)
    assert surface.fraction == pytest.approx(0.5)
    assert surface.depth_m[mask] == pytest.approx(0.8)
    assert not surface.depth_m[~mask].any()


def test_too_few_readings_give_no_surface():
    mask = np.zeros(SIZE_HW, bool)
    mask[100:140, 100:140] = True
    depth = np.zeros(SIZE_HW, np.float32)
    assert visible_surface(mask, depth, CAMERA) is None
    depth[120, 110:129] = 0.8  # 19 readings
    assert visible_surface(mask, depth, CAMERA) is None
    depth[120, 129] = 0.8
    assert visible_surface(mask, depth, CAMERA, GraspConfig(min_points=20)) is not None


def test_thin_object_keeps_its_rim():
    mask = np.zeros(SIZE_HW, bool)
    mask[200:203, 200:300] = True  # three pixels high: erosion by two leaves nothing
    surface = visible_surface(mask, np.full(SIZE_HW, 0.5, np.float32), CAMERA)
    assert surface.usable.sum() >= 90


def test_back_projection_by_hand():
    # 60 px right of the principal point at 2 m with f = 600: 0.2 m.
    point = back_project(CAMERA.cx + 60, CAMERA.cy - 30, 2.0, CAMERA)
    assert point == pytest.approx([0.2, -0.1, 2.0])


def test_fill_takes_the_nearest_believed_depth():
    depth = np.array([[1.0, 9.0, 9.0, 2.0]])
    usable = np.array([[True, False, False, True]])
    filled = fill_nearest(depth, usable, np.array([[True, True, True, True]]))
    assert filled.tolist() == [[1.0, 1.0, 2.0, 2.0]]


def test_erosion_does_not_eat_from_the_image_border():
    mask = np.ones((10, 10), bool)
    assert erode(mask, 2).all()
    assert erode(disc(10), 2).sum() < disc(10).sum()


@pytest.mark.parametrize('seed', range(20))
def test_quaternion_gives_its_rotation_back(seed):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    rotation = q * np.linalg.det(q)
    assert Pose((0.0, 0.0, 0.0), quaternion(rotation)).rotation == pytest.approx(
        rotation, abs=1e-9)


def test_quaternion_of_half_turns():
    assert quaternion(np.diag([1.0, -1, -1])) == pytest.approx((1, 0, 0, 0))
    assert quaternion(np.diag([-1.0, -1, 1])) == pytest.approx((0, 0, 1, 0))
