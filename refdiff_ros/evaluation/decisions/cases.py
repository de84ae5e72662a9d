"""Questions of which the right decision is known: FOUND, NOT_FOUND or AMBIGUOUS.

Three sets on the scenes of a split, up to two questions of each a scene:

- 'one': the tabletop set, expressions that are true of exactly one object;
- 'none': expressions that are true of no object. 'removed': of one object, asked in the scene
  rendered anew without it. 'elsewhere': of one object of another scene;
- 'several': expressions that are true of several objects alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.tabletop.cases import choose, scene_range, speakable
from refdiff_ros.results import Status
from refdiff_ros.sim.expression_truth import SceneTruth, shared_expressions, SharedExpression
from refdiff_ros.sim.expressions import SceneExpression
from refdiff_ros.sim.render import render_scenes, SceneView
from refdiff_ros.sim.scene import Scene
from refdiff_ros.sim.splits import get_split, held_out_of, SIZE_HW, split_views

SETS = ('one', 'none', 'several')
TRUTHS = {'one': Status.FOUND, 'none': Status.NOT_FOUND, 'several': Status.AMBIGUOUS}
# Scenes that are rendered at once, and take descriptions from each other. Another number gives
# other questions.
_BATCH = 16
_PER_SCENE = 2


@dataclass(frozen=True)
class DecisionCase:
    """A question and what is true of it.

    Attributes:
        view: the scene as it is shown.
        scene: its number in its split.
        text: what is asked.
        kind, sense: as in `SceneExpression`.
        source: 'one', 'removed', 'elsewhere' or 'several'.
        rows: of the objects of `view` of which the text is true.
        meant: the one of them that is meant, drawn by lot; -1 without any.
    """

    view: SceneView
    scene: int
    text: str
    kind: str
    sense: str
    source: str
    rows: tuple[int, ...]
    meant: int = -1

    @property
    def set(self) -> str:
        """One of `SETS`."""
        return self.source if self.source in SETS else 'none'

    @property
    def truth(self) -> Status:
        """The right decision."""
        return TRUTHS[self.set]


def decision_cases(
    split: str, limit: int | None = None, half: str = 'all',
    size_hw: tuple[int, int] = SIZE_HW,
) -> Iterator[DecisionCase]:
    """The questions of a split, always the same ones; those on one picture follow each other.

    In an unseen half an object that is meant, removed or fits is of a pair that training lacks.

    Args:
        split: 'val' or 'test'.
        limit: how many of each set at most; None for all.
        half: 'all', 'seen' or 'unseen'.
        size_hw: of the pictures.

    Raises:
        BadRequestError: no such split or half, or a limit below 1.
        MissingPackageError, RefDiffError: as in `render_scenes`.
    """
    if limit is not None and limit < 1:
        raise BadRequestError(f'expected a limit of 1 or more, got {limit}')
    unseen_from = get_split(split).unseen_from
    scenes = scene_range(split, half)
    left = dict.fromkeys(SETS, _PER_SCENE * len(scenes) if limit is None else limit)
    for start in range(0, len(scenes), _BATCH):
        batch = scenes[start:start + _BATCH]
        views = list(split_views(split, batch, size_hw, depth=False))
        for case in _of_batch(split, batch, views, unseen_from, size_hw):
            if left[case.set] > 0:
                left[case.set] -= 1
                yield case
        if not any(left.values()):
            return


def _of_batch(
    split: str, batch: Sequence[int], views: Sequence[SceneView], unseen_from: int,
    size_hw: tuple[int, int],
) -> Iterator[DecisionCase]:
    """All questions of some scenes, scene by scene."""
    spoken = [speakable(view, scene >= unseen_from)
              for scene, view in zip(batch, views, strict=True)]
    removed = _removed(split, batch, views, spoken, size_hw)
    for place, (scene, view) in enumerate(zip(batch, views, strict=True)):
        # The generator of `tabletop.cases`, so that 'one' is that set.
        rng = _rng(split, scene)
        yield from _cases(view, scene, 'one', choose(spoken[place], rng), rng)
        rng = _rng(split, scene, 1)
        shared = [each for each in shared_expressions(view)
                  if scene < unseen_from or any(_held_out(view, row) for row in each.rows)]
        yield from _cases(view, scene, 'several', choose(shared, rng), rng)
        truth = SceneTruth(view)
        absent = [said for said in spoken[(place + 1) % len(batch)] if truth.is_of_none(said)]
        yield from _cases(view, scene, 'elsewhere', choose(absent, rng)[:1], rng)
        if scene in removed:
            said, without = removed[scene]
            yield from _cases(without, scene, 'removed', [said], rng)


def _rng(split: str, *numbers: int) -> np.random.Generator:
    return np.random.default_rng((get_split(split).first_seed, *numbers))


def _held_out(view: SceneView, row: int) -> bool:
    return (view.objects[row].shape, view.objects[row].colour) in held_out_of(view.scene)


def _cases(
    view: SceneView, scene: int, source: str,
    chosen: Sequence[SceneExpression | SharedExpression],
    rng: np.random.Generator,
) -> Iterator[DecisionCase]:
    for said in chosen:
        if isinstance(said, SharedExpression):
            rows, meant = said.rows, said.rows[int(rng.integers(len(said.rows)))]
        else:
            rows, meant = ((said.row,), said.row) if source == 'one' else ((), -1)
        yield DecisionCase(view, scene, said.text, said.kind, said.sense, source, rows, meant)


def _removed(
    split: str, batch: Sequence[int], views: Sequence[SceneView],
    spoken: Sequence[Sequence[SceneExpression]], size_hw: tuple[int, int],
) -> dict[int, tuple[SceneExpression, SceneView]]:
    """By scene an expression whose object was taken away, and the scene without it."""
    chosen = {}
    for scene, view, said in zip(batch, views, spoken, strict=True):
        # Before it is rendered anew: as if nobody knew of the object.
        without = {row: SceneTruth(_left_out(view, row)) for row in {each.row for each in said}
                   if not _carries(view.scene, row)}
        gone = [each for each in said
                if each.row in without and without[each.row].is_of_none(each)]
        for each in choose(gone, _rng(split, scene, 2))[:1]:
            chosen[scene] = each, _without(view.scene, each.row)
    anew = render_scenes([scene for _, scene in chosen.values()], size_hw, depth=False) \
        if chosen else ()
    return {number: (said, view) for (number, (said, _)), view in zip(
        chosen.items(), anew, strict=True) if SceneTruth(view).is_of_none(said)}


def _carries(scene: Scene, row: int) -> bool:
    return any(thing.on == row for thing in scene.things)


def _moved(on: int | None, row: int) -> int | None:
    return on - 1 if on is not None and on > row else on


def _without(scene: Scene, row: int) -> Scene:
    """The scene without an object that carries no other."""
    return replace(scene, things=tuple(
        replace(thing, on=_moved(thing.on, row))
        for number, thing in enumerate(scene.things) if number != row))


def _left_out(view: SceneView, row: int) -> SceneView:
    """The view as if nobody knew of an object; its pixels stay as they are."""
    return replace(
        view, masks=np.delete(view.masks, row, axis=0), scene=_without(view.scene, row),
        objects=tuple(replace(thing, on=_moved(thing.on, row))
                      for number, thing in enumerate(view.objects) if number != row))
