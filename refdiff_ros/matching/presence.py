"""Whether the object is there at all, by contrast alone: for bundles that nobody has calibrated.

Four figures in 0..1 are multiplied for each separate region, and the best region counts:

- how much better the expression fits it than texts about other objects do (`noun_contrast`),
- how much better it fits it than it fits regions that it cannot mean,
- how well its place fits the words that say where (`spatial`),
- whether the attention agrees: less than 1 where other regions have more of it.

Nothing is fitted. The product is no probability; it orders answers by how far they can be
believed. The peak of the attention against its mean was tried as a fifth figure and says nothing:
the map is as sharp where nothing fits.

Letters: R separate regions, K texts about other objects.
"""

from dataclasses import dataclass, replace

import numpy as np

from refdiff_ros.config import SelectionConfig
from refdiff_ros.discriminative.noun_contrast import share_of_own
from refdiff_ros.matching.calibration import logistic
from refdiff_ros.matching.selection import Selection
from refdiff_ros.results import Status


@dataclass(frozen=True)
class Contrast:
    """What is compared, for the separate regions of an answer.

    Attributes:
        match: (R, 1 + K), how well the expression and each text about another object fit.
        scale: what CLIP multiplies differences of `match` with.
        place: (R,) in 0..1, how well each place fits; 1 where no word says where.
        attention: (R,), the score of Eq. (9); None where the mode has none.
    """

    match: np.ndarray
    scale: float
    place: np.ndarray
    attention: np.ndarray | None = None


def presence(contrast: Contrast) -> float:
    """The figure of the best region, 0..1; 0 without any."""
    if not len(contrast.match):
        return 0.0
    own = contrast.match[:, 0].astype(np.float64)
    figure = share_of_own(contrast.match, contrast.scale) * contrast.place
    if len(own) > 1:
        figure *= logistic(contrast.scale * (own - _of_others(own, lower_half=True)))
        if contrast.attention is not None:
            more = contrast.attention.astype(np.float64)
            figure *= np.exp(np.minimum(more - _of_others(more), 0))
    return float(figure.max())


def _of_others(values: np.ndarray, lower_half: bool = False) -> np.ndarray:
    """(R,) mean of the other regions' values, or of their lower half: surely not what is meant."""
    means = []
    for row in range(len(values)):
        others = np.sort(np.delete(values, row))
        means.append(others[:(len(others) + 1) // 2 if lower_half else None].mean())
    return np.array(means)


def decide(chosen: Selection, figure: float, config: SelectionConfig) -> Selection:
    """The decision by scores, refused where the figure is below `min_presence`.

    Args:
        chosen: as from `select`.
        figure: as from `presence`.
        config: has `min_presence`.
    """
    chosen = replace(chosen, presence=figure)
    if chosen.status is Status.NOT_FOUND:
        return chosen
    if figure < config.min_presence:
        return replace(
            chosen, status=Status.NOT_FOUND, rivals=(),
            reason=f'no region fits this better than other words: presence {figure:.2f} (not '
            f'calibrated), below min_presence {config.min_presence:.2f}; see that the object is '
            'in view, describe it in other words, or lower min_presence')
    return replace(
        chosen, reason=f'{chosen.reason}; presence {figure:.2f} (not calibrated)')
