"""The time that a goal has: first for the refdiff node to be ready, then its own."""

import math
import time

from refdiff_ros.pick.robot import Interrupt, StoppedError


class Waiting:
    """A goal's clock. A node that is only just starting must not eat up the time of the goal.

    Args:
        patience_s: for the node to be ready.
        limit_s: for the goal, from then on.
    """

    def __init__(self, patience_s: float, limit_s: float):
        self.limit_s = limit_s
        self.reason = ''
        self._patience_s = patience_s
        self._until_ready_s = time.monotonic() + patience_s
        self._end_s: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the node has had its time to become ready."""
        return time.monotonic() > self._until_ready_s

    @property
    def has_begun(self) -> bool:
        """Whether the goal's own time runs."""
        return self._end_s is not None

    def begin(self) -> None:
        """The node can be asked: the time of the goal begins."""
        self._end_s = time.monotonic() + self.limit_s

    def go_on(self, reason: str) -> None:
        """The node is not ready after all."""
        self._end_s, self.reason = None, reason

    def check(self) -> None:
        """Nothing while there is time.

        Raises:
            StoppedError: the time is over.
        """
        if self._end_s is None and self.is_over and self.reason:
            raise StoppedError(Interrupt.TIMEOUT,
                               f'not ready in {self._patience_s:g} s: {self.reason}')
        if time.monotonic() > (self._end_s or math.inf):
            raise StoppedError(Interrupt.TIMEOUT, f'not done in {self.limit_s:g} s')
