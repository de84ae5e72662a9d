"""The three decisions asked: what an engine answers where one, none or several objects fit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import tee
import math

import numpy as np

from refdiff_ros.engine import Engine
from refdiff_ros.evaluation.decisions.cases import DecisionCase
from refdiff_ros.evaluation.decisions.question_truth import question_holds
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.evaluation.run import ask_samples, Reply, Sample
from refdiff_ros.results import Segmentation

# An answer is right from this IoU on, and a region is an object from the same.
RIGHT_IOU = 0.5


@dataclass(frozen=True)
class DecisionResult:
    """One question and what came of it.

    Attributes:
        scene, expression, kind, sense, source: of the case.
        truth: name of the right decision.
        status: name of the answer's status, or of what an error comes to.
        confidence: of the answer; 0 after an error.
        presence: likewise; None where there is none.
        chosen_iou: of the best region with the object that is meant, whatever the decision; 0
            where none is meant.
        candidates: how many regions the answer offers.
        fitting: how many of them show an object that the expression is true of.
        offered: whether the object that is meant is among them.
        question: text of the answer's question, or ''.
        tells_apart: whether its words differ from candidate to candidate.
        question_holds: whether each candidate's words are true of it and of no other candidate;
            None where nothing is asked or candidates are no objects.
        seconds: the answer took; what belongs to the frame is in the first one of a picture.
        error: the error's message, or ''.
    """

    scene: int
    expression: str
    kind: str
    sense: str
    source: str
    truth: str
    status: str
    confidence: float
    presence: float | None
    chosen_iou: float
    candidates: int
    fitting: int
    offered: bool
    question: str
    tells_apart: bool
    question_holds: bool | None
    seconds: float
    error: str = ''

    @property
    def right(self) -> bool:
        """Whether the best region is the object that is meant."""
        return self.chosen_iou >= RIGHT_IOU


def evaluate_decisions(
    engine: Engine, cases: Iterable[DecisionCase],
    on_result: Callable[[DecisionResult], None] | None = None,
) -> list[DecisionResult]:
    """Ask `engine` everything, as `ask_samples`.

    Args:
        engine: answers, in its own mode.
        cases: as from `decision_cases`.
        on_result: told of each as it comes.
    """
    results = []
    cases, asked = tee(cases)
    for case, reply in zip(cases, ask_samples(engine, map(_sample, asked)), strict=True):
        results.append(_result(case, reply))
        if on_result is not None:
            on_result(results[-1])
    return results


def _sample(case: DecisionCase) -> Sample:
    masks = case.view.masks
    truth = masks[case.meant] if case.meant >= 0 else np.zeros(masks.shape[1:], bool)
    return Sample(case.text, case.view.frame.digest, case.text, lambda: (case.view.frame, truth))


def _result(case: DecisionCase, reply: Reply) -> DecisionResult:
    answer = reply.segmentation
    failed = DecisionResult(
        scene=case.scene, expression=case.text, kind=case.kind, sense=case.sense,
        source=case.source, truth=case.truth.name, status=reply.status, confidence=0.0,
        presence=None, chosen_iou=0.0, candidates=0, fitting=0, offered=False, question='',
        tells_apart=False, question_holds=None, seconds=reply.seconds, error=reply.trouble)
    if answer is None:
        return failed
    rows = answer.regions if answer.status.has_mask else ()
    ious = [_iou(case, answer, row) for row in rows]
    return replace(
        failed, error='', confidence=answer.confidence,
        presence=answer.presence if math.isfinite(answer.presence) else None,
        chosen_iou=_iou(case, answer, answer.index), candidates=len(rows),
        fitting=sum(_fits(case, answer, row) for row in rows),
        offered=max(ious, default=0.0) >= RIGHT_IOU,
        question='' if answer.question is None else answer.question.text,
        tells_apart=answer.question is not None and all(answer.question.told),
        question_holds=question_holds(case, answer))


def _fits(case: DecisionCase, answer: Segmentation, row: int) -> bool:
    return any(iou(*overlap(answer.proposals[row], case.view.masks[one])) >= RIGHT_IOU
               for one in case.rows)


def _iou(case: DecisionCase, answer: Segmentation, row: int) -> float:
    if row < 0 or case.meant < 0:
        return 0.0
    return iou(*overlap(answer.proposals[row], case.view.masks[case.meant]))
