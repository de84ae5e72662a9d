"""Calibrate a bundle on the validation split: `python -m training.tabletop.calibrate`.

Asks the expressions of `refdiff evaluate decisions`, fits the coefficients of
`refdiff_ros/matching/calibration.py`, chooses both thresholds and prints what goes into
`bundle.json`. With `--cache` answers are kept, so that only the fit is done anew; delete the file
when anything that answers has changed.

Letters: C cases, R regions of a case (filled up to `MAX_REGIONS`), F kinds of evidence.
"""

import argparse
from dataclasses import asdict, dataclass
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.console import Progress
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.decisions.asking import RIGHT_IOU
from refdiff_ros.evaluation.decisions.cases import decision_cases, DecisionCase, SETS
from refdiff_ros.evaluation.decisions.figures import DECISIONS, macro_f1
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.matching.calibration import (
    clipped,
    EVIDENCE,
    evidence,
    fit_probability,
    log_odds,
    logistic,
    lone_share,
    MAX_REGIONS,
)
from refdiff_ros.matching.selection import select
from refdiff_ros.models.bundle import MANIFEST
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.presets import Mode
from refdiff_ros.results import Segmentation
from refdiff_ros.sim.splits import get_split

_BUNDLE = 'tabletop_mini'
_PRESET = 'onboard'
# A region shows the object with which it overlaps most, from this IoU on: whether an expression is
# true of it does not depend on how well it is cut out.
_SHOWS_IOU = 0.25
_RIDGE = 1.0  # on standardised evidence
_LEAST = (-0.05, -0.08, -0.1, -0.12, -0.15, -0.2, -0.3, -1.0)
_GRID = np.round(np.arange(0.1, 0.91, 0.02), 2)


@dataclass(frozen=True)
class Collected:
    """What the engine's answers show.

    Attributes:
        known: (C, R, F) evidence.
        judged: (C, R) bool, whether there is such a region.
        fits: (C, R) bool, whether the expression is true of what the region shows.
        right: (C,) 0..1, chance that the best region is the object meant, of those that fit.
        truth: (C,) place in `DECISIONS`.
    """

    known: np.ndarray
    judged: np.ndarray
    fits: np.ndarray
    right: np.ndarray
    truth: np.ndarray


def main(arguments: list[str] | None = None) -> None:
    """Collect, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bundle', default=_BUNDLE, help='name or folder')
    parser.add_argument('--split', default='val', help='such as val, or tabletop20_val')
    parser.add_argument('--limit', type=int, default=300, help='expressions of each set and half')
    parser.add_argument('--least-found', type=float, default=0.9,
                        help='share of expressions true of one object that must stay FOUND')
    parser.add_argument('--cache', type=Path, help='.npz with the answers, read where it exists')
    parser.add_argument('--into', type=Path, metavar='FOLDER',
                        help="the bundle's folder, whose bundle.json is written")
    parser.add_argument('--device', default='cpu')
    options = parser.parse_args(arguments)
    if options.cache is not None and options.cache.is_file():
        with np.load(options.cache) as kept:
            found = Collected(**kept)
    else:
        found = collect(options.bundle, options.split, options.limit, options.device)
        if options.cache is not None:
            np.savez_compressed(options.cache, **vars(found))
    config = calibrated(found, options.least_found)
    print(json.dumps(summary(found, config), indent=1))
    print(json.dumps({'calibration': asdict(config)}, indent=1))
    if options.into is not None:
        write(options.into / MANIFEST, config)


def collect(bundle: str, split: str, limit: int, device: str) -> Collected:
    """Ask everything and keep what the calibration needs; as much of each half of the split."""
    models = load_bundle(bundle, device=device)
    engine = Engine(models, resolve_preset(models, _PRESET))
    rows, halves = [], halves_of(split)
    with Progress('case', limit * len(SETS) * len(halves)) as progress:
        for half in halves:
            for case in decision_cases(split, limit, half):
                answer = engine.segment(case.view.frame, case.text, check=False)
                rows.append(_row(case, answer, engine))
                progress.step()
    return Collected(*(np.stack(column) for column in zip(*rows, strict=True)))


def halves_of(split: str) -> tuple[str, ...]:
    """Both halves of a split, where it asks for pairs that training lacked; else 'all' of it."""
    known = get_split(split)
    return ('all',) if known.unseen_from == known.count else ('seen', 'unseen')


def _row(case: DecisionCase, answer: Segmentation, engine: Engine) -> tuple[np.ndarray, ...]:
    """One case's part of `Collected`."""
    chosen = select(answer.scores.total, answer.proposals, engine.preset.selection)
    regions = np.array(chosen.regions[:MAX_REGIONS], int)
    known = np.zeros((MAX_REGIONS, len(EVIDENCE)))
    fits, judged = np.zeros(MAX_REGIONS, bool), np.arange(MAX_REGIONS) < len(regions)
    right = 0.0
    if len(regions):
        known[:len(regions)] = evidence(
            regions, answer.scores, answer.proposals, case.view.frame.image_rgb,
            answer.expression)
        ious = np.array([[iou(*overlap(answer.proposals[row], mask)) for mask in case.view.masks]
                         for row in regions])  # (R, objects)
        shown = np.where(ious.max(axis=1) >= _SHOWS_IOU, ious.argmax(axis=1), -1)
        fits[:len(regions)] = np.isin(shown, case.rows)
        right = float(sum(ious[0, row] >= RIGHT_IOU for row in case.rows)) / max(len(case.rows), 1)
    return known, judged, fits, np.array(right), np.array(DECISIONS.index(case.truth.name))


