"""The questions of the three sets, rendered small."""

import itertools

import numpy as np
import pytest

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.decisions import cases as module
from refdiff_ros.evaluation.decisions.cases import decision_cases
from refdiff_ros.evaluation.tabletop.cases import cases
from refdiff_ros.results import Status
from refdiff_ros.sim.expression_truth import SceneTruth
from refdiff_ros.sim.expressions import SceneExpression
from refdiff_ros.sim.splits import HELD_OUT

SIZE = (96, 128)
LIMIT = 14


def _asked(batch, *arguments):
    """The questions of a few scenes: a whole batch takes seconds to render."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, '_BATCH', batch)
        return list(decision_cases(*arguments, size_hw=SIZE))


@pytest.fixture(scope='module')
def found():
    return _asked(7, 'val', LIMIT)


def _said(case):
    return SceneExpression(case.text, max(case.meant, 0), case.kind, case.sense)


def test_each_set_has_as_many_as_asked_for_and_the_same_every_time(found):
    assert [sum(case.set == name for case in found) for name in ('one', 'none', 'several')] == [
        LIMIT] * 3
    again = _asked(3, 'val', 4)
    assert len(again) == 12
    for source in ('one', 'several', 'removed'):
        texts = [case.text for case in again if case.source == source]
        assert texts == [case.text for case in found if case.source == source][:len(texts)]


def test_the_first_set_is_the_tabletop_set(found):
    asked = [(scene, said.text, said.row) for _, said, scene in cases('val', LIMIT, size_hw=SIZE)]
    assert [(case.scene, case.text, case.meant) for case in found if case.set == 'one'] == asked


def test_each_truth_is_that_of_the_scene(found):
    for case in found:
        verdicts = SceneTruth(case.view).holders(_said(case))
        assert None not in verdicts
        assert tuple(np.flatnonzero(verdicts)) == case.rows
        wanted = {0: Status.NOT_FOUND, 1: Status.FOUND}.get(len(case.rows), Status.AMBIGUOUS)
        assert case.truth is wanted
        assert case.meant in case.rows or (case.meant == -1 and not case.rows)


def test_what_is_removed_is_missing_from_the_picture_and_nothing_else_is(found):
    whole = {case.scene: case.view for case in found if case.source == 'one'}
    removed = [case for case in found if case.source == 'removed' and case.scene in whole]
    assert len(removed) >= 4
    for case in removed:
        before, after = whole[case.scene], case.view
        gone = [thing for thing in before.scene.things if not any(
            other.xy == thing.xy for other in after.scene.things)]
        assert len(gone) == 1
        row = before.scene.things.index(gone[0])
        changed = (before.frame.image_rgb != after.frame.image_rgb).any(axis=2)
        assert changed[before.masks[row]].mean() > 0.5
        assert before.scene.view == after.scene.view and before.scene.light == after.scene.light


def test_both_sources_of_the_second_set_occur(found):
    sources = [case.source for case in found if case.set == 'none']
    assert min(sources.count('removed'), sources.count('elsewhere')) >= 4


def test_pictures_follow_each_other(found):
    scenes = [case.scene for case in found]
    assert scenes == sorted(scenes)
    digests = [case.view.frame.digest for case in found]
    changes = sum(first != second for first, second in itertools.pairwise(digests))
    assert changes == len(set(digests)) - 1


def test_in_the_unseen_half_a_pair_that_training_lacked_is_asked_for():
    found = _asked(3, 'test', 6, 'unseen')
    assert any(case.set == 'several' for case in found)
    for case in found:
        if case.rows:
            assert HELD_OUT & {(case.view.objects[row].shape, case.view.objects[row].colour)
                               for row in case.rows}


@pytest.mark.parametrize('arguments, message', [
    (('val', 0), 'a limit of 1 or more'), (('val', 1, 'unseen'), "expected half 'all'"),
    (('dev', 1), 'expected a split')])
def test_other_choices_are_refused(arguments, message):
    with pytest.raises(BadRequestError, match=message):
        next(decision_cases(*arguments))
