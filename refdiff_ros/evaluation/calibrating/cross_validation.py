"""How good a calibration is on pictures that it was not fitted on."""

from collections.abc import Sequence

import numpy as np

from refdiff_ros.config import CalibrationConfig
from refdiff_ros.evaluation.calibrating.collecting import Asked
from refdiff_ros.evaluation.calibrating.fitting import (
    calibrated,
    Collected,
    decisions,
    probabilities,
    steady_thresholds,
)
from refdiff_ros.evaluation.decisions.asking import DecisionResult
from refdiff_ros.evaluation.decisions.cases import TRUTHS
from refdiff_ros.evaluation.decisions.figures import DECISIONS
from refdiff_ros.matching.calibration import right_probability

FOLDS = 5
_SOURCES = tuple(TRUTHS)  # in the order of DECISIONS


def cross_validated(
    found: Collected, asked: Sequence[Asked], least_found: float, mode: str,
) -> list[DecisionResult]:
    """Each case judged by a fit on the other folds; the cases of a picture are in one fold.

    Args:
        found: what answers show.
        asked: the cases.
        least_found, mode: as in `calibrated`.

    Raises:
        BadRequestError: as in `calibrated`.
    """
    rng = np.random.default_rng(0)
    names, number = np.unique([case.picture for case in asked], return_inverse=True)
    made = np.array([case.made for case in asked])
    fold = rng.permutation(len(names))[number] % FOLDS
    results: list[DecisionResult | None] = [None] * len(number)
    for held_out in range(FOLDS):
        inside = np.flatnonzero(fold == held_out)
        if not len(inside):
            continue
        config = calibrated(
            found.take(fold != held_out), least_found, mode, steady_thresholds,
            made[fold != held_out])
        part = judged(found.take(inside), config, number[inside].tolist(),
                      [asked[case].text for case in inside.tolist()], rng)
        for case, result in zip(inside, part, strict=True):
            results[case] = result
    return [result for result in results if result is not None]


def judged(
    found: Collected, config: CalibrationConfig, pictures: Sequence[int], texts: Sequence[str],
    rng: np.random.Generator,
) -> list[DecisionResult]:
    """What a calibration makes of cases.

    Args:
        found: what answers show.
        config: the calibration.
        pictures: a number for each case's picture.
        texts: of the cases.
        rng: draws the one that is meant where several fit.
    """
    fits = probabilities(found, config.fit)
    given = decisions(fits, config)
    drawn = rng.random(len(fits)) < found.right
    return [DecisionResult(
        scene=pictures[case], expression=texts[case], kind='', sense='',
        source=_SOURCES[found.truth[case]], truth=DECISIONS[found.truth[case]],
        status=DECISIONS[given[case]], confidence=right_probability(fits[case], config),
        presence=float(fits[case].max()), chosen_iou=float(drawn[case]), candidates=0,
        fitting=0, offered=False, question='', tells_apart=False, question_holds=None, seconds=0.0,
    ) for case in range(len(fits))]
