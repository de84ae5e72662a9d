"""What the operator page turned away: counted, and logged in one line every half minute."""

from collections import Counter
from collections.abc import Callable
import logging
from typing import Any

_LOG = logging.getLogger(__name__)
_HTTP_LOG = logging.getLogger(f'{__name__}.http')
PERIOD_S = 30.0


class Refusals:
    """Counts by kind and by address.

    Args:
        call_later: calls a function after so many seconds, as an event loop does.
    """

    def __init__(self, call_later: Callable[[float, Callable[[], None]], object]):
        self._call_later = call_later
        self._kinds: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    def count(self, kind: str, address: str) -> None:
        """One more.

        Args:
            kind: what it was, in words that go after a number: 'wrong tokens'.
            address: where it came from.
        """
        if not self._kinds:
            self._call_later(PERIOD_S, self.report)
        self._kinds[kind] += 1
        self._addresses[address] += 1

    def report(self) -> None:
        """Log what there was since the last line, if anything."""
        if not self._kinds:
            return
        kinds = ', '.join(f'{number} {kind}' for kind, number in self._kinds.most_common())
        [(busiest, most)] = self._addresses.most_common(1)
        _LOG.warning('operator page: turned away in %.0f s: %s; %d of them from %s, %d addresses '
                     'in all', PERIOD_S, kinds, most, busiest, len(self._addresses))
        self._kinds.clear()
        self._addresses.clear()


def http_log(refusals: Refusals) -> 'logging.LoggerAdapter[logging.Logger]':
    """A logger for aiohttp, which tells of each request that is no HTTP with a traceback."""
    return _HttpLog(refusals)


class _HttpLog(logging.LoggerAdapter[logging.Logger]):
    """Counts what a stranger did wrong, and logs what the server did."""

    def __init__(self, refusals: Refusals):
        super().__init__(_HTTP_LOG)
        self._refusals = refusals

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Count or log one record."""
        from aiohttp.http_exceptions import HttpProcessingError

        if isinstance(kwargs.get('exc_info'), HttpProcessingError):
            self._refusals.count('requests that are no HTTP', str(args[0]) if args else 'anybody')
        else:
            super().log(level, msg, *args, **kwargs)
