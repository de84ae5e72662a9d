"""`refdiff evaluate decisions` on real models, and what refusals do to figures of masks."""

import json

import numpy as np
import pytest

from refdiff_ros.cli import main
from refdiff_ros.evaluation.decisions import cases as module
from refdiff_ros.evaluation.decisions.asking import evaluate_decisions
from refdiff_ros.evaluation.decisions.cases import DecisionCase
from refdiff_ros.evaluation.decisions.question_truth import question_holds
from refdiff_ros.evaluation.request import load_engine, RunRequest
from refdiff_ros.language.expression import parse
from refdiff_ros.matching.question import ask
from refdiff_ros.results import Scores, Segmentation, Status
from refdiff_ros.sim.render import generate

SMALL = ['--set', 'proposals.points_per_side=4']


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch):
    monkeypatch.setattr(module, '_BATCH', 2)


def test_without_a_calibration_that_is_said(tmp_path, capsys):
    assert main([
        'evaluate', 'decisions', '--bundle', 'untrained_mini', '--limit', '1', *SMALL,
        '--json', str(tmp_path / 'out.json'), '--html', str(tmp_path / 'out.html')]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out.splitlines()[-1])
    assert "NOTE: 'untrained_mini' has no calibration" in captured.out
    assert (found['cases'], found['errors'], found['calibrated']) == (3, 0, False)
    written = json.loads((tmp_path / 'out.json').read_text())
    assert [one['source'] for one in written['results']].count('one') == 1
    assert all(one['presence'] is None for one in written['results'])
    assert len(written['confidence']['all questions']['bins']) == 10
    assert 'There is no calibration' in (tmp_path / 'out.html').read_text()


def test_the_shipped_bundle_is_calibrated(capsys):
    assert main(['evaluate', 'decisions', '--limit', '2']) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found['calibrated'] and (found['cases'], found['errors']) == (6, 0)
    assert found['confusion']['NOT_FOUND']['FOUND'] < 2


def test_a_wrong_half_is_told_before_anything_runs(capsys):
    assert main(['evaluate', 'decisions', '--half', 'unseen']) == 2
    assert "expected half 'all'" in capsys.readouterr().err


def test_figures_of_masks_are_made_without_refusals_unless_asked_for(capsys):
    engine = load_engine(RunRequest(device='cpu'))
    preset = engine.preset
    assert engine.models.overrides['onboard']['calibration']['not_found_below'] > 0
    assert preset.selection.decide == 'scores' and preset.calibration.mode == 'full'
    asked = RunRequest(device='cpu', override_texts=('selection.decide=calibrated',))
    assert load_engine(asked).preset.selection.decide == 'calibrated'


class _Broken:
    def segment(self, frame, expression, **options):
        raise module.BadRequestError('expected something else')


def test_an_error_is_kept_as_a_result():
    view = generate(0, (48, 64))
    case = DecisionCase(view, 0, 'the mug', 'plain', '', 'removed', ())
    (result,) = evaluate_decisions(_Broken(), [case])
    assert (result.status, result.truth) == ('BAD_REQUEST', 'NOT_FOUND')
    assert result.error == 'expected something else' and not result.right


def _answer(view, rows, masks=None):
    masks = view.masks[list(rows)] if masks is None else masks
    expression = parse('the thing', root='rules')
    scores = Scores(*[np.ones(len(masks), np.float32)] * 3)
    return Segmentation(
        Status.AMBIGUOUS, '', expression, masks[0], 1.0, 0.5, 0, tuple(range(1, len(masks))),
        masks, scores, None, question=ask(masks, view.frame.image_rgb, expression))


def test_a_question_about_objects_is_judged_by_the_scene():
    view = generate(1, (120, 160))
    columns = [np.nonzero(mask)[1].mean() for mask in view.masks]
    rows = [int(np.argmin(columns)), int(np.argmax(columns))]
    case = DecisionCase(view, 0, 'the thing', 'plain', '', 'several', tuple(rows), rows[0])
    assert question_holds(case, _answer(view, rows)) is True
    turned = _answer(view, rows)
    object.__setattr__(turned.question, 'told', turned.question.told[::-1])
    assert question_holds(case, turned) is False
    nothing = np.zeros_like(view.masks[:2])
    nothing[0, :4, :4] = nothing[1, -4:, -4:] = True
    assert question_holds(case, _answer(view, rows, nothing)) is None
