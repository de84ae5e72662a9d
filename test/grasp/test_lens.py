"""Poses through lenses that bend: faces of boxes whose place is known, seen pixel by pixel."""

import cv2
import numpy as np
import pytest

from refdiff_ros.grasp.lens import in_view, rays
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import PoseStatus
from refdiff_ros.results import Camera, Lens

LENSES = [
    Lens('plumb_bob', (-0.35, 0.12, 0.0, 0.0, 0.0)), Lens('plumb_bob', (-0.2, 0.05)),
    Lens('rational_polynomial', (0.5, -2.5, 0.0005, -0.0002, 1.4, 0.38, -2.3, 1.35)),
    Lens('rational_polynomial', (0.1, -0.2, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.01, 0.0, 0.01, 0.0)),
    Lens('equidistant', (0.05, -0.01, 0.003, -0.0005)), Lens('equidistant', (0.0,) * 4)]


def camera(lens: Lens | None) -> Camera:
    return Camera(400.0, 400.0, 319.5, 239.5, 640, 480, lens)


def face(seen_by: Camera, center, size) -> tuple[np.ndarray, np.ndarray]:
    """Mask and depth of a box's front, square to the optical axis, before a wall at 1.5 m."""
    x, y, z = center
    edge = np.array([[x - size[0] / 2, y - size[1] / 2, z], [x + size[0] / 2, y - size[1] / 2, z],
                     [x + size[0] / 2, y + size[1] / 2, z], [x - size[0] / 2, y + size[1] / 2, z]])
    # Its outline in steps so small that it bends with the lens.
    steps = np.linspace(0, 1, 100)[:, None]
    outline = np.concatenate([a + (b - a) * steps for a, b in zip(edge, np.roll(edge, -1, 0))])
    mask = np.zeros((480, 640), np.uint8)
    corners = np.rint(16 * project(outline, seen_by)).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1, shift=4)
    return mask > 0, np.where(mask, z, 1.5).astype(np.float32)


def project(points: np.ndarray, seen_by: Camera) -> np.ndarray:
    """(K, 2) pixels of (K, 3) points, by OpenCV's forward models."""
    matrix = np.array([[400.0, 0, 319.5], [0, 400.0, 239.5], [0, 0, 1]])
    zero, lens = np.zeros(3), seen_by.lens
    values = np.zeros(4) if lens is None else np.array(lens.coefficients)
    if lens is not None and lens.model == 'equidistant':
        return cv2.fisheye.projectPoints(points[:, None], zero, zero, matrix, values)[0][:, 0]
    return cv2.projectPoints(points, zero, zero, matrix, values)[0][:, 0]


@pytest.mark.parametrize('lens', [None, *LENSES])
def test_a_ray_goes_through_the_point_that_its_pixel_shows(lens):
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-0.5, 0.5, (200, 2)), np.ones((200, 1))], 1)
    u, v = project(points, camera(lens)).T
    assert np.abs(rays(u, v, camera(lens)) - points[:, :2]).max() < 1e-5
    assert rays(u.reshape(10, 20), v.reshape(10, 20), camera(lens)).shape == (10, 20, 2)
    assert in_view(u, v, camera(lens))


@pytest.mark.parametrize('lens', [None, *LENSES])
@pytest.mark.parametrize('center', [(0.0, 0.0, 0.8), (0.45, 0.30, 0.80), (-0.4, 0.28, 0.75)])
def test_a_face_has_its_place_and_the_width_that_a_pinhole_gives(lens, center):
    size = (0.058, 0.12)
    # The width is taken across the viewing ray, which meets the face at an angle.
    pinhole = grasp_region(*face(camera(None), center, size), camera(None))
    region = grasp_region(*face(camera(lens), center, size), camera(lens))
    assert region.pose_status is PoseStatus.VALID, region.pose_reason
    assert np.linalg.norm(np.array(region.pose.position) - center) < 0.002
    assert region.width_m == pytest.approx(pinhole.width_m, abs=0.003)
    assert 0.050 < pinhole.width_m < 0.061
    assert region.extents == pytest.approx(pinhole.extents, abs=0.004)


def test_without_the_lens_it_would_be_centimetres_beside():
    center = (0.45, 0.30, 0.80)
    mask, depth = face(camera(LENSES[0]), center, (0.058, 0.12))
    region = grasp_region(mask, depth, camera(None))
    assert np.linalg.norm(np.array(region.pose.position) - center) > 0.06
    assert region.width_m < 0.052


def test_where_the_model_has_no_ray_there_is_no_pose():
    # Its polynomial turns back at 1.09 focal lengths: no pixel farther out than that has a ray.
    lens = Lens('plumb_bob', (-0.6, 0.0, 0.0, 0.0))
    mask = np.zeros((480, 640), bool)
    mask[:40, :40] = True
    region = grasp_region(mask, np.full((480, 640), 0.8, np.float32), camera(lens))
    assert region.valid and region.pose_status is PoseStatus.NO_CAMERA_INFO
    assert 'lens model plumb_bob' in region.pose_reason
