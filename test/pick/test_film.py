"""The film of a pick or an order, from made-up pictures."""

from types import SimpleNamespace

import numpy as np
from PIL import Image
import pytest

from refdiff_ros.pick.film import write_gif, write_timeline

RED, GREEN = (200, 30, 30), (30, 160, 40)


def _picture(column):
    """(60, 80, 3): a red square at a column on green ground."""
    image = np.full((60, 80, 3), GREEN, np.uint8)
    image[20:40, column:column + 20] = RED
    return image


def _event(at_s, note='', mask=None, marks=()):
    return SimpleNamespace(at_s=at_s, note=note, mask=mask, marks=marks,
                           stage=SimpleNamespace(name='GROUNDING'))


def _film(path, *args, **named):
    write_gif(path, *args, **named)
    with Image.open(path) as film:
        shown = []
        for row in range(film.n_frames):
            film.seek(row)
            shown.append((np.asarray(film.convert('RGB')).copy(), film.info['duration']))
    return shown


def test_of_a_time_in_which_nothing_happens_only_the_beginning_is_shown(tmp_path):
    frames = [(0.1 * row, _picture(10)) for row in range(60)]
    frames += [(6 + 0.1 * row, _picture(12 + row)) for row in range(10)]
    shown = _film(tmp_path / 'a.gif', frames, [_event(0.0)], 'wait', 0.1, 'done: all of it')
    assert 20 <= len(shown) <= 30
    assert shown[-1][1] == 2000 and shown[0][1] == 100


def test_colours_are_those_of_the_pictures_from_beginning_to_end(tmp_path):
    frames = [(0.1 * row, _picture(row)) for row in range(40)]
    for image, _ in _film(tmp_path / 'a.gif', frames, [], 'go', 0.1):
        assert np.abs(image[5, 470].astype(int) - GREEN).max() < 12


@pytest.mark.parametrize('marks', [(), (('1', (40, 5, 60, 15)),)])
def test_what_a_question_is_about_is_marked(tmp_path, marks):
    frames = [(0.1, _picture(0)), (0.2, _picture(1))]
    (image, _), _ = _film(tmp_path / 'a.gif', frames, [_event(0.0, 'which?', marks=marks)],
                          'take it', 0.1)
    framed = np.abs(image[30, 250:350].astype(int) - GREEN).max() > 60  # the box's upper side
    assert bool(framed) is bool(marks)


def test_the_timeline_tells_the_truth_only_where_somebody_judged(tmp_path):
    values = {'expression': 'take it', 'events': [{'at_s': 0.5, 'stage': 'lift', 'note': 'up'}],
              'result': {'at_s': 1.0, 'status': 'DONE', 'reason': 'in the hand'}}
    for truth, count in (('', 3), ('it was lifted', 4)):
        write_timeline(tmp_path, values | {'truth': truth})
        lines = (tmp_path / 'timeline.txt').read_text().splitlines()
        assert len(lines) == count and lines[1].split() == ['0.50', 's', 'lift', 'up']
