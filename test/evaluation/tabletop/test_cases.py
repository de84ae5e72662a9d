"""What is asked on the tabletop set, how answers are judged, and how the figures are shown."""

from dataclasses import replace
import json
from types import SimpleNamespace

import numpy as np
from PIL import Image
import pytest

from refdiff_ros.errors import BadRequestError, OutOfMemoryError
from refdiff_ros.evaluation.figures import table
from refdiff_ros.evaluation.run import Answer, answer_samples, Reply
from refdiff_ros.evaluation.tabletop.cases import cases, choose, scene_range
from refdiff_ros.evaluation.tabletop.contact_sheets import ContactSheets
from refdiff_ros.evaluation.tabletop.figures import as_case, tabletop_figures
from refdiff_ros.evaluation.tabletop.samples import tabletop_samples
from refdiff_ros.results import Status
from refdiff_ros.sim.expressions import SceneExpression
from refdiff_ros.sim.splits import HELD_OUT

SIZE = (48, 64)
ANSWER = Answer('val_0_0', 'val_0', 'the mug', 'FOUND', 0.5, 10, 20, 1.0, 0.8, 0.2,
                tags={'kind': 'plain', 'half': 'seen'})


@pytest.fixture(scope='module')
def asked():
    return list(cases('val', limit=6, size_hw=SIZE))


@pytest.fixture(scope='module')
def samples():
    return list(tabletop_samples('val', limit=6, size_hw=SIZE))


class _Engine:
    """Answers with the truth; raises `error` when it is asked for the third time."""

    def __init__(self, asked, error=None, attention=True):
        self._attention = attention
        self._truth = {(view.frame.digest, said.text): view.masks[said.row]
                       for view, said, _ in asked}
        self._error, self._asked = error, 0

    def segment(self, frame, expression, **options):
        self._asked += 1
        if self._error is not None and self._asked == 3:
            raise self._error
        truth = self._truth[frame.digest, expression]
        return SimpleNamespace(
            mask=truth, status=Status.FOUND, proposals=np.stack([~truth, truth]),
            correlation=truth.astype(np.float32) if self._attention else None)


def test_the_same_questions_come_again_and_a_limit_only_ends_them(asked):
    again = list(cases('val', limit=3, size_hw=SIZE))
    assert [(scene, said) for _, said, scene in again] \
        == [(scene, said) for _, said, scene in asked][:3]
    assert len(asked) == 6
    scenes = [scene for _, _, scene in asked]
    assert scenes == sorted(scenes) and max(scenes.count(scene) for scene in scenes) == 2


def test_two_expressions_of_a_scene_are_of_two_kinds():
    found = [SceneExpression(f'the mug {k}', 0, 'relation', 'left of') for k in range(50)]
    found += [SceneExpression('the mug behind it', 1, 'relation', 'behind'),
              SceneExpression('the can', 2, 'plain')]
    picked = [choose(found, np.random.default_rng(seed)) for seed in range(200)]
    assert all({said.kind for said in pair} == {'plain', 'relation'} for pair in picked)
    # The sense is drawn before the wording: what is rare is asked as often.
    behind = sum(any(said.sense == 'behind' for said in pair) for pair in picked)
    assert 70 < behind < 130
    assert choose([], np.random.default_rng(0)) == []


def test_in_the_unseen_half_the_object_meant_is_of_a_pair_that_training_lacks():
    for half, unseen in (('seen', False), ('unseen', True)):
        for view, said, scene in cases('test', limit=6, half=half, size_hw=SIZE):
            pair = view.objects[said.row].shape, view.objects[said.row].colour
            assert (pair in HELD_OUT) is unseen and (scene >= 500) is unseen


def test_halves_and_what_is_none():
    assert scene_range('test', 'seen') == range(500)
    assert scene_range('test', 'unseen') == range(500, 1000)
    assert scene_range('val') == range(1000)
    with pytest.raises(BadRequestError, match="expected half 'all'"):
        scene_range('val', 'unseen')
    with pytest.raises(BadRequestError, match='expected a half'):
        scene_range('test', 'third')
    with pytest.raises(BadRequestError, match='expected a limit'):
        next(cases('val', limit=0))


