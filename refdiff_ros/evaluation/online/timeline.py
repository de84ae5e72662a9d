"""What is sent when: the bag's messages and, a moment before the pictures, the expressions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import heapq

from refdiff_ros.evaluation.bags.pairing import Index
from refdiff_ros.evaluation.bags.reading import Recorded
from refdiff_ros.evaluation.online.schedule import Play


@dataclass(frozen=True)
class Event:
    """Something to send.

    Attributes:
        at_ns: when, on the bag's clock of recording.
        message: a message of the bag, or None.
        expression: the new standing expression, where there is no message.
    """

    at_ns: int
    message: Recorded | None = None
    expression: str = ''


def timeline(
    messages: Iterable[Recorded], index: Index, play: Play, lead_ns: int, tail_ns: int,
) -> Iterator[Event]:
    """The events of one play in the order of time, read from the bag as they are needed.

    A new expression is said `lead_ns` before the picture that is asked for it, so that it is there
    when the picture comes, but not before the middle of the gap to the picture before: that one
    is still asked for the old expression. `play.first` is not among the events. Images that are
    not in the index are left out: their stamps are not their own.

    Args:
        messages: of the bag, in the order of recording.
        index: of the same topics of the bag.
        play: what is asked.
        lead_ns: 0 or more.
        tail_ns: how far to go on after the last picture that is asked for something, so that it
            is one among others like the rest.
    """
    pictures = {picture.image for picture in index.pictures}
    waiting: list[tuple[int, int, Event]] = []
    standing, before_ns, end_ns = play.first, 0, None
    for message in messages:
        at_ns, order = message.recorded_ns, 2 * message.number
        if end_ns is not None and at_ns > end_ns:
            break
        if message.number in pictures:
            wanted = play.asked.get(message.number, standing)
            if wanted != standing:
                said_ns = max(at_ns - lead_ns, (before_ns + at_ns) // 2)
                heapq.heappush(waiting, (said_ns, order - 1, Event(said_ns, expression=wanted)))
                standing = wanted
            if message.number == play.last:
                end_ns = at_ns + tail_ns
            before_ns = at_ns
        elif message.topic in index.topics.images:
            continue
        heapq.heappush(waiting, (at_ns, order, Event(at_ns, message)))
        # What is still to be read is said no earlier.
        while waiting and waiting[0][0] <= at_ns - lead_ns:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
