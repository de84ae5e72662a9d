"""What the simulator says of grasps, against its geometry and against the grasp stage."""

import numpy as np
import pytest

from refdiff_ros.evaluation.metrics.grasp_error import grasp_error, TrueGrasp
from refdiff_ros.grasp.region import grasp_region
from refdiff_ros.grasp.results import quaternion
from refdiff_ros.sim.render import render_scenes
from refdiff_ros.sim.scene import random_scene
from refdiff_ros.sim.true_grasps import true_axis, true_grasp

SEEDS = range(12, 18)


@pytest.fixture(scope='module')
def views():
    return list(render_scenes([random_scene(seed) for seed in SEEDS], (240, 320)))


def test_axes_and_openings_are_those_of_the_shapes(views):
    seen = set()
    for view in views:
        for row, thing in enumerate(view.objects):
            if not view.masks[row].any():
                continue
            found, axis = true_grasp(view, row), true_axis(thing)
            if axis is None:
                assert found.rotation is None and found.width_m is None
                continue
            seen.add(thing.shape)
            x, y, z = found.rotation.T
            assert found.rotation.T @ found.rotation == pytest.approx(np.eye(3), abs=1e-9)
            assert np.linalg.det(found.rotation) == pytest.approx(1)
            assert z @ found.position > 0  # away from the camera
            assert y == pytest.approx(axis) and abs(x @ found.position) < 1e-9
            if thing.shape in ('bottle', 'can'):
                # Upright, so the closing direction is level: its extent is the diameter.
                assert y == pytest.approx(thing.rotation[:, 2])
                assert found.width_m == pytest.approx(thing.extents[0], rel=0.01)
            else:
                assert min(thing.extents) <= found.width_m <= np.linalg.norm(thing.extents)
    assert seen == {'bottle', 'can', 'banana', 'box'}


def test_the_grasp_stage_comes_near_on_true_masks(views):
    errors = []
    for view in views:
        for row, mask in enumerate(view.masks):
            if mask.sum() < 500 or true_axis(view.objects[row]) is None:
                continue
            found = true_grasp(view, row)
            region = grasp_region(mask, view.frame.depth_m, view.frame.camera)
            errors.append(grasp_error(region.pose, region.width_m, TrueGrasp(
                tuple(found.position), quaternion(found.rotation), found.width_m)))
    assert len(errors) >= 6
    for name, bound in (('position_mm', 2), ('orientation_deg', 10), ('width_mm', 5)):
        assert np.median([getattr(error, name) for error in errors]) < bound, (name, errors)
