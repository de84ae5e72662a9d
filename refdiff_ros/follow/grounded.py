"""What a follower sees: what a text means in a picture, and where that is in space."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from refdiff_ros.follow.answers import Seen
from refdiff_ros.follow.results import Candidate
from refdiff_ros.pick.place import directions
from refdiff_ros.pick.space import Space, View
from refdiff_ros.results import Status

# Masks that overlap by more are of one thing.
_SAME_IOU = 0.5
# Nothing is smaller.
_LEAST_M = 1e-3


@dataclass(frozen=True)
class Grounded:
    """What a text means in a picture.

    Attributes:
        status, reason: of the answer.
        candidates: the regions that fit, best first.
        view: the picture's depth and where it was taken from.
        question: that separates the candidates, ''.
    """

    status: Status
    reason: str
    candidates: tuple[Candidate, ...] = ()
    view: View | None = None
    question: str = ''


class World(Protocol):
    """What can be seen."""

    def ground(self, text: str) -> Grounded:
        """What a referring expression means in the newest picture."""

    def look(self) -> View:
        """The newest depth picture."""


def are_one(candidate: Candidate, other: Candidate) -> bool:
    """Whether two candidates of one picture are the same thing."""
    both = (candidate.mask & other.mask).sum()
    return bool(both / max((candidate.mask | other.mask).sum(), 1) > _SAME_IOU)


def middle_of(candidate: Candidate, view: View | None) -> np.ndarray | None:
    """(3,) the middle of a candidate's points in the base, None where too few are seen."""
    if view is None or candidate.mask.shape != view.depth_m.shape:
        return None
    points: np.ndarray = Space.seen(view.depth_m, view.camera, view.pose, candidate.mask).object
    return np.median(points, axis=0) if len(points) >= 3 else None


def seen_in(view: View | None, candidate: Candidate) -> Seen | None:
    """A candidate in space, None where too few of its points are seen."""
    middle = middle_of(candidate, view)
    if middle is None or view is None:
        return None
    points = view.space(candidate.mask).object
    x, y, z = map(float, middle)
    extent = np.subtract(*np.percentile(points, (98, 2), axis=0))
    return Seen((x, y, z), max(float(np.linalg.norm(extent)), _LEAST_M),
                float(middle[:2] @ directions(view.pose)[1]))
