"""What the robot makes of an instruction, by the shipped parser."""

import pytest

from refdiff_ros.follow.tasks import CannotError, Kind, NotReadError, tasks_of, Where
from refdiff_ros.language.expression import load_parser
from refdiff_ros.language.instruction.reader import read_instruction


@pytest.fixture(scope='module')
def tasks():
    nlp = load_parser()
    return lambda text: tasks_of(read_instruction(text, nlp))


@pytest.mark.parametrize('text, expected', [
    ('pick up the red mug', [(Kind.PICK, 0, (), '')]),
    ('put the red can on the plate', [(Kind.PLACE, 0, (1,), 'on')]),
    ('pick up the ball and put it in the bowl', [
        (Kind.PICK, 0, (), ''), (Kind.PLACE, 1, (2,), 'in')]),
    ('put the can between the mug and the box', [(Kind.PLACE, 0, (1, 2), 'between')]),
    ('put the red can on the plate, then hand me the mug', [
        (Kind.PLACE, 0, (1,), 'on'), (Kind.HAND, 2, (), '')]),
    ('put the red can and the green can on the plate', [
        (Kind.PLACE, 0, (2,), 'on'), (Kind.PLACE, 1, (2,), 'on')]),
    ('where is the mug', [(Kind.POINT, 0, (), '')])])
def test_steps_become_tasks(tasks, text, expected):
    assert [(task.kind, task.theme, task.anchors, task.relation)
            for task in tasks(text)] == expected


@pytest.mark.parametrize('text, where', [
    ('put it back', Where.BACK), ('put it down', Where.TABLE),
    ('put the ball on the table', Where.TABLE), ('move the mug to the left', Where.WAY)])
def test_places_that_no_object_tells(tasks, text, where):
    assert tasks(text)[0].where is where


@pytest.mark.parametrize('text, told', [
    ('the red mug', "'pick up the red mug'"), ('thank you', 'no object is named'),
    ('if the mug is clean put it on the plate', 'without a condition'),
    ("don't touch the mug", 'left alone')])
def test_what_asks_for_nothing_is_not_read(tasks, text, told):
    with pytest.raises(NotReadError, match=told):
        tasks(text)


@pytest.mark.parametrize('text, told', [
    ('open the door', "'open' is nothing that this robot can do"),
    ('lift the cube 20 cm', 'how far is only taken for a place'),
    ('put the mug 5 cm on the plate', 'beside something'),
    ('pick up the mug and the can', 'one thing at a time')])
def test_what_the_robot_cannot_do_is_refused(tasks, text, told):
    with pytest.raises(CannotError, match=told):
        tasks(text)


def test_how_far_beside_something_is_taken(tasks):
    task, = tasks('put the can 5 cm left of the plate')
    assert task.distance_m == pytest.approx(0.05) and task.relation == 'left of'
    assert task.sentence == 'put the can 5 cm left of the plate'
