"""Replies that leave one after the other, so that no caller misses its own.

A service's replies all go to all of its clients: each client's reader takes those to everybody
else as well, drops them, and by default keeps the last ten that it has not looked at. Two hundred
refusals within a millisecond therefore push most callers' own replies out before they look.
"""

from collections import deque
from collections.abc import Callable
import logging
import threading
import time
from typing import NamedTuple

_LOG = logging.getLogger(__name__)

# Replies within the time that a caller may need to look; two fewer than its reader keeps.
_BURST = 8
# How long a caller may need to look, seconds, with few clients. Every client's process is woken by
# every reply: the more there are, the longer each needs on the same processors.
_LOOK_S = 0.2
_LOOK_PER_CLIENT_S = 0.002
# A caller that was just started may be heard before it can be reached: so often it is tried again,
# after so many seconds.
_TRIES, _AGAIN_S = 20, 0.25
# What waits when the node ends still leaves, in so many seconds.
_FLUSH_S = 1.0
# A reply needs its sender so long, in seconds: what a reader has received and not looked at goes
# when it hears that the sender is gone.
STAY_S = 0.3


class UnreachableError(Exception):
    """The caller cannot be reached yet."""


class _Reply(NamedTuple):
    send: Callable[[], None]
    tries: int
    not_before_s: float


class PacedReplies:
    """Sends replies from a thread of its own, never more than a client's reader keeps.

    Args:
        clients: how many clients the service has now.
    """

    def __init__(self, clients: Callable[[], int]):
        self._clients = clients
        self._answers: deque[_Reply] = deque()
        self._refusals: deque[_Reply] = deque()
        self._sent_s: deque[float] = deque(maxlen=_BURST)
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name='refdiff_replies', daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._answers) + len(self._refusals)

    def answer(self, reply: Callable[[], None]) -> None:
        """Call `reply`, which sends an answer, as soon as there is a place; returns at once.

        It is called again a little later when it raises `UnreachableError`.
        """
        self._push(self._answers, _Reply(reply, _TRIES, 0.0))

    def refuse(self, reply: Callable[[], None]) -> None:
        """As `answer`, behind all answers: refusals come in bursts."""
        self._push(self._refusals, _Reply(reply, _TRIES, 0.0))

    def _push(self, queue: deque[_Reply], reply: _Reply) -> None:
        with self._changed:
            queue.append(reply)
            self._changed.notify()

    def close(self) -> None:
        """Send what waits, faster than is safe, and end the thread.

        Returns when the last reply no longer needs its sender.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(2 * _FLUSH_S)
        if self._sent_s:
            time.sleep(max(0.0, self._sent_s[-1] + STAY_S - time.monotonic()))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: len(self) or self._closing)
                if not len(self):
                    return
                queue = self._answers or self._refusals
                wait_s = self._due_s(queue[0])
                if wait_s > 0:
                    self._changed.wait(wait_s)
                    continue
                reply = queue.popleft()
                self._sent_s.append(time.monotonic())
            self._try(queue, reply)

    def _try(self, queue: deque[_Reply], reply: _Reply) -> None:
        try:
            reply.send()
        except UnreachableError:
            if reply.tries > 1 and not self._closing:
                self._push(queue, _Reply(
                    reply.send, reply.tries - 1, time.monotonic() + _AGAIN_S))
            else:
                _LOG.warning('a caller could not be reached: its call stays unanswered')
        except Exception:  # one caller that cannot be reached must not silence the others
            _LOG.exception('a reply could not be sent')

    def _due_s(self, reply: _Reply) -> float:
        """Seconds until `reply` may leave."""
        now_s, last_s = time.monotonic(), self._sent_s[-1] if self._sent_s else 0.0
        if self._closing:
            return last_s + _FLUSH_S / (len(self) + _BURST) - now_s
        due_s, clients = reply.not_before_s, self._clients()
        # One client alone has looked at each answer before it asks again.
        if len(self._sent_s) == _BURST and (clients > 1 or len(self) > 1):
            due_s = max(due_s, self._sent_s[0] + _LOOK_S + _LOOK_PER_CLIENT_S * clients)
        return due_s - now_s
