"""Figures of the three decisions, by hand, and the page that shows them."""

from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest

from refdiff_ros.errors import RefDiffError
from refdiff_ros.evaluation.decisions.asking import DecisionResult
from refdiff_ros.evaluation.decisions.figures import decision_figures, decision_table
from refdiff_ros.evaluation.html.decisions import decisions_page, write_decisions

_SOURCE = {'FOUND': 'one', 'NOT_FOUND': 'removed', 'AMBIGUOUS': 'several'}


def _result(truth, status, confidence=0.5, chosen_iou=0.0, **changes):
    values = {
        'scene': 0, 'expression': 'the mug', 'kind': 'plain', 'sense': '',
        'source': _SOURCE[truth], 'presence': 0.5, 'candidates': int(status != 'NOT_FOUND'),
        'fitting': 0, 'offered': False, 'question': '', 'tells_apart': False,
        'question_holds': None, 'seconds': 0.1} | changes
    return DecisionResult(
        truth=truth, status=status, confidence=confidence, chosen_iou=chosen_iou, **values)


@pytest.fixture
def results():
    return [
        _result('FOUND', 'FOUND', 0.9, 0.8),
        _result('FOUND', 'NOT_FOUND', 0.3, 0.6, scene=1),
        _result('FOUND', 'FOUND', 0.9, 0.1, scene=2),
        _result('NOT_FOUND', 'NOT_FOUND', 0.1),
        _result('NOT_FOUND', 'FOUND', 0.7, source='elsewhere', scene=3),
        _result('AMBIGUOUS', 'AMBIGUOUS', 0.45, 0.7, candidates=2, fitting=2, offered=True,
                tells_apart=True, question='Do you mean the left one or the right one?',
                question_holds=True),
        _result('AMBIGUOUS', 'AMBIGUOUS', 0.45, scene=4, question='<b>2 regions</b> fit'),
        _result('AMBIGUOUS', 'INTERNAL', 0.0, scene=5, error='broken')]


def test_precision_and_recall_are_those_of_the_confusion_matrix(results):
    found = decision_figures(results)
    assert found['confusion']['FOUND'] == {
        'FOUND': 2, 'NOT_FOUND': 1, 'AMBIGUOUS': 0, 'INTERNAL': 0}
    assert found['confusion']['AMBIGUOUS']['INTERNAL'] == 1
    assert found['precision'] == {'FOUND': 0.6667, 'NOT_FOUND': 0.5, 'AMBIGUOUS': 1.0}
    assert found['recall'] == {'FOUND': 0.6667, 'NOT_FOUND': 0.5, 'AMBIGUOUS': 0.6667}
    assert found['recall_interval']['NOT_FOUND'][0] == 0.0
    assert found['macro_f1'] == pytest.approx((2 / 3 + 0.5 + 0.8) / 3, abs=1e-4)
    assert (found['cases'], found['errors']) == (8, 1)
    assert found['recall_by_source'] == {
        'one': 0.6667, 'removed': 1.0, 'elsewhere': 0.0, 'several': 0.6667}


def test_expressions_with_an_anchor_are_counted_apart(results):
    placed = [replace(one, kind='relation') for one in results[:5]]
    found = decision_figures([*placed, *results[5:]])
    assert found['relations'] == {
        'true': 3, 'true_accepted': 0.6667, 'false': 2, 'false_accepted': 0.5}
    assert '0.667 of 3 true ones accepted, 0.500 of 2 false ones' in decision_table(found)


def test_a_decision_that_is_never_given_has_no_precision(results):
    found = decision_figures([one for one in results if one.status == 'FOUND'])
    assert found['precision']['AMBIGUOUS'] is None
    assert found['precision_interval']['AMBIGUOUS'] == [None, None]


def test_confidence_is_judged_by_the_best_region_also_where_it_was_refused(results):
    found = decision_figures(results)['confidence']
    assert found['all questions']['cases'] == 8
    assert found['all questions']['right'] == pytest.approx(3 / 8)  # IoU 0.8, 0.6 and 0.7
    one = found['one object fits']
    assert (one['right'], one['mean_confidence']) == (0.6667, 0.7)
    assert one['ece'] == pytest.approx((2 * abs(0.9 - 0.5) + abs(0.3 - 1)) / 3, abs=1e-4)
    assert sum(each['count'] for each in one['bins']) == 3
    assert found['answered FOUND']['cases'] == 3


def test_refusals_cost_mean_iou_only_where_they_are_counted(results):
    mean_iou = decision_figures(results)['mean_iou']
    assert mean_iou == {'best_region': 0.5, 'answer': 0.3}


def test_questions_are_judged_where_several_fit(results):
    assert decision_figures(results)['questions'] == {
        'asked': 2, 'meant_is_offered': 0.5, 'candidates': 3, 'fitting': 2, 'tells_apart': 0.5,
        'judged': 1, 'holds': 1.0}


def test_the_table_shows_it_all(results):
    text = decision_table(decision_figures(results))
    assert 'INTERNAL' in text and 'macro F1 0.656' in text
    assert 'mIoU of the best region 0.500, 0.300 with empty masks' in text
    assert '2 questions asked' in text


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ''

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def _written(results, **changes):
    return {'bundle': 'tabletop_mini', 'trained': True, 'split': 'val', 'half': 'all',
            'preset': 'onboard', 'mode': 'full', 'seed': 0, 'overrides': {}, 'calibrated': True,
            **decision_figures(results), 'results': [asdict(one) for one in results], **changes}


def test_the_page_shows_the_diagram_and_the_wrong_cases_and_asks_for_nothing(results):
    reader = _Reader()
    page = decisions_page(_written(results))
    reader.feed(page)
    assert reader.tags.count('svg') == 4 and 'script' not in reader.tags
    assert not [name for name, _ in reader.attributes if name in ('src', 'href')]
    labels = [value for name, value in reader.attributes if name == 'aria-label']
    assert any('0.9 to 1.0: 2 cases, 90% claimed, 50% right' in label for label in labels)
    assert 'broken' not in reader.text and 'INTERNAL' in reader.text
    assert 'No calibration' not in reader.text
    # A question's own text is text.
    wrong = [one for one in results if one.status != one.truth]
    assert decisions_page(_written([*wrong, _result(
        'FOUND', 'AMBIGUOUS', question='<b>left</b>')])).count('&lt;b&gt;left') == 1


def test_the_page_says_what_limits_the_figures(results):
    page = decisions_page(_written(results, trained=False, calibrated=False))
    assert 'The weights are random' in page and 'There is no calibration' in page


def test_a_page_that_cannot_be_written_is_an_error(results, tmp_path):
    write_decisions(tmp_path / 'new' / 'page.html', _written(results))
    assert (tmp_path / 'new' / 'page.html').read_text().startswith('<!DOCTYPE html>')
    with pytest.raises(RefDiffError, match='expected to write the report'):
        write_decisions(tmp_path, _written(results))
