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


def test_a_film_keeps_its_pictures_and_their_time(maker, tmp_path):
    pictures = [Image.new('RGB', (160, 120), (level, 0, 90)) for level in (0, 120, 250)]
    pictures[0].save(tmp_path / 'film.gif', save_all=True, append_images=pictures[1:], loop=0,
                     duration=[100, 100, 2500])
    maker.write_film(tmp_path / 'film.gif', tmp_path / 'film.webp')
    with Image.open(tmp_path / 'film.webp') as image:
        assert image.n_frames == 3 and image.size == (160, 120) and image.info['loop'] == 0
        image.seek(2)
        image.load()
        assert image.info['duration'] == 2500
        assert image.convert('RGB').getpixel((80, 60))[0] > 200


def test_scores_are_written_on_proposals_that_do_not_overlap(maker):
    proposals = np.zeros((4, 1, 4), bool)
    for row, places in enumerate(([0, 1], [1, 2], [2], [3])):
        proposals[row, 0, places] = True
    found = SimpleNamespace(
        proposals=proposals, scores=SimpleNamespace(total=np.array([0.9, 0.8, 0.1, 0.4])))
    assert maker.best_apart(found, np.arange(4)) == [0, 3, 2]
    assert maker.best_apart(found, np.arange(4), count=1) == [0]
