"""Markers: what they show, where, in which frame, and that nothing of an older answer stays."""

import numpy as np
from pytest import approx
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.results import (
    Camera,
    Frame,
    ReferringExpression,
    Scores,
    Segmentation,
    Status,
)
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.markers import marker_array, no_markers

_SIZE_HW = (240, 320)
_CAMERA = Camera(300.0, 300.0, 160.0, 120.0, 320, 240)


def _answer(status=Status.FOUND, depth=True):
    """A box of 80x60 pixels about (160, 120) at 0.6 m, and another one left of it at 0.5 m."""
    masks = np.zeros((2, *_SIZE_HW), bool)
    masks[0, 90:150, 120:200] = True
    masks[1, 90:150, 20:80] = True
    depth_m = np.full(_SIZE_HW, 0.7, np.float32)
    depth_m[masks[0]], depth_m[masks[1]] = 0.6, 0.5
    frame = Frame(np.zeros((*_SIZE_HW, 3), np.uint8), depth_m if depth else None, _CAMERA)
    values = np.array([0.3, 0.29], np.float32)
    segmentation = Segmentation(
        status, 'say which one', ReferringExpression('the box', 'box', (4, 7)), masks[0], 0.3,
        0.5, 0, (1,) if status is Status.AMBIGUOUS else (), masks,
        Scores(values, values, values), None)
    return Answer(status, 'say which one', 'the box', Header(frame_id='optical'), frame,
                  segmentation, grasp_region(masks[0], frame.depth_m, frame.camera))


def _by_namespace(answer):
    found = {}
    for marker in marker_array(answer).markers:
        found.setdefault(marker.ns, []).append(marker)
    return found


def test_the_first_marker_takes_the_old_ones_away_and_all_are_in_the_optical_frame():
    markers = marker_array(_answer(Status.AMBIGUOUS)).markers
    assert [m.action for m in markers] == [Marker.DELETEALL] + [Marker.ADD] * (len(markers) - 1)
    assert {m.header.frame_id for m in markers} == {'optical'}
    assert len({(m.ns, m.id) for m in markers[1:]}) == len(markers) - 1


def test_the_arrow_ends_at_the_grasp_and_comes_from_the_camera():
    answer = _answer()
    arrow = _by_namespace(answer)['approach'][0]
    start, end = arrow.points
    assert (end.x, end.y, end.z) == approx(answer.grasp.pose.position)
    assert end.z == approx(0.6, abs=0.01)
    assert end.z - start.z == approx(0.1, abs=0.01)


def test_the_rectangle_has_the_gripper_s_opening():
    answer = _answer()
    points = _by_namespace(answer)['gripper'][0].points
    sides = [np.linalg.norm([a.x - b.x, a.y - b.y, a.z - b.z])
             for a, b in zip(points[::2], points[1::2], strict=True)]
    assert sides[0] == approx(answer.grasp.width_m, abs=1e-5)
    assert sides[1] == approx(answer.grasp.extents[1], abs=1e-5)
    assert sides[0] == approx(60 / 300 * 0.6, rel=0.1)  # 60 pixels high: the short side


def test_each_candidate_with_a_pose_is_drawn_and_the_best_most_strongly():
    answer = _answer()
    drawn = _by_namespace(answer)['candidates']
    assert len(drawn) == sum(c.pose_valid for c in answer.grasp.candidates) > 0
    alphas = [m.colors[0].a for m in drawn]
    assert alphas == sorted(alphas, reverse=True)


def test_the_regions_of_an_ambiguous_answer_are_numbered_where_they_are():
    regions = _by_namespace(_answer(Status.AMBIGUOUS))['regions']
    assert [m.text for m in regions] == ['1', '2']
    assert regions[1].pose.position.x == approx((49.5 - 160) / 300 * 0.5, abs=0.002)
    assert regions[1].pose.position.z == approx(0.47, abs=0.005)
    assert 'regions' not in _by_namespace(_answer())


def test_without_depth_or_region_only_the_deletion_is_left():
    answers = [_answer(depth=False), Answer(Status.NO_IMAGE, 'no image', 'the box')]
    assert [len(marker_array(answer).markers) for answer in answers] == [1, 1]
    assert len(no_markers().markers) == 1
