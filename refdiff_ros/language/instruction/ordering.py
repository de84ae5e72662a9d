"""Words that say in which order steps are done: 'before you ...', 'after moving ...', 'but first'.

A clause that begins with such a word is read like a command; then its steps are moved to where
they are done. 'Don't take the ball before you have moved the box' forbids nothing: it is an order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import enum

from refdiff_ros.language.instruction.frames import frame_of
from refdiff_ros.language.instruction.step import ClauseReading


class Order(enum.Enum):
    """When the steps of a clause are done, by the clause that they go with.

    LATER: after it ('before you take the ball, ...'); EARLIER: before it ('after moving the box',
    'once you have ...', '... but first ...'); UNTIL: before it where it is negated ('do not ...
    until you have ...').
    """

    LATER = 'later'
    EARLIER = 'earlier'
    UNTIL = 'until'


_WORDS: dict[tuple[str, ...], Order] = {
    ('before',): Order.LATER, ('prior', 'to'): Order.LATER, ('after',): Order.EARLIER,
    ('once',): Order.EARLIER, ('as', 'soon', 'as'): Order.EARLIER,
    ('when',): Order.EARLIER, ('until',): Order.UNTIL, ('till',): Order.UNTIL}
_FIRST: tuple[tuple[str, ...], ...] = (
    ('but', 'first', 'of', 'all'), ('but', 'before', 'that'), ('but', 'first'), ('before', 'that'))
_LEADING = frozenset('and but then please'.split())
_SUBJECTS = frozenset('you we'.split())
_AUXILIARIES = frozenset(
    'have has had are be been done finished ready already just to can could will actually'.split())


@dataclass(frozen=True)
class Connective:
    """A word of order: the order, the row of the first word after it, and whether a verb in any
    inflection follows ('taken', 'moving').
    """

    order: Order
    end: int
    inflected: bool = True


def connective_at(lower: Sequence[str], row: int, end: int) -> Connective | None:
    """The word of order at `row`, with its subject; None where no verb follows.

    Args:
        lower: words in lower case.
        row: where it may stand.
        end: the row after the last word.
    """
    for words in _FIRST:
        after = row + len(words)
        if tuple(lower[row:after]) == words and after < end:
            return Connective(Order.EARLIER, after, inflected=False)
    while row < end and lower[row] in _LEADING:
        row += 1
    for words, order in _WORDS.items():
        if tuple(lower[row:row + len(words)]) == words:
            return _with_verb(lower, row + len(words), end, order)
    return None


def _with_verb(lower: Sequence[str], row: int, end: int, order: Order) -> Connective | None:
    subject = row < end and lower[row] in _SUBJECTS
    row += subject
    helped = row
    while row < end and lower[row] in _AUXILIARIES:
        row += 1
    frame = frame_of(lower[row]) if row + 1 < end else None
    if frame is None:
        return None
    gerund = lower[row].endswith('ing')
    done = row > helped or lower[row] == frame.verb and order is Order.LATER
    return Connective(order, row) if gerund or subject and (done or frame.verb != 'see') else None


def in_order(readings: Sequence[ClauseReading]) -> list[int]:
    """The rows of the readings in the order in which their steps are done."""
    done: list[int] = []
    later: list[int] = []
    for row, reading in enumerate(readings):
        if reading.opens_sentence:
            done, later = done + later, []
        following = readings[row + 1] if row + 1 < len(readings) else None
        goes_on = following is not None and not following.opens_sentence and (
            not following.joined or not _before(readings, done, row))
        before = _before(readings, done, row)
        if reading.order is Order.LATER and goes_on:
            later.append(row)
        elif reading.order is not None and reading.order is not Order.LATER and before and (
                not goes_on or reading.joined):
            done.insert(done.index(before[-1]), row)
        else:
            done.append(row)
    return done + later


def _before(readings: Sequence[ClauseReading], done: Sequence[int], row: int) -> list[int]:
    """The rows of the same sentence that ask for something and come before."""
    start = max((at for at in range(row + 1) if readings[at].opens_sentence), default=0)
    return [at for at in done if at >= start and (readings[at].steps or readings[at].denied)]


def without_denial(readings: Sequence[ClauseReading]) -> list[ClauseReading]:
    """'do not take it | before you have moved the box' takes it, after that."""
    found: list[ClauseReading] = []
    for reading in readings:
        if reading.order in (Order.LATER, Order.UNTIL) and found and found[-1].denied \
                and not reading.opens_sentence and reading.steps:
            found[-1] = replace(found[-1], steps=found[-1].denied, forbidden=(), denied=())
            reading = replace(reading, order=Order.EARLIER)
        found.append(reading)
    return found
