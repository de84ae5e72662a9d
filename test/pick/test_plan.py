"""Poses for a gripper from above, from regions whose place is known."""

from dataclasses import replace
import math

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.results import GraspCandidate, GraspRegion, Pose, PoseStatus, quaternion
from refdiff_ros.pick.plan import NoGraspError, plan_grasp
from refdiff_ros.pick.reach import Reach

# Half a metre before the base's origin and as high, looking down at it at 45 degrees.
_DOWN = math.sqrt(0.5)
CAMERA = Pose((0.0, -0.5, 0.5), quaternion(np.array(
    [[1.0, 0.0, 0.0], [0.0, -_DOWN, _DOWN], [0.0, -_DOWN, -_DOWN]])))
_AHEAD_M = 0.5 / _DOWN


def _upright(width_m=0.07):
    """A can at the origin: its contacts are left and right, at half its height."""
    pose = Pose((0.0, 0.0, _AHEAD_M), (0.0, 0.0, 0.0, 1.0))
    # In the base its surface stands upright and faces the camera: y down, z away from it.
    upright = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    region = Pose(pose.position, quaternion(CAMERA.rotation.T @ upright))
    candidate = GraspCandidate(
        u1=0.0, v1=0.0, u2=9.0, v2=0.0, angle=0.0, width_px=9.0, quality=0.9, pose_valid=True,
        pose=pose, width_m=width_m)
    return GraspRegion(
        valid=True, length_px=20.0, width_px=10.0, candidates=(candidate,),
        pose_status=PoseStatus.VALID, pose=region, width_m=width_m,
        extents=(width_m, 0.1, 0.03))


def test_a_pose_is_turned_into_the_base():
    origin = CAMERA.of(Pose((0.0, 0.0, _AHEAD_M)))
    np.testing.assert_allclose(origin.position, (0, 0, 0), atol=1e-9)
    np.testing.assert_allclose(origin.rotation[:, 2], (0, _DOWN, -_DOWN), atol=1e-9)


def test_the_fingers_come_from_above_and_close_from_left_to_right():
    plan = plan_grasp(_upright(), CAMERA, Reach(table_z_m=-0.05))
    for pose in (plan.before, plan.grasp, plan.lifted):
        np.testing.assert_allclose(pose.position[:2], (0, 0), atol=1e-9)
        np.testing.assert_allclose(pose.rotation[:, 2], (0, 0, -1), atol=1e-9)
        np.testing.assert_allclose(np.abs(pose.rotation[:, 0]), (1, 0, 0), atol=1e-9)
    assert plan.grasp.position[2] == pytest.approx(-0.012)
    assert plan.lifted.position[2] - plan.grasp.position[2] == pytest.approx(0.15)
    assert plan.before.position[2] > 0.1
    assert plan.opening_m == pytest.approx(0.09) and not plan.edge


def test_fingertips_stay_off_the_table():
    plan = plan_grasp(_upright(), CAMERA, Reach(table_z_m=0.0))
    assert plan.grasp.position[2] == pytest.approx(0.004)


def test_the_palm_stays_above_what_is_tall():
    tall = replace(_upright(), extents=(0.07, 0.3, 0.03))
    plan = plan_grasp(tall, CAMERA, Reach(table_z_m=-0.2, finger_length_m=0.1))
    assert plan.grasp.position[2] > 0.05


def test_what_is_wider_than_the_gripper_is_held_at_an_edge():
    plan = plan_grasp(_upright(0.2), CAMERA, Reach(table_z_m=-0.05))
    assert plan.edge
    assert abs(plan.grasp.position[0]) == pytest.approx(0.1 - 0.004)


def test_what_is_wide_and_flat_is_refused_with_both_widths():
    flat = replace(_upright(0.2), extents=(0.2, 0.01, 0.01))
    with pytest.raises(NoGraspError, match='20 cm wide, more than the 11 cm'):
        plan_grasp(flat, CAMERA)


@pytest.mark.parametrize('region, reason', [
    (GraspRegion(valid=False, reason='the mask is empty'), 'the mask is empty'),
    (replace(_upright(), pose_status=PoseStatus.NO_DEPTH, pose_reason='no depth came'),
     'no depth came')])
def test_a_region_without_a_pose_is_refused_with_its_reason(region, reason):
    with pytest.raises(NoGraspError, match=reason):
        plan_grasp(region, CAMERA)


@pytest.mark.parametrize('wrong', [{'lift_m': 0.0}, {'max_opening_m': math.nan}])
def test_a_useless_length_is_refused(wrong):
    with pytest.raises(BadRequestError, match=next(iter(wrong))):
        Reach(**wrong)
