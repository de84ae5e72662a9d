"""Figures of the tabletop set, and its cases as `--json` has them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from refdiff_ros.evaluation.figures import tagged_figures
from refdiff_ros.evaluation.run import Answer
from refdiff_ros.evaluation.tabletop.samples import scene_of
from refdiff_ros.sim.expressions import KINDS


def tabletop_figures(results: Sequence[Answer]) -> dict[str, Any]:
    """`tagged_figures` of all answers, with 'by_kind' and 'by_half' of those that occur."""
    found = tagged_figures(results, ('kind', 'half'), scene_of)
    del found['unreadable']  # what is rendered can be read
    by_kind = found['by_kind']
    return {**found, 'by_kind': {kind: by_kind[kind] for kind in KINDS if kind in by_kind}}


def as_case(answer: Answer) -> dict[str, Any]:
    """An answer as a case of `--json`: its scene and its tags in place of ids."""
    values = asdict(answer)
    tags = {'sense': '', **values.pop('tags')}
    for name in ('sample_id', 'image_id'):
        del values[name]
    return {'scene': scene_of(answer), **values, **tags}
