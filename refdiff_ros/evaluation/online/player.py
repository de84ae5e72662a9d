"""Playing a bag to a node with the bag's own timing, and writing down what goes out and comes in.

Stamps stay as they are in the bag, so that answers, which carry the stamp of their image, pair
with labels. Nothing needs a `/clock`: the node never compares a header's stamp with the time. What
is old it tells by when it came, and depth and camera_info are paired with images by stamps of the
same bag. Durations are those of the monotonic clock.

By hand, since `ros2 bag play` is in no wheel, and does not say what stood when a picture went.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
import struct
import time
from typing import Protocol

from refdiff_ros.errors import RefDiffError
from refdiff_ros.evaluation.bags.pairing import Topics
from refdiff_ros.evaluation.bags.reading import Recorded
from refdiff_ros.evaluation.online.answer_bag import AnswerBagWriter, RecordingClock
from refdiff_ros.evaluation.online.timeline import Event
from refdiff_ros.evaluation.online.topics import (
    DIAGNOSTICS,
    EXPRESSION,
    FRAME,
    MASK,
    PlayedFrame,
)

_LOOK_S = 0.05
# Before the first picture of a play, for its expression to arrive.
_RUN_IN_S = 0.2
# The answer to a play's last picture is waited for until nothing has come for this long and for so
# many times the slowest answer; the very first answer has its own patience.
_SILENCE_S, _SLOWEST_TIMES = 10.0, 3.0


class Graph(Protocol):
    """What the player sends to; see `refdiff_ros.evaluation.online.replay_graph`."""

    def send(self, role: str, data: bytes) -> None:
        """Publish a serialised message."""

    def say(self, text: str) -> None:
        """Publish a standing expression."""


@dataclass
class Player:
    """Plays events to `graph` and records them; answers are recorded by `heard`.

    Attributes:
        graph, writer: where messages go, and where what went and came is written.
        topics: of the bag.
        as_cdr: gives a message of the bag as ROS 2 sends it.
        rate: how many times as fast as the bag was recorded.
        patience_s: how long the very first answer may take.
        watch: called again and again; raises when something has ended.
        on_frame: called after each picture.
        frames: pictures sent so far.
        diagnoses: how many have come.
        left_out: why messages could not be sent, by topic, with how many.
    """

    graph: Graph
    writer: AnswerBagWriter
    topics: Topics
    as_cdr: Callable[[Recorded], bytes]
    rate: float
    patience_s: float
    watch: Callable[[], None]
    on_frame: Callable[[], None] = lambda: None
    frames: int = 0
    diagnoses: int = 0
    left_out: dict[str, tuple[str, int]] = field(default_factory=dict)
    _clock: RecordingClock = field(default_factory=RecordingClock)
    _play: int = 0
    _standing: str = ''
    _sent_s: dict[int, float] = field(default_factory=dict)
    _slowest_s: float = 0.0
    _last_stamp_ns: int = -1
    _answered_s: float = 0.0
    _last_answered: bool = False
    _failure: RefDiffError | None = None

    def heard(self, topic: str, data: bytes) -> None:
        """Record an answer; called on another thread."""
        now_s = time.monotonic()
        if topic == DIAGNOSTICS:
            self.diagnoses += 1
        if topic == MASK:
            stamp_ns = _stamp_ns(data)
            self._answered_s = now_s
            sent_s = self._sent_s.pop(stamp_ns, now_s)
            self._slowest_s = max(self._slowest_s, now_s - sent_s)
            if stamp_ns == self._last_stamp_ns:
                self._last_answered = True
        try:
            self.writer.write(topic, self._clock.at_ns(now_s), data)
        except RefDiffError as error:
            self._failure = error

    def play(self, events: Iterable[Event], first: str) -> None:
        """Send the events of one play, and wait for the answer to its last picture.

        Args:
            events: in the order of time.
            first: the expression that stands from the beginning.

        Raises:
            RefDiffError: something has ended, the bag is damaged, or answers cannot be recorded.
        """
        self._play += 1
        self._last_stamp_ns, self._last_answered = -1, False
        self._sent_s.clear()
        self._say(first)
        self._sleep_until(time.monotonic() + _RUN_IN_S)
        began_s, began_ns = None, 0
        for event in events:
            if began_s is None:
                began_s, began_ns = time.monotonic(), event.at_ns
            due_s = began_s + (event.at_ns - began_ns) * 1e-9 / self.rate
            self._sleep_until(due_s)
            if event.message is None:
                self._say(event.expression)
            else:
                self._send(event.message, due_s)
        self._wait_for_last_answer()
        self._say('')

    def _say(self, text: str) -> None:
        self._standing = text
        self.writer.write_text(EXPRESSION, self._clock.at_ns(), text)
        self.graph.say(text)

    def _send(self, message: Recorded, due_s: float) -> None:
        try:
            data = self.as_cdr(message)
        except RefDiffError as error:
            reason, count = self.left_out.get(message.topic, (str(error), 0))
            self.left_out[message.topic] = reason, count + 1
            return
        role = {self.topics.depth: 'depth', self.topics.info: 'camera_info'}.get(
            message.topic, 'image')
        if role == 'image':
            self._note_frame(message, due_s)
        self.graph.send(role, data)
        if role == 'image':
            self.on_frame()

    def _note_frame(self, message: Recorded, due_s: float) -> None:
        now_s = time.monotonic()
        self._sent_s[message.stamp_ns] = now_s
        self._last_stamp_ns, self._last_answered = message.stamp_ns, False
        self.frames += 1
        frame = PlayedFrame(message.stamp_ns, message.topic, self._play, self._standing,
                            round((now_s - due_s) * 1e3, 3))
        self.writer.write_text(FRAME, self._clock.at_ns(now_s), frame.as_text())

    def _sleep_until(self, due_s: float) -> None:
        while True:
            self._look()
            left_s = due_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, _LOOK_S))

    def _wait_for_last_answer(self) -> None:
        sent_s = time.monotonic()
        while self._last_stamp_ns >= 0 and not self._last_answered:
            self._look()
            patience_s = max(_SILENCE_S, _SLOWEST_TIMES * self._slowest_s) \
                if self._answered_s else self.patience_s
            if time.monotonic() - max(sent_s, self._answered_s) > patience_s:
                return
            time.sleep(_LOOK_S)

    def _look(self) -> None:
        if self._failure is not None:
            raise self._failure
        self.watch()


def _stamp_ns(data: bytes) -> int:
    """The stamp of a serialised message that starts with a header; 0 for one too short."""
    if len(data) < 12:
        return 0
    seconds, nanoseconds = struct.unpack_from('<iI' if data[1] & 1 else '>iI', data, 4)
    return seconds * 1_000_000_000 + nanoseconds
