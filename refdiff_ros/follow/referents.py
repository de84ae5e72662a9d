"""The things that an order names, found in the picture before the first motion."""

from collections.abc import Mapping

import numpy as np

from refdiff_ros.errors import require
from refdiff_ros.follow.dialogue import Dialogue
from refdiff_ros.follow.grounded import are_one
from refdiff_ros.follow.results import Candidate, Entity, FollowStatus
from refdiff_ros.follow.situation import EndError, Situation
from refdiff_ros.follow.tasks import Task
from refdiff_ros.language.instruction.results import Instruction
from refdiff_ros.pick.space import View
from refdiff_ros.results import Status


class Referents:
    """Finds what the references of one order mean, and remembers it by row.

    Args:
        situation: of the order.
        dialogue: asks where several things fit.
        instruction: the order.
    """

    def __init__(self, situation: Situation, dialogue: Dialogue, instruction: Instruction):
        self._now, self._dialogue, self._instruction = situation, dialogue, instruction
        self._known: dict[int, Entity] = {}
        self._forbidden = self._regions_to_leave_alone()

    def find(self, task: Task, step: int) -> Mapping[int, Entity]:
        """Find what a task names; everything found until now, by row of the references.

        Raises:
            EndError: it is not there, not known, or must be left alone.
        """
        for row in (*(() if task.theme < 0 else (task.theme,)), *task.anchors):
            self._known[row] = self._entity(row, step)
        return self._known

    def _regions_to_leave_alone(self) -> list[Candidate]:
        """What 'not the red one' and 'never touch the blue one' name."""
        return [candidate for reference in self._instruction.forbidden if reference.expression
                for candidate in self._now.ground(reference.expression).candidates]

    def _entity(self, row: int, step: int) -> Entity:
        reference = self._instruction.references[row]
        if row in self._known:
            return self._known[row]
        if reference.antecedent is not None and reference.antecedent in self._known:
            return self._known[reference.antecedent]
        if reference.pronoun and not reference.expression:
            return self._now.spoken_of(reference.said)
        text = reference.expression
        same = next((row for row in self._known if _same_thing(
            text, self._instruction.references[row].expression)), None)
        return self._seen(text, step) if same is None else self._known[same]

    def _seen(self, text: str, step: int) -> Entity:
        grounded = self._now.ground(text)
        candidates = [candidate for candidate in grounded.candidates
                      if not any(are_one(candidate, other) for other in self._forbidden)]
        if grounded.candidates and not candidates:
            raise EndError(FollowStatus.REFUSED, f'{text} is what must be left alone', 'ground')
        if not grounded.status.has_mask:
            raise EndError(FollowStatus.REFUSED,
                           f'{grounded.status.name}: {grounded.reason}', 'ground')
        chosen = candidates[0]
        if grounded.status is Status.AMBIGUOUS and len(candidates) > 1:
            chosen = self._dialogue.which(text, grounded, candidates, step)
        entity = _met(text, chosen, require(grounded.view, 'the view of a grounded picture'))
        self._now.talk.meet(entity)
        return entity


def _same_thing(text: str, other: str) -> bool:
    """Whether two texts of one order mean one thing: 'the plate' twice, not 'a cube' twice."""
    return text.lower() == other.lower() and text.lower().startswith('the ')


def _met(text: str, chosen: Candidate, view: View) -> Entity:
    points = view.space(chosen.mask).object
    if len(points) < 3:
        raise EndError(FollowStatus.REFUSED,
                       f'{text} is seen, but too little depth comes from it', 'ground')
    middle = np.median(points[:, :2], axis=0)
    radius = float(np.percentile(np.hypot(*(points[:, :2] - middle).T), 95))
    return Entity(text, middle, radius, chosen.mask)
