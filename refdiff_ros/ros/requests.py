"""What is asked of the node: the standing expression, and calls that wait their turn."""

from collections import deque
from dataclasses import dataclass
import threading
from typing import Any

from refdiff_ros.results import Status


@dataclass(frozen=True)
class Standing:
    """The standing expression, which every new frame is answered for.

    Attributes:
        text: as it was said; '' for none.
        number: counts what was said, so that a sentence which is cleared and said again is
            another question.
        said_s: when it came, seconds on the monotonic clock.
    """

    text: str = ''
    number: int = 0
    said_s: float = 0.0


@dataclass(frozen=True)
class Refusal:
    """Why a question is not put to the models: a status and a sentence that says what to do."""

    status: Status
    reason: str


@dataclass(frozen=True)
class PendingRequest:
    """One call that has not been answered.

    Attributes:
        request: the service's request message.
        reply_to: what the answer is addressed with.
        received_s: when it came, seconds on the monotonic clock.
        deadline_s: when its turn must have come, seconds on the monotonic clock.
    """

    request: Any
    reply_to: Any
    received_s: float
    deadline_s: float


class RequestQueue:
    """First come, first served, from any thread."""

    def __init__(self):
        self._waiting: deque[PendingRequest] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> PendingRequest | None:
        """The longest-waiting request, which stays, or None."""
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def push(self, pending: PendingRequest, limit: int) -> bool:
        """Queue `pending`; False, and not queued, when `limit` requests wait already."""
        with self._lock:
            if len(self._waiting) >= limit:
                return False
            self._waiting.append(pending)
            return True

    def pop(self) -> PendingRequest | None:
        """The longest-waiting request, or None."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def expire(self, now_s: float) -> list[PendingRequest]:
        """Take out the requests whose deadline has passed, oldest first."""
        with self._lock:
            late = [pending for pending in self._waiting if pending.deadline_s <= now_s]
            self._waiting = deque(p for p in self._waiting if p.deadline_s > now_s)
            return late

    def drain(self) -> list[PendingRequest]:
        """Take out all requests, oldest first."""
        with self._lock:
            everyone = list(self._waiting)
            self._waiting.clear()
            return everyone
