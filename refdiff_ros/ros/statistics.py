"""Counts and rates of what the node did, for diagnostics."""

from collections import Counter, deque
from dataclasses import dataclass, field
import threading
import time

from refdiff_ros.results import Status
from refdiff_ros.ros.answers import Answer

_WINDOW_S = 5.0


class Rate:
    """Events per second over the last five seconds."""

    def __init__(self):
        self._times: deque[float] = deque(maxlen=10_000)

    def tick(self) -> None:
        """One event, now."""
        self._times.append(time.monotonic())

    def hz(self) -> float:
        """Events per second."""
        since = time.monotonic() - _WINDOW_S
        return sum(1 for t in list(self._times) if t > since) / _WINDOW_S


@dataclass
class Statistics:
    """What diagnostics tells of the answers.

    Attributes:
        images, answers, carried: rates; carried answers are not among the answers.
        by_status: answers since the start per status, calls and standing expression together.
        last: the last answer's status and reason.
        last_notes: what it left out or did otherwise, such as depth that did not fit.
        last_latency_ms, last_model_ms: of the last answer that the models gave.
        last_answer_s: when it went out, on the monotonic clock; 0 before the first.
    """

    images: Rate = field(default_factory=Rate)
    answers: Rate = field(default_factory=Rate)
    carried: Rate = field(default_factory=Rate)
    by_status: Counter = field(default_factory=Counter)
    last: tuple[Status, str] = (Status.UNKNOWN, '')
    last_notes: tuple[str, ...] = ()
    last_latency_ms: float = 0.0
    last_model_ms: float = 0.0
    last_answer_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, source: str, answer: Answer) -> None:
        """Count one answer; `source` is 'service' or 'topic'."""
        with self._lock:
            self.answers.tick()
            self.by_status[answer.status] += 1
            self.by_status[source] += 1
            self.last = (answer.status, answer.reason)
            self.last_notes = answer.notes
            if answer.model_ms:
                self.last_latency_ms = answer.latency_ms
                self.last_model_ms = answer.model_ms
                self.last_answer_s = time.monotonic()
