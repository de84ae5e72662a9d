"""What a conversation remembers: what was spoken of, what is in the hand, and where it was."""

import math

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.follow.results import Entity
from refdiff_ros.pick.robot import Held


class Conversation:
    """The memory of one conversation.

    Attributes:
        last: what was spoken of last.
        held: what is in the hand, and how it can be set down.
        held_entity: the same as it is spoken of.

    Args:
        before: the conversation before this one: the hand holds what it holds.
    """

    def __init__(self, before: 'Conversation | None' = None):
        self.last: Entity | None = None
        self.held: Held | None = None if before is None else before.held
        self.held_entity: Entity | None = None if before is None else before.held_entity

    def meet(self, entity: Entity) -> None:
        """Something was spoken of."""
        self.last = entity

    def take(self, entity: Entity, held: Held) -> None:
        """Something is in the hand now."""
        entity.held = True
        self.last = self.held_entity = entity
        self.held = held

    def put(self, entity: Entity, middle_m: np.ndarray, support_z: float = math.nan) -> None:
        """It stands somewhere now, seen no more."""
        entity.held, entity.middle_m, entity.mask = False, middle_m, None
        entity.support_z = support_z
        self.held = self.held_entity = None
        self.last = entity

    def lost(self) -> None:
        """The hand is empty."""
        if self.held_entity is not None:
            self.held_entity.held = False
        self.held = self.held_entity = None

    def origin(self, entity: Entity) -> Held:
        """How something was taken, to bring it back there.

        Raises:
            RefDiffError: it is not in the hand.
        """
        if self.held is None or self.held_entity is not entity:
            raise RefDiffError(f'{entity.name} is not in the hand, so it cannot be put back')
        return self.held