def test_true_answers_are_judged_true(asked, samples):
    results = answer_samples(_Engine(asked), samples)
    assert [answer.expression for answer in results] == [said.text for _, said, _ in asked]
    assert all(answer.iou == answer.oracle_iou == answer.pointing == 1.0 for answer in results)
    assert all(answer.tags['half'] == 'seen' and answer.status == 'FOUND' for answer in results)
    results = answer_samples(_Engine(asked, attention=False), samples)
    assert [answer.pointing for answer in results] == [None] * 6


@pytest.mark.parametrize('error, status', [
    (BadRequestError('expected a noun, got none'), 'BAD_REQUEST'),
    (OutOfMemoryError('expected memory, got none'), 'OUT_OF_MEMORY')])
def test_an_error_on_one_case_does_not_lose_the_others(asked, samples, error, status):
    results = answer_samples(_Engine(asked, error), samples)
    failed = [answer for answer in results if answer.error]
    assert failed == results[2:3]
    assert failed[0].iou == 0 and failed[0].status == status
    assert failed[0].union == asked[2][0].masks[asked[2][1].row].sum()
    found = tabletop_figures(results)
    assert found['errors'] == 1 and found['mean_iou'] == pytest.approx(5 / 6, abs=1e-4)
    assert found['oracle_mean_iou'] == 1.0


def test_a_case_has_its_scene_and_its_tags():
    assert as_case(replace(ANSWER, image_id='test_712', tags={
        'kind': 'direction', 'half': 'unseen', 'sense': 'left'})) == {
        'scene': 712, 'expression': 'the mug', 'status': 'FOUND', 'iou': 0.5, 'intersection': 10,
        'union': 20, 'pointing': 1.0, 'oracle_iou': 0.8, 'seconds': 0.2, 'error': '',
        'kind': 'direction', 'half': 'unseen', 'sense': 'left'}
    assert as_case(ANSWER)['sense'] == ''


def test_figures_by_hand():
    results = [ANSWER, replace(
        ANSWER, image_id='val_1', tags={'kind': 'attribute', 'half': 'unseen'}, iou=0.9,
        intersection=90, union=100, pointing=0.0, oracle_iou=None)]
    found = tabletop_figures(results)
    assert found['mean_iou'] == 0.7 and found['overall_iou'] == round(100 / 120, 4)
    assert found['precision_at'] == {'0.5': 1.0, '0.6': 0.5, '0.7': 0.5, '0.8': 0.5, '0.9': 0.5}
    assert found['pointing'] == 0.5 and found['oracle_mean_iou'] == 0.8
    assert found['mean_iou_interval'] == [0.5, 0.9]
    assert list(found['by_kind']) == ['plain', 'attribute']  # as they grow harder
    assert found['by_half']['unseen']['mean_iou'] == 0.9
    lines = table(found).splitlines()
    assert [line.split()[0] for line in lines[2:]] == [
        'overall', 'seen', 'unseen', 'plain', 'attribute']
    assert len({len(line) for line in lines}) == 1
    json.dumps([found, as_case(ANSWER)], allow_nan=False)


def test_figures_without_cases_are_null():
    found = tabletop_figures([])
    assert found['mean_iou'] is None and found['mean_iou_interval'] == [None, None]
    assert json.loads(json.dumps(found, allow_nan=False))['cases'] == 0
    assert '-' in table(found)


def test_contact_sheets_hold_the_worst_and_the_best(samples, tmp_path):
    sheets = ContactSheets()
    frame, truth = samples[0].load()
    for k in range(30):
        found = None if k == 0 else SimpleNamespace(mask=truth)
        sheets.add(replace(ANSWER, iou=k / 30), Reply(samples[0], frame, truth, found))
    ious = {name: [case.iou for case in cases] for name, cases in sheets.cases.items()}
    assert ious['worst'] == [k / 30 for k in range(12)]
    assert ious['best'] == [k / 30 for k in range(29, 17, -1)]
    assert len(ious['random']) == len(set(ious['random'])) == 12
    paths = sheets.write(tmp_path / 'sheets')
    assert [path.name for path in paths] == ['worst.png', 'best.png', 'random.png']
    assert all(Image.open(path).size == (4 * 384, 3 * (288 + 44)) for path in paths)
    assert ContactSheets().write(tmp_path / 'none') == []
