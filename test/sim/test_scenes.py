"""Scenes, their rendering and their expressions."""

from dataclasses import replace
import subprocess
import sys

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.depth_noise import as_millimetres, sensor_depth
from refdiff_ros.sim.expressions import expressions, KINDS, SceneExpression
from refdiff_ros.sim.mjcf import camera_pose
from refdiff_ros.sim.render import generate, render
from refdiff_ros.sim.scene import random_scene, TABLE_HALF_XY, Thing, View
from refdiff_ros.sim.shapes import COLOURS, SHAPES

SIZE = (120, 160)


@pytest.fixture(scope='module')
def views():
    return [generate(seed, SIZE) for seed in range(8)]


def test_scenes_show_every_shape_and_every_colour():
    things = [thing for seed in range(100) for thing in random_scene(seed).things]
    assert {thing.shape for thing in things} == set(SHAPES)
    assert {thing.colour for thing in things} == set(COLOURS)
    assert len({(thing.shape, thing.colour) for thing in things}) > 40


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


def test_objects_do_not_touch_unless_one_stands_on_another():
    for seed in range(100):
        things = random_scene(seed).things
        assert len(things) >= 3
        for row, thing in enumerate(things):
            assert np.all(np.abs(thing.xy) + thing.form.radius * 0.9 < TABLE_HALF_XY)
            for other in things[row + 1:]:
                if thing.on is not None or other.on is not None:
                    continue
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


def test_sides_hold_in_the_image(views):
    seen = 0
    for view in views:
        columns = [np.nonzero(mask)[1].mean() if mask.any() else np.nan for mask in view.masks]
        for said in expressions(view):
            if said.sense not in ('left', 'right'):
                continue
            seen += 1
            sign = 1 if said.sense == 'left' else -1
            rivals = [row for row in _true_of(said.text, view) if row != said.row]
            assert all(sign * columns[said.row] < sign * columns[row] for row in rivals)
    assert seen > 20


def test_relations_hold_and_no_other_candidate_fits(views):
    seen = 0
    for view in views:
        columns = [np.nonzero(mask)[1].mean() if mask.any() else np.nan for mask in view.masks]
        names = [thing.name for thing in view.objects]
        for said in expressions(view):
            other = said.text.partition(' left of the ')[2]
            if other not in names:
                continue
            seen += 1
            rivals = [row for row in _true_of(said.text, view)
                      if row not in (said.row, names.index(other))]
            assert columns[said.row] < columns[names.index(other)]
            assert all(columns[row] >= columns[names.index(other)] for row in rivals)
    assert seen > 10


def test_every_kind_of_expression_occurs_and_no_text_occurs_twice(views):
    kinds = set()
    for view in views:
        said = expressions(view)
        kinds |= {expression.kind for expression in said}
        assert len({expression.text for expression in said}) == len(said)
    assert kinds == set(KINDS)


def test_an_unknown_kind_is_refused():
    with pytest.raises(BadRequestError, match='expected a kind'):
        SceneExpression('the mug', 0, 'colour')


def _laid(*things, size=SIZE):
    """Expressions of a scene of (shape, colour, x, y, {'on', 'scale'}): text to row.

    The camera looks along y, so x points to the right and y away from the viewer.
    """
    placed = []
    for shape, colour, x, y, *more in things:
        more = more[0] if more else {}
        form = SHAPES[shape](np.random.default_rng(3))
        scale = more.get('scale', 1.0)
        if scale != 1.0:  # balls are plain ellipsoids
            (part,) = form.parts
            form = replace(
                form, extents=tuple(scale * extent for extent in form.extents),
                parts=(replace(part, half_sizes=tuple(scale * half for half in part.half_sizes),
                               position=tuple(scale * at for at in part.position)),))
        on = more.get('on')
        z = 0.0 if on is None else 0.005
        placed.append(Thing(shape, colour, (x, y), 0.0, form, z, on))
    camera = View((0.0, 0.0), 0.85, np.radians(45), 0.0, np.radians(45))
    view = render(replace(random_scene(0), things=tuple(placed), view=camera), size)
    assert all(mask.any() for mask in view.masks)
    return {said.text: said.row for said in expressions(view)}


def test_sides_of_two_and_of_three_alike():
    said = _laid(('mug', 'red', -0.2, 0.0), ('mug', 'blue', 0.1, 0.0), ('mug', 'red', 0.2, 0.0))
    for text in ('the mug on the left', 'the leftmost mug', 'the left mug',
                 'the red mug on the left', 'the first mug from the left'):
        assert said[text] == 0
    assert said['the rightmost mug'] == 2
    assert said['the red mug on the right'] == 2
    # The blue one stands on the right as well.
    assert 'the mug on the right' not in said and 'the right mug' not in said


def test_what_is_nearly_level_is_neither_left_nor_right():
    said = _laid(('mug', 'red', 0.0, 0.12), ('mug', 'blue', 0.02, -0.12))
    assert not {'the leftmost mug', 'the left mug', 'the second mug from the left'} & said.keys()
    for text in ('the top mug', 'the mug at the top', 'the back mug', 'the mug at the back',
                 'the farthest mug'):
        assert said[text] == 0
    for text in ('the bottom mug', 'the front mug', 'the mug in front', 'the closest mug'):
        assert said[text] == 1


