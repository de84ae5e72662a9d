"""Scenes, their rendering and their expressions."""

from dataclasses import replace
import subprocess
import sys

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.depth_noise import as_millimetres, sensor_depth
from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.mjcf import camera_pose
from refdiff_ros.sim.render import generate, render
from refdiff_ros.sim.scene import random_scene, TABLE_HALF_XY
from refdiff_ros.sim.shapes import COLOURS, SHAPES

SIZE = (120, 160)


@pytest.fixture(scope='module')
def views():
    return [generate(seed, SIZE) for seed in range(12)]


def test_there_are_enough_shapes_and_colours():
    assert len(SHAPES) >= 6 and len(COLOURS) >= 8


@pytest.mark.parametrize('name', sorted(SHAPES))
def test_each_shape_stands_on_the_table_within_its_radius(name):
    shape = SHAPES[name](np.random.default_rng(0))
    for part in shape.parts:
        if part.mesh is None:
            corners = np.array(part.position) + np.array(part.half_sizes) * np.array(
                [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        else:
            corners = part.mesh.vertices
            assert part.mesh.faces.max() < len(corners)
        assert corners[:, 2].min() > -1e-3
        reach = np.hypot(corners[:, 0], corners[:, 1]).max()
        assert reach <= shape.radius + 0.02 or part.kind == 'ellipsoid'


def test_the_same_seed_lays_the_same_scene():
    assert repr(random_scene(5)) == repr(random_scene(5))
    assert repr(random_scene(5)) != repr(random_scene(6))


def test_objects_do_not_touch_and_stand_on_the_table():
    for seed in range(100):
        things = random_scene(seed).things
        assert len(things) >= 3
        for row, thing in enumerate(things):
            assert np.all(np.abs(thing.xy) + thing.form.radius * 0.9 < TABLE_HALF_XY)
            for other in things[row + 1:]:
                between = np.hypot(thing.xy[0] - other.xy[0], thing.xy[1] - other.xy[1])
                assert between > thing.form.radius + other.form.radius


def test_most_scenes_have_a_distractor_of_the_same_shape_and_one_of_the_same_colour():
    scenes = [random_scene(seed).things for seed in range(100)]
    same_shape = sum(len({t.shape for t in things}) < len(things) for things in scenes)
    same_colour = sum(len({t.colour for t in things}) < len(things) for things in scenes)
    assert same_shape > 60 and same_colour > 60


def test_views_lights_and_textures_differ():
    scenes = [random_scene(seed) for seed in range(50)]
    assert {scene.table for scene in scenes} == {'wood', 'marble', 'checker', 'cloth', 'plain'}
    assert np.ptp([scene.view.elevation for scene in scenes]) > np.radians(15)
    assert np.ptp([scene.light.ambient for scene in scenes]) > 0.1


@pytest.mark.parametrize('arguments', [(-1,), (0, 0, 3), (0, 5, 4)])
def test_a_useless_scene_is_refused(arguments):
    with pytest.raises(BadRequestError, match='expected'):
        random_scene(*arguments)


def test_the_same_seed_renders_the_same_bytes():
    first, second = generate(7, SIZE), generate(7, SIZE)
    np.testing.assert_array_equal(first.frame.image_rgb, second.frame.image_rgb)
    np.testing.assert_array_equal(first.frame.depth_m, second.frame.depth_m)
    np.testing.assert_array_equal(first.masks, second.masks)


def test_masks_are_disjoint_and_hold_what_is_seen(views):
    for view in views:
        assert view.masks.shape == (len(view.objects), *SIZE)
        assert view.masks.sum(axis=0).max() <= 1


def test_depth_of_the_table_is_that_of_its_plane(views):
    for view in views:
        position, rotation = camera_pose(view.scene.view)
        camera = view.frame.camera
        rows, columns = np.indices(SIZE)
        rays = np.stack([(columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy,
                         np.ones(SIZE)], axis=-1)  # z forward is 1
        downwards = (rays @ rotation.T)[..., 2]
        with np.errstate(divide='ignore'):
            expected = -position[2] / downwards  # where the ray meets z = 0
        points = position + expected[..., None] * (rays @ rotation.T)
        inside = (downwards < 0) & (np.abs(points[..., :2]) < np.array(TABLE_HALF_XY) - 0.02
                                    ).all(axis=-1)
        table = inside & ~view.masks.any(axis=0)
        error = np.abs(view.frame.depth_m - expected)[table]
        # Rims of objects fall into table pixels here and there.
        assert table.any() and np.quantile(error, 0.97) < 0.002


def test_a_balls_nearest_point_lies_a_radius_before_its_centre():
    seed = next(seed for seed in range(100)
                if any(thing.shape == 'ball' for thing in random_scene(seed).things))
    scene = random_scene(seed)
    ball = next(thing for thing in scene.things if thing.shape == 'ball')
    view = render(replace(scene, things=(ball,)), (480, 640))
    thing = view.objects[0]
    # The nearest depth along the axis is the centre's depth less the radius.
    assert view.frame.depth_m[view.masks[0]].min() == pytest.approx(
        thing.centre[2] - thing.extents[0] / 2, abs=0.002)


def test_centres_project_into_their_masks_boxes(views):
    checked = 0
    for view in views:
        camera = view.frame.camera
        for thing, mask in zip(view.objects, view.masks, strict=True):
            if mask.sum() < 60:
                continue
            u = camera.fx * thing.centre[0] / thing.centre[2] + camera.cx
            v = camera.fy * thing.centre[1] / thing.centre[2] + camera.cy
            rows, columns = np.nonzero(mask)
            checked += 1
            assert columns.min() - 6 <= u <= columns.max() + 6
            assert rows.min() - 8 <= v <= rows.max() + 8
    assert checked > 30


def test_rotations_are_rotations_and_up_is_up(views):
    for view in views:
        for thing in view.objects:
            np.testing.assert_allclose(thing.rotation @ thing.rotation.T, np.eye(3), atol=1e-9)
            assert np.linalg.det(thing.rotation) == pytest.approx(1.0)
            assert thing.rotation[1, 2] < 0  # the optical frame's y points down


def _true_of(text, view):
    """Rows of which an expression is true, judged anew from the words."""
    words = text.split()
    head = next(word for word in words if word in SHAPES)
    rows = [row for row, thing in enumerate(view.objects) if thing.shape == head]
    before = words[1:words.index(head)]
    colours = [word for word in before if word in COLOURS]
    return [row for row in rows if not colours or view.objects[row].colour == colours[0]]


def test_plain_and_attribute_expressions_are_true_of_one_object_only(views):
    seen = 0
    for view in views:
        for said in expressions(view):
            candidates = _true_of(said.text, view)
            assert said.row in candidates
            if said.kind in ('plain', 'attribute'):
                seen += 1
                assert candidates == [said.row]
    assert seen > 50


def test_directions_hold_in_the_image(views):
    seen = 0
    for view in views:
        columns = [np.nonzero(mask)[1].mean() if mask.any() else np.nan for mask in view.masks]
        for said in expressions(view):
            if said.kind != 'direction':
                continue
            rivals = [row for row in _true_of(said.text, view) if row != said.row]
            sign = 1 if 'left' in said.text else -1 if 'right' in said.text else 0
            if sign:
                seen += 1
                assert all(sign * columns[said.row] < sign * columns[row] for row in rivals)
            else:
                nearer = 1 if 'front' in said.text else -1
                depths = [nearer * thing.base[2] for thing in view.objects]
                assert all(depths[said.row] < depths[row] for row in rivals)
    assert seen > 5


def test_relations_hold_and_no_other_candidate_fits(views):
    seen = 0
    for view in views:
        columns = [np.nonzero(mask)[1].mean() if mask.any() else np.nan for mask in view.masks]
        names = [thing.name for thing in view.objects]
        for said in expressions(view):
            if ' left of the ' not in said.text:
                continue
            seen += 1
            other = names.index(said.text.split(' left of the ')[1])
            rivals = [row for row in _true_of(said.text, view) if row not in (said.row, other)]
            assert columns[said.row] < columns[other]
            assert all(columns[row] >= columns[other] for row in rivals)
    assert seen > 10


def test_every_kind_of_expression_occurs(views):
    kinds = {said.kind for view in views for said in expressions(view)}
    assert kinds == {'plain', 'attribute', 'direction', 'superlative', 'relation'}


def test_millimetres_are_rounded_and_what_is_invalid_is_zero():
    depth = np.array([[0.0, 1.2346, np.nan, np.inf, -1.0, 70.0]], np.float32)
    assert as_millimetres(depth).tolist() == [[0, 1235, 0, 0, 0, 0]]


def test_sensor_depth_has_holes_flying_pixels_and_noise(views):
    depth = views[0].frame.depth_m
    noisy = sensor_depth(depth, np.random.default_rng(0))
    valid = noisy > 0
    error = np.abs(noisy - depth)[valid]
    assert 0.01 < 1 - valid.mean() < 0.2
    assert np.median(error) < 0.006
    assert (error > 0.03).mean() > 0.001
    np.testing.assert_array_equal(noisy, sensor_depth(depth, np.random.default_rng(0)))


def test_models_may_be_loaded_after_a_scene_was_rendered():
    # Their libraries bring a second LLVM into the process; see `_load_mujoco`.
    result = subprocess.run(
        [sys.executable, '-c', 'from refdiff_ros.sim.render import generate\n'
         'generate(0, (48, 64))\nimport diffusers, triton'],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    assert result.returncode == 0, result.stderr
