"""The same trouble for every frame, logged once and then counted."""

from collections.abc import Callable
import logging
import threading
import time
from typing import Any

PERIOD_S = 5.0
# What has not come for so long is logged anew, with its traceback.
_FORGOTTEN_S = 60.0


class RepeatFilter(logging.Filter):
    """Of warnings and errors from one place lets the first through, then a count every 5 s.

    A place is a line of the code, and for an exception where it was raised. Only the first has its
    traceback.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        # By place: when it was logged last, when it came last, and how often in between.
        self._places: dict[Any, tuple[float, float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is logged; a count is written into it."""
        if record.levelno < logging.WARNING:
            return True
        now_s, place = self._clock(), _place(record)
        with self._lock:
            logged_s, came_s, count = self._places.get(place, (0.0, -_FORGOTTEN_S, 0))
            if now_s - came_s >= _FORGOTTEN_S:
                self._places[place] = (now_s, now_s, 0)
                return True
            if now_s - logged_s < PERIOD_S:
                self._places[place] = (logged_s, now_s, count + 1)
                return False
            self._places[place] = (now_s, now_s, 0)
        record.msg = _counted(record, count + 1, now_s - logged_s)
        record.args, record.exc_info, record.exc_text = (), None, None
        return True


def _place(record: logging.LogRecord) -> tuple[Any, ...]:
    kind, _, trace = record.exc_info if record.exc_info else (None, None, None)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised = None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return record.pathname, record.lineno, kind, raised


def _counted(record: logging.LogRecord, count: int, seconds: float) -> str:
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        text = f'{text}: {type(error).__name__}: {error}'
    return f'{text} ({count} more in {seconds:.0f} s, not logged one by one)'
