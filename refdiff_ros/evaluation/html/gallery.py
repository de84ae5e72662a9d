"""Keeps pictures of the worst, the best and randomly drawn middle cases during a run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
import time
from typing import Any, TYPE_CHECKING

import numpy as np

from refdiff_ros.evaluation.html.case_pictures import case_pictures
from refdiff_ros.evaluation.run import Reply
from refdiff_ros.optional import require_package

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine

CASES = 12  # of each sort


@dataclass(frozen=True)
class Kept:
    """A case and its pictures, as `case_pictures` gives them."""

    sample_id: str
    iou: float
    pictures: dict[str, Any]


class Gallery:
    """Collects cases as they are answered; what it holds does not grow with the run.

    Pictures are made when a case comes in, while the engine still keeps what belongs to its
    frame, and only of cases that have a place at that time.

    Attributes:
        seconds: that pictures have taken, to be left out of the run's rate.

    Args:
        engine: that answers, for the attention of every token.
        cases: how many of each sort.
        seed: of the random draws.

    Raises:
        MissingPackageError: pictures cannot be drawn for want of a package.
    """

    def __init__(self, engine: 'Engine', cases: int = CASES, seed: int = 0):
        require_package('cv2', 'grasp')
        require_package('PIL.Image', 'models')
        self.seconds = 0.0
        self._engine, self._size = engine, cases
        self._rng = np.random.default_rng(seed)
        self._worst: list[Kept] = []
        self._best: list[Kept] = []
        self._middle: list[Kept] = []
        self._in_the_middle = 0

    def add(self, case_id: str, iou: float, reply: Reply) -> None:
        """Take one case in; one without picture or truth is passed over.

        Args:
            case_id: as from `cases.case_id`.
            iou: of the answer.
            reply: what was asked and answered.
        """
        if reply.frame is None or reply.truth is None:
            return
        began = time.perf_counter()
        self._add(case_id, iou, partial(
            case_pictures, self._engine, reply.frame, reply.truth, reply.segmentation))
        self.seconds += time.perf_counter() - began

    def sorts(self) -> dict[str, list[Kept]]:
        """'worst' (worst first), 'best' (best first) and 'middle' (drawn); no case is in two."""
        return {'worst': list(self._worst), 'best': list(self._best),
                'middle': sorted(self._middle, key=lambda each: each.iou)}

    def _add(self, case_id: str, iou: float, draw: Callable[[], dict[str, Any]]) -> None:
        low = len(self._worst) < self._size or iou < self._worst[-1].iou
        high = len(self._best) < self._size or iou > self._best[-1].iou
        slot = None if low or high else self._slot()
        if not (low or high) and slot is None:
            return
        pushed_out: Kept | None = Kept(case_id, iou, draw())
        # What leaves the worst may be one of the best; what leaves both is of the middle.
        if pushed_out is not None and low:
            pushed_out = self._place(self._worst, pushed_out, 1)
        if pushed_out is not None and (low or high):
            pushed_out = self._place(self._best, pushed_out, -1)
            slot = None if pushed_out is None else self._slot()
        if pushed_out is not None and slot is not None:
            self._middle[slot:slot + 1] = [pushed_out]

    def _place(self, ends: list[Kept], kept: Kept, sign: int) -> Kept | None:
        """Put a case among the worst (sign 1) or the best (-1); what has no room any more."""
        ends.append(kept)
        ends.sort(key=lambda each: sign * each.iou)
        return ends.pop() if len(ends) > self._size else None

    def _slot(self) -> int | None:
        """A place for one more middle case, or None: each so far is in with the same chance."""
        self._in_the_middle += 1
        if len(self._middle) < self._size:
            return len(self._middle)
        slot = int(self._rng.integers(self._in_the_middle))
        return slot if slot < self._size else None
