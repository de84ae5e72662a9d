"""What answers show of the regions they judge, in the form that a calibration is fitted on.

Letters: K objects of a picture, R regions of an answer, F kinds of evidence.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from refdiff_ros.engine import Engine
from refdiff_ros.errors import attempt, error_text, require
from refdiff_ros.evaluation.calibrating.fitting import Collected
from refdiff_ros.evaluation.calibrating.questions import CalibrationCase
from refdiff_ros.evaluation.decisions.asking import RIGHT_IOU
from refdiff_ros.evaluation.decisions.figures import DECISIONS
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.matching.calibration import EVIDENCE, evidence, MAX_REGIONS
from refdiff_ros.matching.colour_name import ColourNames
from refdiff_ros.matching.selection import select
from refdiff_ros.presets import SelectionConfig
from refdiff_ros.results import Frame, Segmentation, Status

# A region shows the object with which it overlaps most, from this IoU on: whether an expression is
# true of it does not depend on how well it is cut out.
_SHOWS_IOU = 0.25

Row = tuple[np.ndarray, ...]


class Asked(NamedTuple):
    """What is kept of a `CalibrationCase`, whose picture is large."""

    picture: str
    text: str
    made: bool


def collect(
    engine: Engine, cases: Iterable[CalibrationCase], say: Callable[[str], None],
    step: Callable[[], None],
) -> tuple[Collected | None, list[Asked]]:
    """Ask everything.

    Args:
        engine: answers, in its own preset and mode.
        cases: those of one picture after each other.
        say: is told of each case that could not be answered; it is left out.
        step: is called after each case.

    Returns:
        What the answers show, None without any; and what was asked.
    """
    rows: list[Row] = []
    asked: list[Asked] = []
    for case in cases:
        answer, error = attempt(partial(engine.segment, case.frame, case.text, check=False))
        if answer is None:
            say(f'{case.picture}, {case.text!r}: {error_text(require(error, "an error"))}')
        else:
            rows.append(row_of(answer, case.frame, case.masks, range(len(case.masks)), case.truth,
                               engine.preset.selection))
            asked.append(Asked(case.picture, case.text, case.made))
        step()
    return stacked(rows) if rows else None, asked


def row_of(
    answer: Segmentation, frame: Frame, masks: np.ndarray, fitting: Sequence[int], truth: Status,
    config: SelectionConfig,
) -> Row:
    """One case's part of `Collected`.

    Args:
        answer: of the engine.
        frame: the picture.
        masks: (K, H, W) bool, objects that regions may show.
        fitting: numbers of those of which the expression is true.
        truth: the right decision.
        config: of the engine's preset.
    """
    chosen = select(answer.scores.total, answer.proposals, config,
                    probability=answer.scores.probability)
    regions = np.array(chosen.regions[:MAX_REGIONS], int)
    known = np.zeros((MAX_REGIONS, len(EVIDENCE)))
    fits, judged = np.zeros(MAX_REGIONS, bool), np.arange(MAX_REGIONS) < len(regions)
    right = 0.0
    if len(regions):
        known[:len(regions)] = evidence(
            regions, answer.scores, ColourNames(frame.image_rgb, answer.proposals),
            answer.expression)
    if len(regions) and len(masks):
        ious = np.array([[iou(*overlap(answer.proposals[row], mask)) for mask in masks]
                         for row in regions])  # (R, K)
        shown = np.where(ious.max(axis=1) >= _SHOWS_IOU, ious.argmax(axis=1), -1)
        fits[:len(regions)] = np.isin(shown, fitting)
        right = float(sum(ious[0, row] >= RIGHT_IOU for row in fitting)) / max(len(fitting), 1)
    return known, judged, fits, np.array(right), np.array(DECISIONS.index(truth.name))


def stacked(rows: Sequence[Row]) -> Collected:
    """The cases of `row_of` as columns."""
    return Collected(*(np.stack(column) for column in zip(*rows, strict=True)))
