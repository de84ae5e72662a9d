"""What really happened in an episode, by the objects' heights."""

import enum

import numpy as np

# Higher than this over where it stood, an object is lifted; a nudge raises it less.
LIFTED_M = 0.05


class Verdict(enum.Enum):
    """How an episode ended in truth."""

    RIGHT = 'right object lifted'
    WRONG = 'wrong object lifted'
    DROPPED = 'dropped'
    MISSED = 'nothing lifted'
    REFUSED = 'refused although present'
    RIGHTLY_REFUSED = 'rightly refused'


def verdict(target: int | None, refused: bool, raised_m: np.ndarray, peak_m: np.ndarray,
            on: tuple[int | None, ...]) -> Verdict:
    """The verdict on one episode.

    An object that is carried by a lifted one is not itself lifted.

    Args:
        target: row of the object that was asked for, None where it is not there.
        refused: whether the server touched nothing and said so.
        raised_m: (N,) how far each object is above where it stood, at the end.
        peak_m: (N,) the same, the most at any time.
        on: for each object the row of what it stood on, None for the table.
    """
    if refused:
        return Verdict.RIGHTLY_REFUSED if target is None else Verdict.REFUSED
    held = _first_raised(raised_m, on)
    if target is not None and target in held:
        return Verdict.RIGHT
    if held:
        return Verdict.WRONG
    return Verdict.DROPPED if _first_raised(peak_m, on) else Verdict.MISSED


def _first_raised(raised_m: np.ndarray, on: tuple[int | None, ...]) -> set[int]:
    up = {int(row) for row in np.flatnonzero(raised_m > LIFTED_M)}
    return {row for row in up if on[row] not in up}
