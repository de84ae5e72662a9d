"""Which expression stands when: one at a time, as the node's topic has it.

A picture may have several labels, but the standing expression is one. So the bag is played as
often as its picture with the most labels has labels, and each time every picture that has one
left is asked for one of them, if it can be for the expression that stands already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from refdiff_ros.evaluation.bags.samples import Matched


@dataclass(frozen=True)
class Play:
    """One time that the bag is played.

    Attributes:
        asked: the expression that a picture is asked for, by the number of its message, in the
            order of recording; not empty. An expression stands until the next one.
    """

    asked: Mapping[int, str]

    @property
    def first(self) -> str:
        """What stands from the beginning."""
        return next(iter(self.asked.values()))

    @property
    def last(self) -> int:
        """The number of the last picture that is asked for something."""
        return list(self.asked)[-1]


def plan(matched: Matched, limit: int | None = None) -> tuple[Play, ...]:
    """The plays that ask for every label once.

    Args:
        matched: at least one label has a picture.
        limit: of the labels, those that an evaluation without the graph would ask first.
    """
    every = ((picture.image, label.expression) for picture, labels in matched.pairs
             for label in labels)
    left: dict[int, list[str]] = {}
    for number, expression in islice(every, limit):
        waiting = left.setdefault(number, [])
        # Two labels of a picture, stamped less than a millisecond apart, may say the same.
        if expression not in waiting:
            waiting.append(expression)
    plays = []
    while left:
        plays.append(Play(_next_play(left)))
    return tuple(plays)


def _next_play(left: dict[int, list[str]]) -> dict[int, str]:
    """One expression a picture, taken out of `left`."""
    asked: dict[int, str] = {}
    standing = ''
    for number in list(left):
        waiting = left[number]
        if standing not in waiting:
            standing = waiting[0]
        asked[number] = standing
        waiting.remove(standing)
        if not waiting:
            del left[number]
    return asked
