"""What an answer is worth: how probable it is that a region fits, and that the mask is right.

A logistic model says for each separate region whether the expression is true of it. How many
regions fit is the decision: none, one or several, by thresholds or by what is likeliest. The best
region is the one that is meant with the probability that it fits, times its share among all that
fit; a second logistic model brings that to the share of masks that are right. The coefficients are
a bundle's, fitted on data that its values were chosen on (`training/tabletop/calibrate.py`).

Letters: R separate regions, H W image height and width.
"""

from dataclasses import replace

import numpy as np

from refdiff_ros.config import CalibrationConfig, FitWeights
from refdiff_ros.language.words import split_words
from refdiff_ros.matching.colour_name import ColourNames, NAMES
from refdiff_ros.matching.selection import Selection
from refdiff_ros.results import ReferringExpression, Scores, Status

# Names of the columns of evidence, which are those of their coefficients.
EVIDENCE = ('match', 'spatial', 'attention', 'quality', 'colour_clash', 'anchor')
# Regions that are judged, the best scored ones.
MAX_REGIONS = 8
# The anchor's match where the expression has no anchor: as good as can be.
_NO_ANCHOR = 1.0
_NEVER = 1e-6  # probabilities stay this far from 0 and 1
LIKELIER = 0.5  # more likely than not


def evidence(
    rows: np.ndarray,
    scores: Scores,
    colours: ColourNames,
    expression: ReferringExpression,
) -> np.ndarray:
    """What is known of each region, in the order of `EVIDENCE`.

    Args:
        rows: (R,) of the regions among all proposals.
        scores: of all proposals; those of `rows` are finite but for what the mode does not use.
        colours: of all proposals.
        expression: parsed.

    Returns:
        (R, 6) float64; what the mode does not use is 0. The anchor's is the same for all regions.
    """
    nothing = np.zeros(len(rows))
    spatial = nothing if scores.spatial is None else scores.spatial[rows]
    quality = nothing if scores.quality is None else scores.quality[rows]
    named = named_colour(expression)
    seen = [colours[row] if named else '' for row in rows.tolist()]
    clash = [name not in ('', named) for name in seen]
    anchor = nothing + (_NO_ANCHOR if scores.anchor is None else scores.anchor)
    columns = (scores.total[rows] - spatial, spatial, scores.generative[rows], quality, clash,
               anchor)
    return np.nan_to_num(np.stack(columns, axis=1).astype(np.float64))


def named_colour(expression: ReferringExpression) -> str:
    """The one colour that the object's own phrase names; '' where it names none or several."""
    words = {word.lower for word in split_words(expression.phrase)} - {expression.root.lower()}
    named = words.intersection(NAMES)
    return named.pop() if len(named) == 1 else ''


def fit_probability(known: np.ndarray, weights: FitWeights) -> np.ndarray:
    """(R,) in 0..1: how probable it is that the expression is true of each region.

    Args:
        known: (R, 6), as from `evidence`.
        weights: of the logistic model.
    """
    factors = np.array([getattr(weights, name) for name in EVIDENCE])
    return logistic(clipped(known, weights.spatial_least, weights.anchor_from) @ factors
                    + weights.bias)


def described_probability(known: np.ndarray, weights: FitWeights) -> np.ndarray:
    """(R,) in 0..1: how probable it is that the description is true, wherever the region lies.

    Args:
        known: (R, 6), as from `evidence`.
        weights: of the logistic model.
    """
    anywhere = known.copy()
    anywhere[:, EVIDENCE.index('spatial')] = 0
    anywhere[:, EVIDENCE.index('anchor')] = _NO_ANCHOR
    return fit_probability(anywhere, weights)


def clipped(known: np.ndarray, spatial_least: float, anchor_from: float) -> np.ndarray:
    """Evidence (R, 6) in which what places added is `spatial_least` or more.

    Of the anchor it has what its match lacks of `anchor_from`, 0 or less.
    """
    counted = known.copy()
    place, anchor = EVIDENCE.index('spatial'), EVIDENCE.index('anchor')
    counted[:, place] = np.maximum(known[:, place], spatial_least)
    counted[:, anchor] = np.minimum(known[:, anchor] - anchor_from, 0)
    return counted


def right_probability(fits: np.ndarray, config: CalibrationConfig) -> float:
    """How probable it is that the first region is the object meant, with an IoU of 0.5 or more.

    Args:
        fits: (R,) in 0..1, the chosen region first.
        config: its `bias` and `slope` are used.
    """
    return float(logistic(config.slope * log_odds(lone_share(fits)) + config.bias))


