"""The fit of a calibration: coefficients by penalised likelihood, thresholds by macro F1.

What is fitted is `refdiff_ros/matching/calibration.py`.

Letters: C cases, R regions of a case (filled up to `MAX_REGIONS`), F kinds of evidence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import itertools
import math

import numpy as np

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.decisions.figures import DECISIONS, macro_f1
from refdiff_ros.matching.calibration import (
    clipped,
    count_fitting,
    EVIDENCE,
    fit_probability,
    LIKELIER,
    log_odds,
    logistic,
    lone_share,
)
from refdiff_ros.presets import Mode

_RIDGE = 1.0  # on standardised evidence
_LEAST = (-0.05, -0.08, -0.1, -0.12, -0.15, -0.2, -0.3, -1.0)
_ANCHOR_SHARES = (0.2, 0.4, 0.6, 0.8)
_GRID = np.round(np.arange(0.1, 0.91, 0.02), 2)
_DRAWS = 60
# Less keeps too little FOUND on other pictures, more refuses too little.
_SPARE = 0.75
_STEPS, _LONGEST_STEP, _PRECISION = 200, 2.0, 1e-10  # of Newton's method


Choose = Callable[[np.ndarray, np.ndarray, float], tuple[float, float]]


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

    def take(self, cases: np.ndarray) -> 'Collected':
        """Some of the cases, by numbers or by a mask."""
        return Collected(*(column[cases] for column in vars(self).values()))


def join(parts: Sequence[Collected]) -> Collected:
    """The cases of all parts, in order."""
    return Collected(*(np.concatenate(columns) for columns in zip(
        *(vars(part).values() for part in parts), strict=True)))


def calibrated(
    found: Collected, least_found: float, mode: str = Mode.FULL.value,
    choose: Choose | None = None, made: np.ndarray | None = None,
) -> CalibrationConfig:
    """The whole calibration.

    Args:
        found: answers.
        least_found: as in `thresholds`.
        mode: of the engine that gave them.
        choose: `thresholds`, which it is by default, or `steady_thresholds`.
        made: (C,) bool, cases that are absent as far as anybody knows. Some are there by chance
            and would make the confidence too low, so each counts there as far as the fit agrees.

    Raises:
        BadRequestError: as in `thresholds`.
    """
    weights = fit_weights(found)
    fits = probabilities(found, weights)
    share = np.array([[log_odds(lone_share(one))] for one in fits])  # (C, 1)
    sure = np.ones(len(fits)) if made is None else np.where(made, 1 - fits.max(axis=1), 1.0)
    bias, (slope,) = fit_logistic(share, found.right, sure)
    below, start = (choose or thresholds)(fits, found.truth, least_found)
    return CalibrationConfig(
        mode=mode, fit=weights, bias=round(float(bias), 4),
        slope=round(float(slope), 4), not_found_below=below, fits_from=start)


def fit_weights(found: Collected) -> FitWeights:
    """The model of one region: the likeliest coefficients, with the likeliest limits."""
    known, outcome = found.known[found.judged], found.fits[found.judged]
    tried = []
    for least, start in itertools.product(_LEAST, _anchor_starts(known)):
        bias, factors = fit_logistic(clipped(known, least, start), outcome)
        values = dict(zip(EVIDENCE, np.round(factors, 4).tolist(), strict=True))
        weights = FitWeights(bias=round(bias, 4), spatial_least=least, anchor_from=start, **values)
        tried.append((loss(fit_probability(known, weights), outcome), least, start, weights))
    return min(tried, key=lambda each: each[:3])[3]


def _anchor_starts(known: np.ndarray) -> tuple[float, ...]:
    """Values of `anchor_from` to try: between matches of anchors that were found."""
    matches = known[:, EVIDENCE.index('anchor')]
    matches = matches[matches < matches.max(initial=0.0)]
    if not len(matches):
        return (0.0,)
    return tuple(np.unique(np.round(np.quantile(matches, _ANCHOR_SHARES), 3)).tolist())


def loss(probability: np.ndarray, outcome: np.ndarray) -> float:
    """Mean negative logarithm of what a probability (N,) gave to what came (N,) bool."""
    held = np.where(outcome, probability, 1 - probability)
    return float(-np.mean(np.log(np.maximum(held, 1e-9))))


def probabilities(found: Collected, weights: FitWeights) -> np.ndarray:
    """(C, R) probability that each region fits; 0 where there is none."""
    flat = fit_probability(found.known.reshape(-1, found.known.shape[2]), weights)
    return np.where(found.judged, flat.reshape(found.judged.shape), 0.0)


def fit_logistic(
    known: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """Bias and factors of a logistic model by penalised maximum likelihood.

    Args:
        known: (N, F).
        outcome: (N,) 0..1; a share counts as so much of a yes.
        weight: (N,) how much each counts; None for 1.
    """
    mean, spread = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-9)
    standard, outcome = (known - mean) / spread, outcome.astype(np.float64)

    design = np.column_stack([np.ones(len(standard)), standard])  # (N, 1 + F)
    counts = np.ones(len(standard)) if weight is None else weight
    ridge = np.append(0.0, np.full(known.shape[1], _RIDGE))
    values = np.zeros(1 + known.shape[1])
    for _ in range(_STEPS):
        chance = logistic(design @ values)
        gradient = design.T @ (counts * (chance - outcome)) + ridge * values
        steepness = counts * chance * (1 - chance)
        curvature = (design * steepness[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        # Far from the optimum Newton's step can be too long; the problem is convex.
        values -= step * min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), _PRECISION))
        if np.abs(step).max() < _PRECISION:
            break
    factors = values[1:] / spread
    return float(values[0] - mean @ factors), factors


def decisions(fits: np.ndarray, config: CalibrationConfig) -> np.ndarray:
    """(C,) place in `DECISIONS` of what is decided of regions (C, R)."""
    by_count = [DECISIONS.index(name) for name in ('NOT_FOUND', 'FOUND', 'AMBIGUOUS')]
    return np.asarray(np.take(by_count, count_fitting(fits, config)))


def thresholds(
    fits: np.ndarray, truth: np.ndarray, least_found: float, least_asked: float | None = None,
) -> tuple[float, float]:
    """`not_found_below` and `fits_from` of a high macro F1, with refusals in balance.

    The macro F1 of the three decisions hardly depends on `not_found_below` over a wide range. Of
    what comes within one standard error of the highest, those are taken of which the smaller of
    precision and recall of NOT_FOUND is within one standard error of the largest; of these the
    one that refuses least, for a thing that is there and refused is noticed. With `least_asked`
    all count that keep it, and of those that refuse as little the one with the fewest needless
    questions.

    Args:
        fits: (C, R).
        truth: (C,) places in `DECISIONS`.
        least_found: recall of FOUND that must be kept.
        least_asked: recall of AMBIGUOUS that must be kept; None for whatever F1 takes.

    Raises:
        BadRequestError: nothing keeps it.
    """
    tried = []
    found, several = (DECISIONS.index(name) for name in ('FOUND', 'AMBIGUOUS'))
    starts = _GRID if (truth == several).any() else (LIKELIER,)
    for below in _GRID:
        for start in starts:
            given = decisions(fits, CalibrationConfig(not_found_below=below, fits_from=start))
            kept = np.mean(given[truth == found] == found)
            if kept < least_found or (least_asked and np.mean(
                    given[truth == several] == several) < least_asked):
                continue
            score = macro_f1(truth.tolist(), given.tolist(), range(len(DECISIONS))) or 0.0
            needless = np.mean(given[truth == found] == several)
            tried.append((score, needless, kept, float(below), float(start)))
    if not tried:
        also, which = (f' and {least_asked:.0%} AMBIGUOUS', ' or --least-asked') if (
            least_asked) else ('', '')
        raise BadRequestError(
            f'expected thresholds that keep {least_found:.0%} FOUND{also}, there are none: '
            f'lower --least-found{which}')
    if not least_asked:
        best = max(tried)[0]
        enough = best - _standard_error(best, len(truth))
        tried = [each for each in tried if each[0] >= enough]
    balances = [_balance(fits, truth, below) for *_, below, _ in tried]
    absent = int((truth == DECISIONS.index('NOT_FOUND')).sum())
    enough = max(balances) - _standard_error(max(balances), absent)
    return max((-below, -needless if least_asked else score, score, kept, below, start)
               for balance, (score, needless, kept, below, start)
               in zip(balances, tried, strict=True) if balance >= enough)[-2:]


def _standard_error(share: float, count: int) -> float:
    """Of a share of `count` cases, of which there may be none."""
    return math.sqrt(share * (1 - share) / max(count, 1))


def _balance(fits: np.ndarray, truth: np.ndarray, below: float) -> float:
    """The smaller of precision and recall of NOT_FOUND; 0 where nothing is absent or refused."""
    refused, absent = fits.max(axis=1) < below, truth == DECISIONS.index('NOT_FOUND')
    return float((refused & absent).sum() / max(refused.sum(), absent.sum(), 1))


def steady_thresholds(
    fits: np.ndarray, truth: np.ndarray, least_found: float,
) -> tuple[float, float]:
    """As `thresholds`, for few cases: the mean of what bootstrap draws of the cases choose.

    The decisions count alike however many cases each has. Of few cases some thresholds keep
    enough by chance, so `_SPARE` standard errors of the share are kept to spare, or as much of
    that as can be.

    Args:
        fits, truth, least_found: as in `thresholds`.

    Raises:
        BadRequestError: as in `thresholds`.
    """
    rng = np.random.default_rng(0)
    count = len(truth)
    draws = [np.bincount(rng.integers(count, size=count), minlength=count)
             for _ in range(_DRAWS)]
    surfaces = [_surface(fits, truth, drawn) for drawn in draws]
    spare = _SPARE * _standard_error(least_found, int(np.sum(truth == 0)))
    for least in np.linspace(least_found + spare, least_found, 5):
        chosen = [np.unravel_index(np.argmax(np.where(kept >= least, score, -1)), score.shape)
                  for score, kept in surfaces if (kept >= least).any()]
        if 2 * len(chosen) > _DRAWS:
            below, start = np.mean([(_GRID[low], _GRID[high]) for low, high in chosen], axis=0)
            several = (truth == DECISIONS.index('AMBIGUOUS')).any()
            return round(float(below), 3), round(float(start), 3) if several else LIKELIER
    raise BadRequestError(f'expected thresholds that keep {least_found:.0%} FOUND, there are '
                          'none: lower --least-found')


def _surface(
    fits: np.ndarray, truth: np.ndarray, drawn: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Macro F1 and the share of FOUND that is kept, each (B, S), for all pairs of `_GRID`.

    Args:
        fits: (C, R).
        truth: (C,).
        drawn: (C,) how often each case counts.
    """
    refused = (fits.max(axis=1)[:, None] < _GRID).astype(float)  # (C, B)
    several = (fits[:, 1:].max(axis=1)[:, None] >= _GRID).astype(float)  # (C, S)
    there = 1 - refused
    # By the order of DECISIONS: what share of the cases of a kind (weights) is answered with it.
    answered = (
        lambda weight: (there * weight[:, None]).T @ (1 - several),
        lambda weight: np.repeat((weight @ refused)[:, None], len(_GRID), axis=1),
        lambda weight: (there * weight[:, None]).T @ several)
    kinds = [drawn * (truth == place) for place in range(len(DECISIONS))]
    weights = [kind / kind.sum() for kind in kinds if kind.any()]
    places = [place for place, kind in enumerate(kinds) if kind.any()]
    score = np.zeros((len(_GRID), len(_GRID)))
    for place, weight in zip(places, weights, strict=True):
        given = np.sum([answered[place](other) for other in weights], axis=0)
        score += 2 * answered[place](weight) / (1 + given) / len(places)
    kept = answered[0](weights[places.index(0)]) if 0 in places else np.zeros_like(score)
    return score, kept


def summary(found: Collected, config: CalibrationConfig) -> dict[str, object]:
    """Figures on the data of the fit itself, and what each kind of evidence is worth."""
    fits = probabilities(found, config.fit)
    given = decisions(fits, config)
    known, outcome = found.known[found.judged], found.fits[found.judged]
    best, worth = loss(fit_probability(known, config.fit), outcome), {}
    for column, name in enumerate(EVIDENCE):
        less = np.delete(clipped(known, config.fit.spatial_least, config.fit.anchor_from), column,
                         axis=1)
        bias, factors = fit_logistic(less, outcome)
        worth[name] = round(loss(logistic(bias + less @ factors), outcome) - best, 5)
    return {
        'cases': len(found.truth), 'regions': int(found.judged.sum()),
        'macro_f1': macro_f1(
            found.truth.tolist(), given.tolist(), range(len(DECISIONS))),
        'recall': {name: round(float(np.mean(given[found.truth == k] == k)), 4)
                   for k, name in enumerate(DECISIONS)},
        'loss_of_a_region': round(best, 5), 'loss_more_without': worth}


