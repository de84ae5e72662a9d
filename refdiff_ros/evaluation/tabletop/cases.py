"""The questions of the tabletop set: which expressions on which scenes."""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.expression_truth import SharedExpression
from refdiff_ros.sim.expressions import expressions, KINDS, SceneExpression
from refdiff_ros.sim.render import SceneView
from refdiff_ros.sim.splits import get_split, held_out_of, SIZE_HW, split_views

HALVES = ('all', 'seen', 'unseen')
_PER_SCENE = 2
_BATCH = 16  # scenes that are rendered at once

Spoken = TypeVar('Spoken', SceneExpression, SharedExpression)
Asked = tuple[SceneView, SceneExpression, int]


def scene_range(split: str, half: str = 'all') -> range:
    """The scenes of one half of a split.

    Raises:
        BadRequestError: no such split or half, or a half of a split that has none.
    """
    if half not in HALVES:
        raise BadRequestError(f'expected a half of {HALVES}, got {half!r}')
    found = get_split(split)
    if half == 'all':
        return range(found.count)
    if found.unseen_from == found.count:
        raise BadRequestError(f"expected half 'all', got {half!r}: {split} has one half only, "
                              'of pairs that training saw')
    return range(found.unseen_from) if half == 'seen' else range(found.unseen_from, found.count)


def cases(
    split: str, limit: int | None = None, half: str = 'all',
    size_hw: tuple[int, int] = SIZE_HW,
) -> Iterator[Asked]:
    """The questions of a split, always the same ones: up to two a scene, of two kinds.

    In an unseen half the object that is meant is of a pair that training lacks.

    Args:
        split: 'val' or 'test'.
        limit: how many at most; None for all.
        half: 'all', 'seen' or 'unseen'.
        size_hw: of the pictures.

    Yields:
        The view, the expression and the scene's number, scenes in order.

    Raises:
        BadRequestError: no such split or half, or a limit below 1.
        MissingPackageError, RefDiffError: as in `render_scenes`.
    """
    if limit is not None and limit < 1:
        raise BadRequestError(f'expected a limit of 1 or more, got {limit}')
    unseen_from, first_seed = get_split(split).unseen_from, get_split(split).first_seed
    scenes = scene_range(split, half)
    left = len(scenes) * _PER_SCENE if limit is None else limit
    while scenes and left > 0:
        # Rendering a batch costs as much for one scene of it as for all.
        size = min(_BATCH, max(left // _PER_SCENE, 1))
        batch, scenes = scenes[:size], scenes[size:]
        for scene, view in zip(batch, split_views(split, batch, size_hw, depth=False),
                               strict=True):
            rng = np.random.default_rng((first_seed, scene))
            for said in choose(speakable(view, scene >= unseen_from), rng)[:left]:
                yield view, said, scene
                left -= 1


def speakable(view: SceneView, unseen: bool) -> list[SceneExpression]:
    """The expressions of a view; of objects of a held-out pair alone where `unseen`."""
    return [said for said in expressions(view)
            if not unseen or _pair(view, said.row) in held_out_of(view.scene)]


def case_half(view: SceneView, said: SceneExpression) -> str:
    """'seen' or 'unseen': whether training had the pair of shape and colour that is meant."""
    return 'unseen' if _pair(view, said.row) in held_out_of(view.scene) else 'seen'


def _pair(view: SceneView, row: int) -> tuple[str, str]:
    return view.objects[row].shape, view.objects[row].colour


def choose(found: list[Spoken], rng: np.random.Generator) -> list[Spoken]:
    """Up to two expressions of two kinds: kind, then sense, then wording, each uniformly.

    So that left and right, of which there are most, do not crowd out what is rare.
    """
    present = [kind for kind in KINDS if any(said.kind == kind for said in found)]
    chosen: list[Spoken] = []
    for kind in rng.permutation(present)[:_PER_SCENE]:
        of_kind = [said for said in found if said.kind == kind]
        senses = sorted({said.sense for said in of_kind})
        sense = senses[int(rng.integers(len(senses)))]
        texts = [said for said in of_kind if said.sense == sense]
        chosen.append(texts[int(rng.integers(len(texts)))])
    return chosen