def test_corners():
    said = _laid(('can', 'red', -0.2, 0.15), ('can', 'blue', 0.2, -0.15))
    assert said['the top left can'] == 0 and said['the can at the bottom right'] == 1
    assert 'the top right can' not in said


def test_the_middle_one_of_three_and_of_no_other_number():
    said = _laid(*[('can', 'red', x, 0.0) for x in (-0.2, 0.0, 0.2)])
    assert said['the can in the middle'] == said['the middle can'] == 1
    assert said['the middle red can'] == 1
    uneven = _laid(*[('can', 'red', x, 0.0) for x in (-0.22, -0.13, 0.25)])
    assert 'the middle can' not in uneven and uneven['the second can from the left'] == 1
    four = _laid(*[('can', 'red', x, 0.0) for x in (-0.24, -0.08, 0.08, 0.24)])
    assert 'the middle can' not in four


def test_ordinals_count_from_either_side():
    said = _laid(*[('can', 'red', x, 0.0) for x in (0.08, -0.24, 0.24, -0.08)])
    assert said['the second can from the left'] == 3
    assert said['the third can from the left'] == 0
    assert said['the third can from the right'] == 3
    assert said['the first red can from the right'] == 2
    crowded = _laid(*[('can', 'red', x, y) for x, y in ((-0.2, 0), (0.2, 0.1), (0.2, -0.1))])
    assert not any('from the' in text for text in crowded)


def test_superlatives_need_a_lead_in_size_and_in_looks():
    said = _laid(('ball', 'red', -0.15, 0.0), ('ball', 'blue', 0.15, 0.0, {'scale': 1.4}))
    assert said['the largest ball'] == said['the biggest ball'] == 1
    assert said['the smallest ball'] == 0
    alike = _laid(('ball', 'red', -0.15, 0.0), ('ball', 'blue', 0.15, 0.0, {'scale': 1.05}))
    assert 'the largest ball' not in alike
    # The larger one stands so far off that it looks smaller.
    far = _laid(('ball', 'red', -0.1, -0.3), ('ball', 'blue', 0.1, 0.3, {'scale': 1.15}))
    assert 'the largest ball' not in far and 'the smallest ball' not in far


def test_relations_tell_two_alike_apart():
    said = _laid(('mug', 'red', -0.22, 0.0), ('mug', 'blue', 0.22, 0.0), ('box', 'green', 0, 0.0))
    for text in ('the mug left of the box', 'the mug to the left of the green box',
                 'the mug left of the blue mug'):
        assert said[text] == 0
    assert said['the mug right of the box'] == 1
    assert not any(' behind ' in text for text in said)
    assert not any(text.startswith('the box ') for text in said)  # there is only one


def test_in_front_behind_and_next_to():
    said = _laid(('mug', 'red', 0.0, 0.2), ('mug', 'blue', 0.0, -0.2), ('can', 'green', 0.0, 0.0),
                 ('bottle', 'black', 0.25, 0.2), ('bottle', 'red', -0.05, -0.02))
    assert said['the mug behind the can'] == 0 and said['the mug in front of the can'] == 1
    assert said['the bottle next to the can'] == said['the bottle beside the green can'] == 4
    # The two mugs are equally near.
    assert 'the mug next to the can' not in said


def test_what_stands_on_what():
    said = _laid(('plate', 'red', -0.2, 0.0), ('plate', 'blue', 0.2, 0.0),
                 ('can', 'green', 0.2, 0.0, {'on': 1}), ('can', 'green', 0.0, 0.0))
    assert said['the can on the plate'] == said['the can on the blue plate'] == 2
    assert 'the can on the red plate' not in said
    # Neither of the two is next to a plate as a person would say it.
    assert 'the can next to the blue plate' not in said
    both = _laid(('plate', 'red', -0.2, 0.0), ('plate', 'blue', 0.2, 0.0),
                 ('can', 'green', 0.2, 0.0, {'on': 1}), ('can', 'red', -0.2, 0.0, {'on': 0}))
    assert 'the can on the plate' not in both and both['the can on the red plate'] == 3


def test_a_hidden_object_counts_but_is_not_spoken_of():
    scene = random_scene(0)
    mug = Thing('mug', 'red', (0.0, 0.0), 0.0, SHAPES['mug'](np.random.default_rng(3)))
    camera = View((0.0, 0.0), 0.85, np.radians(45), 0.0, np.radians(45))
    outside = replace(mug, colour='blue', xy=(3.0, 0.0))
    view = render(replace(scene, things=(mug, outside), view=camera), SIZE)
    assert not view.masks[1].any()
    assert [said.text for said in expressions(view)] == ['the red mug']


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
    # Their libraries bring a second LLVM into the process; see `load_mujoco`.
    result = subprocess.run(
        [sys.executable, '-c', 'from refdiff_ros.sim.render import generate\n'
         'generate(0, (48, 64))\nimport diffusers, triton'],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=250)
    assert result.returncode == 0, result.stderr
