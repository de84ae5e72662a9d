"""The maker of the README's pictures."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
import pytest
from script_modules import load_script

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def maker():
    return load_script('tools/make_pictures.py')


def test_a_film_has_its_pictures_for_their_time(maker, tmp_path):
    film = maker.Film('pick up the mug')
    for level, seconds in ((0, 0.1), (120, 0.1), (250, 2.5)):
        film.add(np.full((90, 160, 3), level, np.uint8), 'Lift', seconds)
    film.write(tmp_path / 'film.webp')
    with Image.open(tmp_path / 'film.webp') as image:
        assert image.n_frames == 3
        image.seek(2)
        image.load()
        assert image.info['duration'] == 2500
        # The line above, the picture, the line below.
        assert image.size == (160, 90 + 2 * 34)
        assert image.convert('RGB').getpixel((80, 79))[0] > 200


def test_the_tint_goes_where_the_picture_has_changed(maker):
    answered = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    now = answered.copy()
    now[:, 10:] = 200  # the hand is in front of the right half
    changed = (maker.tinted(now, answered, mask) != now).any(axis=2)
    assert changed[5:15, 5:10].all()
    assert not changed[:, 10:].any()
    assert not changed[~mask].any()


def test_scores_are_written_on_proposals_that_do_not_overlap(maker):
    proposals = np.zeros((4, 1, 4), bool)
    for row, places in enumerate(([0, 1], [1, 2], [2], [3])):
        proposals[row, 0, places] = True
    found = SimpleNamespace(
        proposals=proposals, scores=SimpleNamespace(total=np.array([0.9, 0.8, 0.1, 0.4])))
    assert maker.best_apart(found, np.arange(4)) == [0, 3, 2]
    assert maker.best_apart(found, np.arange(4), count=1) == [0]


def test_the_camera_films_ten_times_a_second(maker):
    sim = maker.FilmedGripper(maker.random_scene(60_000_340), (48, 64))
    pictures = []
    with maker.open_renderer(sim.mujoco, sim.model, (48, 64)) as renderer:
        sim.film(renderer, pictures.append)
        for _ in range(52):
            sim.run(0.02)  # 1.04 s in all, and the picture of the start
    assert len(pictures) == 11
    assert pictures[0].shape == (48, 64, 3)
