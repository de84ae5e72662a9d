"""The whole grasp stage, and what it says about input that it cannot use."""

import math

from grasp_scenes import box, CAMERA, disc, plate, SIZE_HW
import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.config import GraspConfig
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import GraspRegion, PoseStatus
from refdiff_ros.results import Camera


def _plate():
    across, along = np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    rotation = np.stack([across, along, np.cross(across, along)], 1)
    return plate(np.array([0.0, 0.0, 0.8]), rotation, 0.16, 0.05)


def test_mask_with_depth_and_camera():
    mask, depth = _plate()
    region = grasp_region(mask, depth, CAMERA)
    assert region.valid and region.reason == ''
    assert region.pose_status is PoseStatus.VALID and region.pose_reason == ''
    assert math.degrees(region.angle) == pytest.approx(0, abs=0.2)
    assert region.length_px == pytest.approx(0.16 * 600 / 0.8, abs=1)
    assert region.width_px == pytest.approx(0.05 * 600 / 0.8, abs=1)
    assert region.width_m == pytest.approx(0.05, rel=0.03)
    assert region.depth_fraction == pytest.approx(1)
    best = region.candidates[0]
    assert best.pose_valid
    assert best.width_m == pytest.approx(0.05, rel=0.04)
    assert np.linalg.norm(np.array(best.pose.position) - (0, 0, 0.8)) < 0.005
    # Closing is up and down in the picture, the approach straight ahead.
    assert abs(best.pose.rotation[1, 0]) == pytest.approx(1, abs=0.01)
    assert best.pose.rotation[2, 2] == pytest.approx(1, abs=0.01)


def test_same_input_gives_the_same_region():
    mask, depth = _plate()
    first, second = (grasp_region(mask, depth, CAMERA) for _ in range(2))
    assert first.candidates == second.candidates
    assert (first.pose, first.width_m, first.angle) == (second.pose, second.width_m, second.angle)


@pytest.mark.parametrize(('depth', 'camera', 'status', 'reason'), [
    (None, CAMERA, PoseStatus.NO_DEPTH, 'no depth came'),
    (np.ones(SIZE_HW, np.float32), None, PoseStatus.NO_CAMERA_INFO, 'no usable camera_info'),
    (np.ones((240, 320), np.float32), CAMERA, PoseStatus.DEPTH_MISMATCH, 'register depth'),
    (np.ones(SIZE_HW, np.float32), Camera(300.0, 300.0, 160.0, 120.0, 320, 240),
     PoseStatus.NO_CAMERA_INFO, 'for an image of 640x480, got 320x240'),
    (np.zeros(SIZE_HW, np.float32), CAMERA, PoseStatus.TOO_FEW_POINTS, '0 of '),
    (np.full(SIZE_HW, np.nan, np.float32), CAMERA, PoseStatus.TOO_FEW_POINTS, '0 of '),
    (np.full(SIZE_HW, -1, np.float32), CAMERA, PoseStatus.TOO_FEW_POINTS, '0 of '),
    (np.full(SIZE_HW, np.inf, np.float32), CAMERA, PoseStatus.TOO_FEW_POINTS, '0 of '),
])
def test_without_usable_depth_the_picture_part_stands(depth, camera, status, reason):
    region = grasp_region(_plate()[0], depth, camera)
    assert region.valid and region.candidates
    assert region.pose_status is status
    assert reason in region.pose_reason
    assert region.width_m == 0 and region.extents == (0, 0, 0)
    assert not any(c.pose_valid for c in region.candidates)


def test_object_behind_something_nearer_is_said_to_go_on():
    mask, depth = _plate()
    whole = grasp_region(mask, depth, CAMERA)
    hiding = np.zeros(SIZE_HW, bool)
    hiding[:, 330:] = True  # a wall at half the distance, over the plate's right side
    depth[hiding] = 0.4
    region = grasp_region(mask & ~hiding, depth, CAMERA)
    assert region.pose_status is PoseStatus.VALID
    assert region.length_px < whole.length_px
    assert 'something nearer hides 18% of the outline' in region.pose_reason


def test_empty_mask_is_no_region():
    region = grasp_region(np.zeros((20, 20), bool))
    assert not region.valid and 'empty' in region.reason
    assert region.pose_status is PoseStatus.NO_REGION and region.pose_reason == region.reason
    assert region.contour.shape == (0, 2)


def test_one_pixel_is_no_region_and_says_how_many_are_needed():
    mask = np.zeros((20, 20), bool)
    mask[3, 4] = True
    region = grasp_region(mask)
    assert not region.valid
    assert '1 pixels, fewer than the 12' in region.reason


def test_mask_that_fills_the_image_has_a_region_without_contacts():
    region = grasp_region(np.ones((40, 60), bool), np.ones((40, 60), np.float32),
                          Camera(50.0, 50.0, 29.5, 19.5, 60, 40))
    assert region.valid and region.candidates == ()
    assert "cut off by the image's border" in region.reason
    assert 'no two facing contacts' in region.reason
    assert (region.length_px, region.width_px) == pytest.approx((60, 40))
    assert region.pose_valid


def test_one_connected_part_is_taken_and_the_rest_is_named():
    mask = box(60, 20, 0, (60, 50)) | box(10, 10, 0, (180, 150))
    region = grasp_region(mask)
    alone = grasp_region(box(60, 20, 0, (60, 50)))
    assert (region.center_u, region.length_px) == (alone.center_u, alone.length_px)
    assert 'the largest of 2 separate parts' in region.reason and 'left out' in region.reason


def test_hole_does_not_change_rectangle_or_contour():
    whole = grasp_region(disc(40))
    ring = grasp_region(disc(40) & ~disc(20))
    assert (ring.length_px, ring.width_px, ring.angle) == (
        whole.length_px, whole.width_px, whole.angle)
    assert np.array_equal(ring.contour, whole.contour)


def test_candidates_can_be_limited():
    assert grasp_region(disc(40), config=GraspConfig(max_candidates=0)).candidates == ()
    assert len(grasp_region(disc(40), config=GraspConfig(max_candidates=2)).candidates) == 2


@pytest.mark.parametrize(('mask', 'depth', 'message'), [
    (np.ones((4, 4), np.uint8), None, 'expected a mask .H, W. bool, got .4, 4. uint8'),
    (np.ones((4, 4, 1), bool), None, 'expected a mask'),
    (None, None, 'got NoneType'),
    (np.ones((4, 4), bool), np.ones((4, 4), np.uint16), 'divide 16-bit millimetres by 1000'),
])
def test_wrong_types_are_refused(mask, depth, message):
    with pytest.raises(BadRequestError, match=message):
        grasp_region(mask, depth)


def test_settings_out_of_range_are_refused():
    with pytest.raises(BadRequestError, match='grasp.min_points >= 3, got 0'):
        GraspConfig(min_points=0)


def test_region_that_is_not_valid_needs_a_reason():
    with pytest.raises(BadRequestError, match='expected a reason'):
        GraspRegion(valid=False)
