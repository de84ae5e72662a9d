"""Errors of grasp poses, by hand."""

import math

import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.bags.grasps import grasp_figures, grasp_lines, GraspCase
from refdiff_ros.evaluation.metrics.grasp_error import (
    grasp_error,
    GraspError,
    orientation_error_deg,
    TrueGrasp,
)
from refdiff_ros.evaluation.requirements import judge, parse_requirements
from refdiff_ros.grasp.results import Pose, quaternion

STRAIGHT = (0.0, 0.0, 0.0, 1.0)


def turned(axis, degrees):
    half = math.radians(degrees) / 2
    return (*(math.sin(half) * value for value in axis), math.cos(half))


@pytest.mark.parametrize('axis, degrees, expected', [
    ((1, 0, 0), 0, 0), ((1, 0, 0), 20, 20), ((0, 1, 0), -35, 35), ((0, 0, 1), 50, 50),
    # Half a turn about the approach swaps the fingers: 130 is 50 the other way.
    ((0, 0, 1), 130, 50), ((0, 0, 1), 180, 0), ((0, 0, 1), 90, 90),
    # Half a turn about the closing direction comes from the other side.
    ((1, 0, 0), 180, 180), ((1, 0, 0), 120, 120)])
def test_orientation_by_hand(axis, degrees, expected):
    other = turned(axis, degrees)
    assert orientation_error_deg(STRAIGHT, other) == pytest.approx(expected, abs=1e-6)
    # Whichever of its two signs a quaternion has.
    assert orientation_error_deg(other, STRAIGHT) == pytest.approx(expected, abs=1e-6)
    assert orientation_error_deg(STRAIGHT, tuple(-value for value in other)) == pytest.approx(
        expected, abs=1e-6)


def test_orientation_agrees_with_rotation_matrices():
    one, other = Pose(orientation=turned((0.6, 0.0, 0.8), 70)), Pose(
        orientation=turned((0.0, 0.6, -0.8), 115))
    angles = []
    for flip in (1.0, -1.0):
        columns = other.rotation * (flip, flip, 1.0)
        trace = (one.rotation * columns).sum()
        angles.append(math.degrees(math.acos((trace - 1) / 2)))
    assert orientation_error_deg(one.orientation, other.orientation) == pytest.approx(min(angles))
    assert quaternion(one.rotation) == pytest.approx(one.orientation)


def test_position_and_width_by_hand_and_what_is_not_known_is_not_scored():
    pose = Pose((0.1, -0.02, 0.8), STRAIGHT)
    truth = TrueGrasp((0.1, 0.01, 0.84), turned((0, 0, 1), 30), 0.06)
    assert grasp_error(pose, 0.045, truth) == GraspError(50.0, 30.0, 15.0)
    assert grasp_error(pose, 0.045, TrueGrasp((0.1, -0.02, 0.8))) == GraspError(0.0)


@pytest.mark.parametrize('values', [
    ((0.0, 0.0),), ((0.0, 0.0, math.nan),), ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 2.0)),
    ((0.0, 0.0, 0.0), STRAIGHT, -0.01), ((0.0, 0.0, 0.0), None, math.inf)])
def test_what_is_no_grasp(values):
    with pytest.raises(BadRequestError, match='three finite metres, a unit quaternion'):
        TrueGrasp(*values)


CASES = [GraspCase('a', GraspError(10.0, 4.0)), GraspCase('b', GraspError(30.0)),
         GraspCase('c', GraspError(20.0, 8.0)), GraspCase('d', None, 'no depth came'),
         GraspCase('e', None, 'no depth came')]


def test_figures_by_hand_say_how_many_have_no_pose():
    found = grasp_figures(CASES)
    assert found == {
        'cases': 5, 'missing': 2, 'position_mm': {'count': 3, 'p50': 20.0, 'p95': 29.0},
        'orientation_deg': {'count': 2, 'p50': 6.0, 'p95': 7.8},
        'width_mm': {'count': 0, 'p50': None, 'p95': None}}
    assert grasp_lines(found, CASES) == [
        'grasp pose off by: position 20.0 mm (median), 29.0 (95 %) of 3; orientation 6.0 degrees '
        '(median), 7.8 (95 %) of 2',
        'grasp pose missing in 2 of 5 answers; most often (2): no depth came']
    assert grasp_figures([]) is None and grasp_lines(None, []) == []


def test_grasps_may_be_required():
    wanted = parse_requirements(
        ['grasp_p50_mm=25', 'grasp_p95_deg=5', 'grasp_missing=2', 'grasp_width_p50_mm=9'])
    assert [verdict.met for verdict in judge(wanted, {'grasp': grasp_figures(CASES)})] == [
        True, False, True, False]
    assert not any(verdict.met for verdict in judge(wanted, {'grasp': None}))
