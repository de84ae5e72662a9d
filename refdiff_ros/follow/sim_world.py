"""The simulated table as a `World`, seen through the simulated camera, without ROS."""

from collections.abc import Callable
import math
from typing import Any, TYPE_CHECKING

import numpy as np

from refdiff_ros.errors import require
from refdiff_ros.follow.grounded import Grounded
from refdiff_ros.follow.results import Candidate
from refdiff_ros.language.expression import parse
from refdiff_ros.matching.question import ask
from refdiff_ros.pick.space import View
from refdiff_ros.results import Frame, Status
from refdiff_ros.sim.depth_noise import as_millimetres, sensor_depth
from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.gripper_sim import camera_in_base, GripperSim
from refdiff_ros.sim.naming import named_rows
from refdiff_ros.sim.render import SceneView

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine

Grounder = Callable[[Frame, str, SceneView], tuple[Status, str, tuple[Candidate, ...], str]]
"""Status, reason, candidates and question for a text on a frame; the view is the truth."""
# Of less than this many pixels nobody could tell what it is.
_LEAST_PX = 30


class SimWorld:
    """What the simulated camera sees now.

    Args:
        sim: the table.
        renderer: of its model.
        grounder: who says what a text means.
        seed: of the depth noise.
    """

    def __init__(self, sim: GripperSim, renderer: Any, grounder: Grounder, seed: int = 0):
        self._sim, self._renderer, self._grounder = sim, renderer, grounder
        self._rng = np.random.default_rng([seed, 11])
        self._looks = 0

    def ground(self, text: str) -> Grounded:
        """What a text means in the picture of this moment."""
        frame, seen = self._look()
        status, reason, candidates, question = self._grounder(frame, text, seen)
        return Grounded(status, reason, candidates, self._view(frame), question)

    def look(self) -> View:
        """The depth picture of this moment."""
        return self._view(self._look()[0])

    def _look(self) -> tuple[Frame, SceneView]:
        seen = self._sim.look(self._renderer)
        noisy = sensor_depth(require(seen.frame.depth_m, 'depth of a rendered view'), self._rng)
        depth_m = (as_millimetres(noisy) / 1000).astype(np.float32)
        return Frame(seen.frame.image_rgb, depth_m, seen.frame.camera,
                     frame_id=seen.frame.frame_id), seen

    def _view(self, frame: Frame) -> View:
        return View(require(frame.depth_m, 'depth of a rendered view'),
                    require(frame.camera, 'intrinsics of a rendered view'),
                    camera_in_base(self._sim.scene.view))


def true_grounder(_frame: Frame, text: str, seen: SceneView,
                  ) -> tuple[Status, str, tuple[Candidate, ...], str]:
    """The grounder that knows: by the objects' names, else by the scene's expressions."""
    rows = named_rows(text, [thing.name for thing in seen.objects])
    if rows is None:
        rows = [said.row for said in expressions(seen) if said.text == text][:1]
    rows = [row for row in rows if seen.masks[row].sum() >= _LEAST_PX]
    if not rows:
        return Status.NOT_FOUND, f'{text!r} is true of nothing in sight', (), ''
    if len(rows) == 1:
        return Status.FOUND, 'the true mask', (Candidate(seen.masks[rows[0]]),), ''
    return (Status.AMBIGUOUS, f'{len(rows)} things fit {text!r}',
            *_asked(text, rows, seen))


def _asked(text: str, rows: list[int], seen: SceneView) -> tuple[tuple[Candidate, ...], str]:
    """Candidates and a question in the words of the engine's own."""
    frame = seen.frame
    question = ask(seen.masks[rows], frame.image_rgb, parse(text, None), frame.depth_m)
    return tuple(Candidate(seen.masks[row], words, number) for row, words, number in zip(
        rows, question.descriptions, question.numbers, strict=True)), question.text


def our_grounder(engine: 'Engine') -> Grounder:
    """The grounder that asks the models."""
    def ground(frame: Frame, text: str, _seen: SceneView,
               ) -> tuple[Status, str, tuple[Candidate, ...], str]:
        answer = engine.segment(frame, text)
        if not answer.status.has_mask:
            return answer.status, answer.reason, (), ''
        rows = answer.regions if answer.status is Status.AMBIGUOUS else answer.regions[:1]
        question = answer.question
        described = ('',) * len(rows) if question is None else question.descriptions
        fits = answer.fits or (math.nan,) * len(rows)
        return (answer.status, answer.reason,
                tuple(Candidate(answer.proposals[row], words, number, fit)
                      for row, words, number, fit in zip(
                          rows, described, answer.numbers, fits, strict=False)),
                '' if question is None else question.text)
    return ground
