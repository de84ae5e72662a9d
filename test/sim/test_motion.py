"""Tabletops in motion."""

import itertools
import math

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.mjcf import camera_pose
from refdiff_ros.sim.motion import CAMERAS, moving_scenes
from refdiff_ros.sim.scene import random_scene, TABLE_HALF_XY

SEEDS = range(12)


def test_the_first_moment_is_the_scene_and_the_same_seed_gives_the_same():
    scene = random_scene(3)
    scenes = moving_scenes(scene, 20, 10.0, seed=5)
    assert scenes[0] == scene
    assert scenes == moving_scenes(scene, 20, 10.0, seed=5)
    assert scenes != moving_scenes(scene, 20, 10.0, seed=6)


def test_objects_slide_no_faster_than_they_may_and_the_camera_goes_round():
    moved = 0
    for seed in SEEDS:
        scenes = moving_scenes(random_scene(seed), 30, 10.0)
        assert scenes[0].view.azimuth != scenes[-1].view.azimuth
        for before, after in itertools.pairwise(scenes):
            for a, b in zip(before.things, after.things, strict=True):
                assert math.dist(a.xy, b.xy) <= 0.012 + 1e-9
                assert (a.shape, a.colour, a.z, a.on) == (b.shape, b.colour, b.z, b.on)
        moved += any(a.xy != b.xy for a, b in zip(
            scenes[0].things, scenes[-1].things, strict=True))
    assert moved > len(SEEDS) / 2


def test_objects_neither_meet_nor_leave_the_table():
    for seed in SEEDS:
        last = moving_scenes(random_scene(seed), 100, 10.0)[-1]
        for row, thing in enumerate(last.things):
            assert all(abs(place) + thing.form.radius <= half + 1e-9 for place, half in zip(
                thing.xy, TABLE_HALF_XY, strict=True)) or thing == random_scene(seed).things[row]
            for other in last.things[:row]:
                if row not in (other.on,) and thing.on is None and other.on is None:
                    assert math.dist(thing.xy, other.xy) > thing.form.radius + other.form.radius


def test_what_stands_on_something_goes_along():
    stacked = [scene for scene in map(random_scene, range(60))
               if any(thing.on is not None for thing in scene.things)]
    assert stacked
    for scene in stacked:
        for moment in moving_scenes(scene, 30, 10.0):
            assert all(thing.xy == moment.things[thing.on].xy
                       for thing in moment.things if thing.on is not None)


@pytest.mark.parametrize('given', [(0, 10.0), (5, 0.0), (5, float('nan'))])
def test_nonsense_is_refused(given):
    with pytest.raises(BadRequestError, match='count of 1 or more and a rate above 0'):
        moving_scenes(random_scene(0), *given)


def test_a_camera_may_stand_or_pan_while_the_same_objects_slide():
    for seed in SEEDS:
        circles, pans, stands = (moving_scenes(random_scene(seed), 10, 5.0, camera=camera)
                                 for camera in CAMERAS)
        assert {scene.view for scene in stands} == {stands[0].view}
        places = [camera_pose(scene.view)[0] for scene in pans]
        np.testing.assert_allclose(places, places[:1] * len(places), atol=1e-9)
        assert len({scene.view.azimuth for scene in pans}) == len(pans)
        for other in (pans, stands):
            assert [[thing.xy for thing in scene.things] for scene in other] == [
                [thing.xy for thing in scene.things] for scene in circles]


def test_another_camera_is_refused():
    with pytest.raises(BadRequestError, match="expected a camera of .*'stands'.* got 'flies'"):
        moving_scenes(random_scene(0), 2, 5.0, camera='flies')
