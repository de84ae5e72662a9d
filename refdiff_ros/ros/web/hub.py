"""What the operator page shows now, and who looks at it.

Made for a node that must not notice it: what the node hands over is a reference, taken up on the
server's own thread; pictures are made only while somebody looks, one for all; and a browser that
cannot keep up gets the newest picture next, never a queue of old ones.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
import logging
import time
from typing import Any

from refdiff_ros.console import to_json
from refdiff_ros.pictures.header import MAX_MEGAPIXELS
from refdiff_ros.results import Status
from refdiff_ros.ros.answers import Answer, Origin
from refdiff_ros.ros.decoding import picture_of
from refdiff_ros.ros.frame_sync import FrameSet
from refdiff_ros.ros.web.answer_view import answer_message, Shown
from refdiff_ros.ros.web.follower_link import FollowerLink
from refdiff_ros.ros.web.pictures import jpeg, pack, waited

_LOG = logging.getLogger(__name__)

# Camera pictures at most this often; and after this long without an answer, or thrice the last
# one's latency, they are shown even to those who look at answered frames alone.
_FRAME_PERIOD_S = 0.1
_QUIET_S = 2.0


Tell = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Robot:
    """What the page may ask of the node, from the server's threads.

    Attributes:
        say: sets the standing expression, '' for none; returns why it cannot, or ''.
        select: publishes the region that the operator chose; returns the topic's name.
        newest: the newest frame, or None.
        expression: the standing expression now.
        max_megapixels: a larger camera picture is not decoded.
        follower: gives the line to the node of that name which follows orders; it tells what
            changes there.
    """

    say: Callable[[str], str]
    select: Callable[[Answer], str]
    newest: Callable[[], FrameSet | None]
    expression: Callable[[], str]
    max_megapixels: Callable[[], float] = lambda: MAX_MEGAPIXELS
    follower: Callable[[str, Tell], FollowerLink] | None = None


@dataclass(eq=False)
class Viewer:
    """One browser.

    Attributes:
        live: whether it wants each camera picture, and not those of answers alone.
        attention: whether it wants the attention.
        ready: whether it has shown the last picture.
    """

    live: bool = False
    attention: bool = False
    ready: bool = True
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _newest: dict[str, str] = field(default_factory=dict)
    _results: deque[str] = field(default_factory=lambda: deque(maxlen=16))
    _pictures: dict[str, tuple[float, bytes]] = field(default_factory=dict)

    def tell(self, what: str, values: dict[str, Any]) -> None:
        """A message of which only the newest of its kind counts; 'done' is sent each time."""
        text = to_json({'what': what, **values}, compact=True)
        if what == 'done':
            self._results.append(text)
        else:
            self._newest[what] = text
        self.wake.set()

    def show(self, what: str, data: bytes) -> None:
        """A picture, in place of one of its kind that still waits."""
        self._pictures[what] = time.monotonic(), data
        self.wake.set()

    def texts(self) -> list[str]:
        """Take the messages that wait."""
        waiting = [*self._newest.values(), *self._results]
        self._newest.clear()
        self._results.clear()
        return waiting

    def picture(self) -> bytes | None:
        """Take the picture to send next, once the last one is shown; answers come first."""
        if not self.ready:
            return None
        for what in ('answer', 'frame'):
            if what in self._pictures:
                self.ready = False
                made_s, data = self._pictures.pop(what)
                return waited(time.monotonic() - made_s) + data
        return None


class Hub:
    """Takes what the node has, and hands it to the browsers.

    `offer`, `frame_came`, `said`, `tell` and `report` may be called from any thread and return at
    once; everything else belongs to the loop's thread.
    """

    def __init__(self, robot: Robot, loop: asyncio.AbstractEventLoop):
        self.robot = robot
        self.follower: FollowerLink | None = None
        self.viewers: set[Viewer] = set()
        self._loop = loop
        self._shown: Shown | None = None
        self._report: Any = None
        self._count = 0
        self._frame_number = 0
        self._answered_s = -_QUIET_S
        self._answer_came, self._frame_here = asyncio.Event(), asyncio.Event()
        self._encoder = ThreadPoolExecutor(1, 'refdiff_page_pictures')
        self._problem = ''

    # From the node's threads

    def offer(self, answer: Answer, candidates: int, standing: bool) -> None:
        """A new answer; it is kept for the next one who looks.

        One that was carried on gives way to a full one where candidates are to be clicked, which
        must hold still, or where somebody looks at the attention, which only a full one has.
        """
        if answer.origin is Origin.CARRIED and (
                answer.status is Status.AMBIGUOUS or any(v.attention for v in self.viewers)):
            return
        self._count += 1
        self._shown = Shown(answer, self._count, answer.latency_ms, candidates, standing)
        if self.viewers:
            self._soon(self._answer_came.set)

    def frame_came(self) -> None:
        """A new camera picture is there."""
        if self.viewers:
            self._soon(self._frame_here.set)

    def said(self, text: str) -> None:
        """The standing expression is another one; '' for none, and then no answer holds."""
        if not text:
            self._shown = None
        self._soon(self._tell_all, 'said', {'text': text})

    def tell(self, what: str, values: dict[str, Any]) -> None:
        """What the node that follows orders does now."""
        if self.viewers:
            self._soon(self._tell_all, what, values)

    def report(self, array: Any) -> None:
        """The newest `DiagnosticArray` of the node."""
        self._report = array
        if self.viewers:
            self._soon(self._tell_state)
            if self.follower is not None:
                self.follower.check()

    def _soon(self, call: Callable[..., None], *args: Any) -> None:
        with suppress(RuntimeError):  # the server is ending
            self._loop.call_soon_threadsafe(call, *args)

    # On the loop

    @property
    def shown(self) -> Shown | None:
        """The newest answer, or None."""
        return self._shown

    async def run(self) -> None:
        """Make pictures until cancelled."""
        try:
            await asyncio.gather(self._make_answers(), self._make_frames())
        finally:
            self._encoder.shutdown(wait=False)

    def join(self, viewer: Viewer) -> None:
        """Somebody looks: tell them what there is."""
        self.viewers.add(viewer)
        viewer.tell('said', {'text': self.robot.expression()})
        for what, values in () if self.follower is None else self.follower.messages:
            viewer.tell(what, values)
        if self._report is not None:
            viewer.tell('state', state_of(self._report))
        self.refresh()

    def refresh(self) -> None:
        """Make the newest pictures again."""
        self._frame_number = 0
        self._answer_came.set()
        self._frame_here.set()

    def _tell_all(self, what: str, values: dict[str, Any]) -> None:
        for viewer in self.viewers:
            viewer.tell(what, values)

    def _tell_state(self) -> None:
        self._tell_all('state', state_of(self._report))

    async def _make_answers(self) -> None:
        while True:
            await self._answer_came.wait()
            self._answer_came.clear()
            shown = self._shown
            if shown is None or not self.viewers:
                continue
            data = await self._encode(
                answer_message, shown, any(viewer.attention for viewer in self.viewers))
            if data and shown.answer.frame is not None:
                self._answered_s = time.monotonic()
            for viewer in self.viewers if data else ():
                viewer.show('answer', data)

    async def _make_frames(self) -> None:
        while True:
            await self._frame_here.wait()
            self._frame_here.clear()
            latency_s = self._shown.latency_ms * 1e-3 if self._shown else 0.0
            quiet = time.monotonic() - self._answered_s > max(_QUIET_S, 3 * latency_s)
            wanting = [viewer for viewer in self.viewers if viewer.live or quiet]
            frame_set = self.robot.newest() if wanting else None
            if frame_set is None or frame_set.number == self._frame_number:
                continue
            self._frame_number = frame_set.number
            data = await self._encode(
                frame_message, frame_set, self.robot.max_megapixels())
            for viewer in wanting if data else ():
                viewer.show('frame', data)
            await asyncio.sleep(_FRAME_PERIOD_S)

    async def _encode(self, make: Callable[..., bytes], *args: Any) -> bytes:
        try:
            return await self._loop.run_in_executor(self._encoder, make, *args)
        except Exception as error:  # a picture that cannot be made must end nothing
            if str(error) != self._problem:
                self._problem = str(error)
                _LOG.warning('no picture for the operator page: %s', error)
            return b''


def frame_message(frame_set: FrameSet, max_megapixels: float = MAX_MEGAPIXELS) -> bytes:
    """The binary message of a camera picture; one over `max_megapixels` is not decoded."""
    image_rgb = picture_of(frame_set, max_megapixels)
    picture = jpeg(image_rgb)
    return pack({
        'what': 'frame', 'number': frame_set.number, 'size': list(image_rgb.shape[1::-1]),
        'age_ms': (time.monotonic() - frame_set.received_s) * 1e3}, [picture])


def state_of(array: Any) -> dict[str, Any]:
    """What the page shows of a `DiagnosticArray`: the sentences of /diagnostics and rates."""
    parts = {status.name.rpartition(': ')[2]: status for status in array.status}
    values = {name: {pair.key: pair.value for pair in status.values}
              for name, status in parts.items()}
    answers = values['answers']
    return {
        'node': array.status[0].name.rpartition(': ')[0],
        'lifecycle': answers['lifecycle state'],
        'silence': answers['reason for silence'],
        'models': parts['models'].message,
        'loaded': values['models']['state'],
        'images_hz': answers['images per second'],
        'answers_hz': answers['answers per second'],
        'waiting': answers['calls waiting'],
        'memory_mb': values['models']['resident memory MB'],
    }
