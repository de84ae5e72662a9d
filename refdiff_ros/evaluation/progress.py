"""How far a long run is: a line now and then, with its rate and the time left."""

from collections.abc import Callable
import sys
import time

_TELL_EVERY_S = 10.0


class Progress:
    """A line on stderr now and then.

    Args:
        counted: what is counted, 'case'.
        done: how many an earlier run has done; they count for how far it is, not for its rate.
        clock: gives seconds.
    """

    def __init__(
        self, counted: str, done: int = 0, clock: Callable[[], float] = time.monotonic,
    ):
        self._counted, self._done, self._new, self._clock = counted, done, 0, clock
        self._began = self._told = clock()

    def step(self, count: int | None) -> None:
        """One more of `count` is done, or of an unknown number."""
        self._done += 1
        self._new += 1
        now = self._clock()
        if now - self._told < _TELL_EVERY_S and self._done != count:
            return
        self._told = now
        print(self._line(count, now - self._began), file=sys.stderr)

    def _line(self, count: int | None, passed_s: float) -> str:
        of = f' of {count}' if count else ''
        each_s = passed_s / self._new
        left_s = (count - self._done) * each_s if count else 0.0
        left = f', {span(left_s)} left' if count and self._done < count else ''
        return f'{self._counted} {self._done}{of}, {span(passed_s)}{_rate(each_s)}{left}'


def span(seconds: float) -> str:
    """A duration for people: '42 s', '12 min', '3.5 h'."""
    if seconds < 100:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 6000 else f'{seconds / 3600:.1f} h'


def _rate(each_s: float) -> str:
    if each_s <= 0:
        return ''
    return f', {1 / each_s:.3g}/s' if each_s < 1 else f', {each_s:.3g} s each'
