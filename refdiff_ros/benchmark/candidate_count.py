"""Presets under which an answer offers a chosen number of candidates.

What a picture holds, and what a model knows, decides how many regions an expression fits. For a
measurement the margin of scores within which regions fit is put where a chosen number does: all
that an answer with so many candidates takes, its question too, is then done.
"""

from collections.abc import Mapping

import numpy as np

from refdiff_ros.engine import Engine
from refdiff_ros.errors import BadRequestError
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.presets import Preset
from refdiff_ros.results import Frame

_ALL = 1e9


def limit_candidates(
    models: ModelSet, frame: Frame, presets: Mapping[str, Preset], expression: str, count: int,
    seed: int = 0,
) -> dict[str, Preset]:
    """`presets` with margins that let `count` regions of `frame` fit `expression`.

    Raises:
        BadRequestError: the picture has fewer separate regions.
    """
    return {name: _limited(models, frame, preset, expression, count, seed)
            for name, preset in presets.items()}


def _limited(
    models: ModelSet, frame: Frame, preset: Preset, expression: str, count: int, seed: int,
) -> Preset:
    by_scores = preset.override({'selection': {
        'decide': 'scores', 'order': 'score', 'min_score': None, 'ambiguity_margin': _ALL}})
    found = Engine(models, by_scores, seed=seed).segment(frame, expression, check=False)
    totals = found.scores.total[list(found.regions)]
    if len(totals) < count:
        raise BadRequestError(
            f'expected a picture with {count} separate regions, got one with {len(totals)}: name '
            'another one, or more proposals')
    behind = np.sort(totals[0] - totals)
    margin = float(behind[count - 1:count + 1].mean()) if count > 1 else None
    return by_scores.override({'selection': {'ambiguity_margin': margin}})
