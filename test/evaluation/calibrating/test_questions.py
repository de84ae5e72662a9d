"""Questions of a calibration: what each picture is asked, and what is right."""

import numpy as np

from refdiff_ros.evaluation.calibrating.questions import (
    absent_expressions,
    LabelledPicture,
    questions,
    Said,
)
from refdiff_ros.results import Frame, Status


def _root(text):
    return text.split()[-1]


SAID = [('a', 'the red mug'), ('a', 'the box'), ('b', 'the blue mug'), ('b', 'the can'),
        ('c', 'the ball'), ('c', 'the green ball')]


def test_each_picture_is_asked_what_was_said_of_others():
    absent = absent_expressions(SAID, _root)
    assert {name: len(texts) for name, texts in absent.items()} == {'a': 2, 'b': 2, 'c': 2}
    for name, texts in absent.items():
        own = {_root(text) for picture, text in SAID if picture == name}
        assert not own.intersection(map(_root, texts)) and len(set(texts)) == len(texts)
    assert absent == absent_expressions(SAID, _root)
    assert any(absent_expressions(SAID, _root, seed) != absent for seed in range(1, 9))


def test_one_picture_alone_has_nothing_to_be_asked():
    assert absent_expressions(SAID[:2], _root) == {'a': []}


def test_the_right_decision_is_the_number_of_objects():
    frame = Frame(np.zeros((4, 6, 3), np.uint8))
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 0, 0] = masks[1, 3, 3] = True
    picture = LabelledPicture('a', frame, (
        Said('the mug', masks), Said('the red mug', masks[:1]), Said('the box', masks[:0])))
    cases = list(questions([picture], {'a': ['the can']}))
    assert [(case.text, case.truth) for case in cases] == [
        ('the mug', Status.AMBIGUOUS), ('the red mug', Status.FOUND),
        ('the box', Status.NOT_FOUND), ('the can', Status.NOT_FOUND)]
    assert all(case.masks.shape[1:] == (4, 6) for case in cases)
