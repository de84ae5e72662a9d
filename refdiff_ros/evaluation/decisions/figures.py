"""Figures of the three decisions and of the confidence, and the tables that show them."""

from collections.abc import Callable, Hashable, Sequence
import math
from typing import Any

import numpy as np

from refdiff_ros.evaluation.decisions.asking import DecisionResult
from refdiff_ros.evaluation.decisions.cases import TRUTHS
from refdiff_ros.evaluation.figures import aligned, rounded, shown, span
from refdiff_ros.evaluation.metrics.auroc import auroc
from refdiff_ros.evaluation.metrics.bootstrap import bootstrap_interval
from refdiff_ros.evaluation.metrics.reliability import (
    BINS,
    brier_score,
    expected_calibration_error,
    reliability_bins,
)

DECISIONS = tuple(status.name for status in TRUTHS.values())
# Of whose confidence is reported: all questions, those true of one object, answers to act on.
SUBSETS: dict[str, Callable[[DecisionResult], bool]] = {
    'all questions': lambda result: True,
    'one object fits': lambda result: result.source == 'one',
    'answered FOUND': lambda result: result.status == 'FOUND'}
LEGEND = f"""\
Rows: what is right; columns: what was answered. Intervals: 95 % bootstrap, scenes drawn whole.
right: share of cases whose best region is the object meant (IoU 0.5); where several fit, the one
meant is drawn by lot; where none does, no region is right. ECE: {BINS} bins of equal width."""


def decision_figures(results: Sequence[DecisionResult]) -> dict[str, Any]:
    """Every figure of `results`, ready for JSON: None where there is none.

    Returns:
        'cases', 'errors', 'confusion' by truth and answer, 'precision', 'recall' and their
        '..._interval' by decision, 'macro_f1', 'recall_by_source', 'confidence' by subset,
        'presence', 'relations', 'mean_iou', 'questions' and 'seconds_per_case'.
    """
    answers = list(dict.fromkeys((*DECISIONS, *(result.status for result in results))))
    precision, recall = (
        {name: _share(results, part, name) for name in DECISIONS} for part in ('status', 'truth'))
    sources = dict.fromkeys(result.source for result in results)
    return {
        'cases': len(results), 'errors': sum(bool(result.error) for result in results),
        'confusion': {truth: {answer: sum(
            result.truth == truth and result.status == answer for result in results)
            for answer in answers} for truth in DECISIONS},
        'precision': {name: found[0] for name, found in precision.items()},
        'precision_interval': {name: found[1] for name, found in precision.items()},
        'recall': {name: found[0] for name, found in recall.items()},
        'recall_interval': {name: found[1] for name, found in recall.items()},
        'macro_f1': macro_f1([result.truth for result in results],
                             [result.status for result in results]),
        'recall_by_source': {source: _mean([
            result.status == result.truth for result in results if result.source == source])
            for source in sources},
        'confidence': {name: _confidence([result for result in results if inside(result)])
                       for name, inside in SUBSETS.items()},
        'presence': _presence([result for result in results if result.presence is not None]),
        'relations': _relations([result for result in results if result.kind == 'relation']),
        'mean_iou': _mean_iou([result for result in results if result.source == 'one']),
        'questions': _questions(results),
        'seconds_per_case': _mean([result.seconds for result in results]),
    }


def macro_f1(
    truths: Sequence[Hashable], answers: Sequence[Hashable],
    decisions: Sequence[Hashable] = DECISIONS,
) -> float | None:
    """Mean over the decisions of F1, the harmonic mean of precision and recall.

    Example:
        >>> macro_f1(['FOUND', 'NOT_FOUND', 'AMBIGUOUS'], ['FOUND', 'NOT_FOUND', 'FOUND'])
        0.5556

    Args:
        truths, answers: (N,) the right and the given decisions.
        decisions: what they may be.

    Returns:
        0..1; a decision that is neither right nor given anywhere counts 0. None without cases.
    """
    right, given = np.asarray(truths), np.asarray(answers)
    scores = []
    for decision in decisions:
        told = np.count_nonzero(right == decision) + np.count_nonzero(given == decision)
        hits = np.count_nonzero((right == decision) & (given == decision))
        scores.append(2 * hits / told if told else 0.0)
    return rounded(sum(scores) / len(scores)) if len(right) else None


def _share(
    results: Sequence[DecisionResult], part: str, name: str,
) -> tuple[float | None, list[float | None]]:
    """How often the right decision is the given one where one of the two is `name`."""
    counted = [getattr(result, part) == name for result in results]
    hits = [inside and result.truth == result.status
            for inside, result in zip(counted, results, strict=True)]
    interval = bootstrap_interval(hits, counted, [result.scene for result in results])
    share = sum(hits) / sum(counted) if any(counted) else math.nan
    return rounded(share), [rounded(bound) for bound in interval]