def lone_share(fits: np.ndarray) -> float:
    """Probability that the first of (R,) regions fits, times its share among all that do."""
    return float(fits[0] * fits[0] / max(fits.sum(), _NEVER))


def how_many_fit(fits: np.ndarray) -> np.ndarray:
    """(..., 3) probabilities that none of regions (..., R) fits, one does, or several do.

    Args:
        fits: (..., R) in 0..1, the probability that each fits, whatever the others do.
    """
    none, one = np.ones(fits.shape[:-1]), np.zeros(fits.shape[:-1])
    for fit in np.moveaxis(fits, -1, 0):
        none, one = none * (1 - fit), one * (1 - fit) + none * fit
    return np.stack([none, one, 1 - none - one], axis=-1)


def count_fitting(fits: np.ndarray, config: CalibrationConfig) -> np.ndarray:
    """(...) int: 0, 1 or 2 for none, one or several of regions (..., R) that fit.

    Args:
        fits: (..., R) in 0..1, the chosen region first.
        config: how it is decided, and its thresholds.
    """
    if config.decide == 'likeliest':
        return np.asarray(how_many_fit(fits).argmax(axis=-1))
    several = (fits[..., 1:] >= config.fits_from).any(axis=-1)
    return np.where(fits.max(axis=-1) < config.not_found_below, 0, 1 + several)


def decide(chosen: Selection, known: np.ndarray, config: CalibrationConfig) -> Selection:
    """The decision by probabilities, in place of the one by scores.

    What cannot be answered at all stays NOT_FOUND: no region, an empty one, or one below
    `selection.min_score`.

    Args:
        chosen: as from `select`.
        known: (R, 6) evidence of `chosen.regions`.
        config: how it is decided.
    """
    chosen = with_confidence(chosen, known, config)
    if chosen.status is Status.NOT_FOUND:
        return chosen
    fits = np.array(chosen.fits)
    count = count_fitting(fits, config)
    if count == 0:
        what = 'the object it is placed by' if _lacks_anchor(known, config) else 'the object'
        needed = '' if config.decide == 'likeliest' else (
            f', below the required {config.not_found_below:.2f}')
        return replace(
            chosen, status=Status.NOT_FOUND, rivals=(),
            reason=f'no region fits: the best with a probability of {chosen.presence:.2f}'
            f'{needed}; see that {what} is in view, or describe it in other words')
    if count > 1:
        others = 1 + np.argsort(-fits[1:], kind='stable')
        # Where no other one is likelier than not, some one of them is all the same.
        start = config.fits_from if config.decide == 'thresholds' else LIKELIER
        also = [place for place in others if fits[place] >= min(start, fits[others[0]])]
        return replace(
            chosen, status=Status.AMBIGUOUS, rivals=tuple(chosen.regions[k] for k in also),
            reason=f'{1 + len(also)} separate regions fit: say which one is meant')
    return replace(chosen, status=Status.FOUND, rivals=(),
                   reason=f'one region fits, with a probability of {chosen.presence:.2f}')


def _lacks_anchor(known: np.ndarray, config: CalibrationConfig) -> bool:
    """Whether a region would fit if its anchor were there."""
    there = known.copy()
    there[:, EVIDENCE.index('anchor')] = _NO_ANCHOR
    return bool(count_fitting(fit_probability(there, config.fit), config) > 0)


def with_confidence(
    chosen: Selection, known: np.ndarray, config: CalibrationConfig,
) -> Selection:
    """The same decision with the calibrated confidence.

    Args:
        chosen, known, config: as in `decide`.
    """
    if not len(known):
        return replace(chosen, calibrated=True, confidence=0.0, presence=0.0)
    fits = fit_probability(known, config.fit)
    return replace(chosen, calibrated=True, confidence=right_probability(fits, config),
                   presence=float(fits.max()), fits=tuple(map(float, fits)))


def logistic(value: np.ndarray | float) -> np.ndarray:
    """The logistic function, 0..1."""
    return 0.5 * (1 + np.tanh(np.asarray(value, np.float64) / 2))


def log_odds(probability: float) -> float:
    """The inverse of `logistic`, finite."""
    kept = min(max(probability, _NEVER), 1 - _NEVER)
    return float(np.log(kept / (1 - kept)))
