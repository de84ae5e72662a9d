"""What really happened in an episode, by the objects' poses."""

from collections.abc import Collection
import enum
import math

import numpy as np

# Higher than this over where it stood, an object is lifted; a nudge raises it less.
LIFTED_M = 0.05
# Another object that has moved or leans by more than this was touched.
MOVED_M, LEANING = 0.02, math.radians(5)


class Verdict(enum.Enum):
    """How an episode ended in truth."""

    RIGHT = 'right object lifted'
    DISTURBED = 'right one, another moved'
    WRONG = 'wrong object lifted'
    DROPPED = 'dropped'
    MISSED = 'nothing lifted'
    REFUSED = 'refused although present'
    RIGHTLY_REFUSED = 'rightly refused'


def verdict(target: int | None, refused: bool, raised_m: np.ndarray, peak_m: np.ndarray,
            on: tuple[int | None, ...], disturbed: Collection[int] = ()) -> Verdict:
    """The verdict on one episode.

    An object that is carried by a lifted one is neither lifted itself nor disturbed.

    Args:
        target: row of the object that was asked for, None where it is not there.
        refused: whether the server touched nothing and said so.
        raised_m: (N,) how far each object is above where it stood, at the end.
        peak_m: (N,) the same, the most at any time.
        on: for each object the row of what it stood on, None for the table.
        disturbed: rows of the objects that were moved or tilted at any time (`disturbed`).
    """
    if refused:
        return Verdict.RIGHTLY_REFUSED if target is None else Verdict.REFUSED
    held = _first_raised(raised_m, on)
    if target is not None and target in held:
        others = {row for row in disturbed if not _stands_on(row, target, on)}
        return Verdict.DISTURBED if others else Verdict.RIGHT
    if held:
        return Verdict.WRONG
    return Verdict.DROPPED if _first_raised(peak_m, on) else Verdict.MISSED


def _first_raised(raised_m: np.ndarray, on: tuple[int | None, ...]) -> set[int]:
    up = {int(row) for row in np.flatnonzero(raised_m > LIFTED_M)}
    return {row for row in up if on[row] not in up}


def disturbed(start_m: np.ndarray, now_m: np.ndarray, start_up: np.ndarray, now_up: np.ndarray,
              balls: np.ndarray) -> np.ndarray:
    """Which objects are not where and how they were.

    Args:
        start_m, now_m: (N, 3) positions, metres.
        start_up, now_up: (N, 3) unit vectors, upright in each object.
        balls: (N,) bool, objects that have no side to lean to.

    Returns:
        (N,) bool: moved by more than `MOVED_M`, or leaning by more than `LEANING`.
    """
    moved = np.linalg.norm(now_m - start_m, axis=1) > MOVED_M
    leaning = np.einsum('nk,nk->n', start_up, now_up) < math.cos(LEANING)
    return moved | (leaning & ~balls)


def _stands_on(row: int, target: int, on: tuple[int | None, ...]) -> bool:
    """Whether an object is the target or is carried by it."""
    below: int | None = row
    while below is not None and below != target:
        below = on[below]
    return below == target