def _confidence(results: Sequence[DecisionResult]) -> dict[str, Any]:
    claimed = [result.confidence for result in results]
    right = [result.right for result in results]
    return {
        'cases': len(results), 'right': _mean(right), 'mean_confidence': _mean(claimed),
        'ece': rounded(expected_calibration_error(claimed, right)),
        'brier': rounded(brier_score(claimed, right)),
        'bins': [{**{name: rounded(value) for name, value in vars(each).items()},
                  'count': each.count} for each in reliability_bins(claimed, right)]}


def _presence(results: Sequence[DecisionResult]) -> dict[str, float | None]:
    """How well presence tells what is there from what is not, and what is refused of both."""
    present = [result.truth != 'NOT_FOUND' for result in results]
    refused = {kind: [result.status == 'NOT_FOUND' for result, there in zip(
        results, present, strict=True) if there == kind] for kind in (True, False)}
    area = auroc([result.presence or 0.0 for result in results], present)
    return {'auroc': rounded(area), 'present_refused': _mean(refused[True]),
            'absent_refused': _mean(refused[False])}


def _relations(results: Sequence[DecisionResult]) -> dict[str, Any]:
    """How many expressions with an anchor are accepted, that is FOUND or AMBIGUOUS."""
    true, false = ([result.status in ('FOUND', 'AMBIGUOUS') for result in results
                    if (result.truth == 'NOT_FOUND') == absent] for absent in (False, True))
    return {'true': len(true), 'true_accepted': _mean(true),
            'false': len(false), 'false_accepted': _mean(false)}


def _mean_iou(results: Sequence[DecisionResult]) -> dict[str, float | None]:
    """Where one object fits: of the best region, and of the answer, empty with NOT_FOUND."""
    return {'best_region': _mean([result.chosen_iou for result in results]),
            'answer': _mean([result.chosen_iou if result.candidates else 0.0
                             for result in results])}


def _questions(results: Sequence[DecisionResult]) -> dict[str, Any]:
    """Of answers AMBIGUOUS where several objects fit: what they offer and ask."""
    asked = [result for result in results if result.status == result.truth == 'AMBIGUOUS']
    judged = [result.question_holds for result in asked if result.question_holds is not None]
    return {'asked': len(asked), 'meant_is_offered': _mean([result.offered for result in asked]),
            'candidates': sum(result.candidates for result in asked),
            'fitting': sum(result.fitting for result in asked),
            'tells_apart': _mean([result.tells_apart for result in asked]),
            'judged': len(judged), 'holds': _mean(judged)}


def decision_table(found: dict[str, Any]) -> str:
    """The text tables of `decision_figures`."""
    answers = list(found['confusion'][DECISIONS[0]])
    lines = [('', *answers, 'precision', '95 %', 'recall', '95 %')]
    lines += [(
        name, *(str(found['confusion'][name][answer]) for answer in answers),
        shown(found['precision'][name]), span(found['precision_interval'][name]),
        shown(found['recall'][name]), span(found['recall_interval'][name]))
        for name in DECISIONS]
    lines_of_confidence = [('confidence', 'cases', 'right', 'claimed', 'ECE', 'Brier')]
    for name, some in found['confidence'].items():
        lines_of_confidence.append((name, str(some['cases']), *(
            shown(some[key]) for key in ('right', 'mean_confidence', 'ece', 'brier'))))
    asked, mean_iou, there = found['questions'], found['mean_iou'], found['presence']
    placed = found['relations']
    return '\n'.join([
        *aligned(lines),
        f'macro F1 {shown(found["macro_f1"])}; right decisions by source: '
        + ', '.join(f'{name} {shown(share)}' for name, share in found['recall_by_source'].items()),
        f'presence: AUROC of present against absent {shown(there["auroc"])}; NOT_FOUND for '
        f'{shown(there["present_refused"])} of the present and '
        f'{shown(there["absent_refused"])} of the absent',
        f'with an anchor: {shown(placed["true_accepted"])} of {placed["true"]} true ones '
        f'accepted, {shown(placed["false_accepted"])} of {placed["false"]} false ones',
        f'where one object fits: mIoU of the best region {shown(mean_iou["best_region"])}, '
        f'{shown(mean_iou["answer"])} with empty masks of NOT_FOUND',
        '', *aligned(lines_of_confidence), '',
        f'{asked["asked"]} questions asked where several fit: the object meant is offered in '
        f'{shown(asked["meant_is_offered"])}, {asked["fitting"]} of {asked["candidates"]} '
        f'candidates are objects that fit, candidates are told apart in '
        f'{shown(asked["tells_apart"])}, the words hold in {shown(asked["holds"])} of '
        f'{asked["judged"]} that show objects'])


def _mean(values: Sequence[float]) -> float | None:
    return rounded(sum(values) / len(values)) if values else None
