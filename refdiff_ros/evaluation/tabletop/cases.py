"""The tabletop set asked: which expressions on which scenes, and what an engine answers.

Letters: N objects, H W image height and width.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
import time
from typing import TYPE_CHECKING

import numpy as np

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.metrics.overlap import best_iou, iou, overlap, require_overlap
from refdiff_ros.evaluation.metrics.pointing import pointing
from refdiff_ros.evaluation.run import attempt, error_text, status_of
from refdiff_ros.presets import Mode
from refdiff_ros.results import Segmentation
from refdiff_ros.sim.expressions import expressions, KINDS, SceneExpression
from refdiff_ros.sim.render import SceneView
from refdiff_ros.sim.splits import get_split, HELD_OUT, SIZE_HW, split_views

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine

HALVES = ('all', 'seen', 'unseen')
_PER_SCENE = 2
_BATCH = 16  # scenes that are rendered at once

Asked = tuple[SceneView, SceneExpression, int]


@dataclass(frozen=True)
class Case:
    """One expression and how well it was answered.

    Attributes:
        scene: the scene's number in its split.
        expression, kind, sense: what was asked, as in `SceneExpression`.
        half: 'seen' or 'unseen': whether training had the pair of shape and colour.
        status: name of the answer's status, or of what the error comes to.
        iou: of answer and truth; 0 after an error.
        intersection, union: pixels.
        pointing: 1 where c peaks on the object that is meant, else 0; None without c.
        oracle_iou: of the best proposal; None after an error.
        seconds: the answer took; what belongs to the frame is in the first one of a scene.
        error: the error's message, or ''.

    Raises:
        BadRequestError: counts that no two masks have.
    """

    scene: int
    expression: str
    kind: str
    sense: str
    half: str
    status: str
    iou: float
    intersection: int
    union: int
    pointing: float | None
    oracle_iou: float | None
    seconds: float
    error: str = ''

    def __post_init__(self):
        require_overlap(self.intersection, self.union, self.iou)

    @property
    def group(self) -> int:
        """Cases of one scene are not independent; bootstraps draw them together."""
        return self.scene


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
            if not unseen or _pair(view, said.row) in HELD_OUT]


def case_half(view: SceneView, said: SceneExpression) -> str:
    """'seen' or 'unseen': whether training had the pair of shape and colour that is meant."""
    return 'unseen' if _pair(view, said.row) in HELD_OUT else 'seen'


def _pair(view: SceneView, row: int) -> tuple[str, str]:
    return view.objects[row].shape, view.objects[row].colour


def choose(found: list[SceneExpression], rng: np.random.Generator) -> list[SceneExpression]:
    """Up to two expressions of two kinds: kind, then sense, then wording, each uniformly.

    So that left and right, of which there are most, do not crowd out what is rare.
    """
    present = [kind for kind in KINDS if any(said.kind == kind for said in found)]
    chosen = []
    for kind in rng.permutation(present)[:_PER_SCENE]:
        of_kind = [said for said in found if said.kind == kind]
        senses = sorted({said.sense for said in of_kind})
        sense = senses[int(rng.integers(len(senses)))]
        texts = [said for said in of_kind if said.sense == sense]
        chosen.append(texts[int(rng.integers(len(texts)))])
    return chosen


def evaluate(
    engine: 'Engine',
    asked: Iterable[Asked],
    mode: Mode | None = None,
    on_case: Callable[[Case, SceneView, SceneExpression, Segmentation | None], None] | None = None,
) -> list[Case]:
    """Ask `engine` everything; an error on one case does not lose the others.

    Args:
        engine: answers; keeps what belongs to a frame between expressions of one scene.
        asked: as from `cases`.
        mode: G, GS, DS or full; the engine's own when None.
        on_case: told of each case as it is answered, with None after an error.
    """
    results = []
    for view, said, scene in asked:
        began = time.perf_counter()
        answer, error = attempt(lambda view=view, said=said: engine.segment(
            view.frame, said.text, mode))
        seconds = time.perf_counter() - began
        case = _case(view, said, scene, answer, error, seconds)
        results.append(case)
        if on_case is not None:
            on_case(case, view, said, answer)
    return results


def _case(
    view: SceneView, said: SceneExpression, scene: int, answer: Segmentation | None,
    error: Exception | None, seconds: float,
) -> Case:
    truth = view.masks[said.row]
    asked = {
        'scene': scene, 'expression': said.text, 'kind': said.kind, 'sense': said.sense,
        'half': case_half(view, said), 'seconds': seconds}
    if answer is None:
        return Case(
            **asked, status=status_of(error).name, iou=0.0, intersection=0, union=int(truth.sum()),
            pointing=None, oracle_iou=None, error=error_text(error))
    shared, covered = overlap(answer.mask, truth)
    return Case(
        **asked, status=answer.status.name, iou=iou(shared, covered), intersection=shared,
        union=covered, oracle_iou=best_iou(answer.proposals, truth),
        pointing=None if answer.correlation is None else pointing(answer.correlation, truth))
