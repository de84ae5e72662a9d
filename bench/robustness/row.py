"""One row of the reliability table: what is tried, what is wanted, and how it is measured.

A row is a module in `rows/` with one object `ROW`. `run.py` finds it by its file name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
import time
from typing import Any


@dataclass(frozen=True)
class Effort:
    """How much one run may take.

    Attributes:
        seconds: the row ends its last round before this many seconds have passed.
        seed: of everything random.
    """

    seconds: float
    seed: int = 0
    began_s: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.began_s + self.seconds - time.monotonic()

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began_s


@dataclass(frozen=True)
class Outcome:
    """What a row measured.

    Attributes:
        figure: the table's cell: '200 of 200 answered, 10 rounds'.
        held: whether what was done held; a run that was too short for the goal may hold.
        details: anything for the JSON file.
    """

    figure: str
    held: bool
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: what is tried.
        goal: the figure that is wanted, as a text.
        measure: does it; ends within the effort's seconds.
    """

    name: str
    goal: str
    measure: Callable[[Effort], Outcome]