def calibrated(found: Collected, least_found: float) -> CalibrationConfig:
    """The whole calibration.

    Args:
        found: answers.
        least_found: as in `thresholds`.
    """
    weights = fit_weights(found)
    fits = probabilities(found, weights)
    share = np.array([[log_odds(lone_share(one))] for one in fits])  # (C, 1)
    bias, (slope,) = fit_logistic(share, found.right)
    below, start = thresholds(fits, found.truth, least_found)
    return CalibrationConfig(
        mode=Mode.FULL.value, fit=weights, bias=round(float(bias), 4),
        slope=round(float(slope), 4), not_found_below=below, fits_from=start)


def fit_weights(found: Collected) -> FitWeights:
    """The model of one region: of the likeliest `spatial_least` the likeliest coefficients."""
    known, outcome = found.known[found.judged], found.fits[found.judged]
    tried = []
    for least in _LEAST:
        bias, factors = fit_logistic(clipped(known, least), outcome)
        values = dict(zip(EVIDENCE, np.round(factors, 4).tolist(), strict=True))
        weights = FitWeights(bias=round(bias, 4), spatial_least=least, **values)
        tried.append((loss(fit_probability(known, weights), outcome), least, weights))
    return min(tried, key=lambda each: each[:2])[2]


def loss(probability: np.ndarray, outcome: np.ndarray) -> float:
    """Mean negative logarithm of what a probability (N,) gave to what came (N,) bool."""
    held = np.where(outcome, probability, 1 - probability)
    return float(-np.mean(np.log(np.maximum(held, 1e-9))))


def probabilities(found: Collected, weights: FitWeights) -> np.ndarray:
    """(C, R) probability that each region fits; 0 where there is none."""
    flat = fit_probability(found.known.reshape(-1, found.known.shape[2]), weights)
    return np.where(found.judged, flat.reshape(found.judged.shape), 0.0)


def fit_logistic(known: np.ndarray, outcome: np.ndarray) -> tuple[float, np.ndarray]:
    """Bias and factors of a logistic model by penalised maximum likelihood.

    Args:
        known: (N, F).
        outcome: (N,) 0..1; a share counts as so much of a yes.
    """
    mean, spread = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-9)
    standard, outcome = (known - mean) / spread, outcome.astype(np.float64)

    def penalised(values: np.ndarray) -> tuple[float, np.ndarray]:
        odds = values[0] + standard @ values[1:]  # (N,)
        error = logistic(odds) - outcome
        value = np.sum(np.logaddexp(0, odds) - outcome * odds)
        gradient = np.concatenate([[error.sum()], standard.T @ error])
        gradient[1:] += _RIDGE * values[1:]
        return value + _RIDGE / 2 * np.sum(values[1:] ** 2), gradient
    best = minimize(penalised, np.zeros(known.shape[1] + 1), jac=True, method='L-BFGS-B',
                    options={'maxiter': 1000, 'ftol': 1e-12}).x
    factors = best[1:] / spread
    return float(best[0] - mean @ factors), factors


def decisions(fits: np.ndarray, below: float, start: float) -> np.ndarray:
    """(C,) place in `DECISIONS` of what is decided, as `calibration.decide` does."""
    several = (fits[:, 1:] >= start).any(axis=1)
    return np.where(fits.max(axis=1) < below, DECISIONS.index('NOT_FOUND'), np.where(
        several, DECISIONS.index('AMBIGUOUS'), DECISIONS.index('FOUND')))


def thresholds(
    fits: np.ndarray, truth: np.ndarray, least_found: float,
) -> tuple[float, float]:
    """`not_found_below` and `fits_from` of the highest macro F1 of the three decisions.

    Args:
        fits: (C, R).
        truth: (C,) places in `DECISIONS`.
        least_found: recall of FOUND that must be kept; of what keeps it the best is taken.

    Raises:
        ValueError: nothing keeps it.
    """
    tried = []
    for below in _GRID:
        for start in _GRID:
            given = decisions(fits, below, start)
            kept = np.mean(given[truth == 0] == 0)
            if kept >= least_found:
                score = macro_f1(truth, given, range(len(DECISIONS)))
                tried.append((score, kept, float(below), float(start)))
    if not tried:
        raise ValueError(f'expected thresholds that keep {least_found:.0%} FOUND, there are none: '
                         'lower --least-found')
    return max(tried)[2:]


def summary(found: Collected, config: CalibrationConfig) -> dict[str, object]:
    """Figures on the data of the fit itself, and what each kind of evidence is worth."""
    fits = probabilities(found, config.fit)
    given = decisions(fits, config.not_found_below, config.fits_from)
    known, outcome = found.known[found.judged], found.fits[found.judged]
    best, worth = loss(fit_probability(known, config.fit), outcome), {}
    for column, name in enumerate(EVIDENCE):
        less = np.delete(clipped(known, config.fit.spatial_least), column, axis=1)
        bias, factors = fit_logistic(less, outcome)
        worth[name] = round(loss(logistic(bias + less @ factors), outcome) - best, 5)
    return {
        'cases': len(found.truth), 'regions': int(found.judged.sum()),
        'macro_f1': macro_f1(found.truth, given, range(len(DECISIONS))),
        'recall': {name: round(float(np.mean(given[found.truth == k] == k)), 4)
                   for k, name in enumerate(DECISIONS)},
        'loss_of_a_region': round(best, 5), 'loss_more_without': worth}


def write(path: Path, config: CalibrationConfig) -> None:
    """Put the calibration into a bundle's manifest."""
    values = json.loads(path.read_text(encoding='utf-8'))
    values.setdefault('overrides', {}).setdefault(_PRESET, {})['calibration'] = asdict(config)
    path.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
    print(f'wrote {path}')


if __name__ == '__main__':
    main()
