"""What the worker does next: service calls first, then the standing expression."""

from collections.abc import Callable
import threading
import time
from typing import Any, TYPE_CHECKING

from rclpy.clock import Clock

from refdiff_ros.results import Status
from refdiff_ros.ros.answers import Answer, answer, failure, prefetch
from refdiff_ros.ros.frame_sync import FrameSet, FrameSync
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.ros.requests import PendingRequest, Refusal, RequestQueue, Standing
from refdiff_ros.ros.statistics import Statistics
from refdiff_ros.ros.worker import Job, Wait

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine


class Dispatch:
    """Chooses and runs the worker's jobs.

    Attributes:
        engine: the loaded engine, or None.
        active: whether answers may be given.
        config: the current parameters; replaced as a whole, read once per answer.
        queue: service calls that wait.
    """

    def __init__(
        self,
        clock: Clock,
        sync: FrameSync,
        config: NodeConfig,
        statistics: Statistics,
        reply: Callable[[PendingRequest, Answer, NodeConfig], None],
        publish: Callable[[Answer, NodeConfig], None],
    ):
        self.engine: Engine | None = None
        self.active = False
        self.config = config
        self.queue = RequestQueue()
        self._clock = clock
        self._sync = sync
        self._statistics = statistics
        self._reply = reply
        self._publish = publish
        self._lock = threading.Lock()
        self._standing = Standing()
        self._answered_number = 0  # of the newest frame that was answered for it
        self._started_s = -float('inf')
        self._prepared: FrameSet | None = None
        self._served: PendingRequest | None = None  # the call that the models answer now

    @property
    def standing(self) -> Standing:
        """The standing expression; its text is '' for none."""
        return self._standing

    def set_expression(self, text: str) -> Standing:
        """Answer each new frame, and the newest one there is, for `text`; empty for no more."""
        with self._lock:
            self._standing = Standing(
                text.strip(), self._standing.number + 1, time.monotonic())
            self._answered_number = 0
            return self._standing

    def next_job(self) -> Job | Wait | None:
        """A job, how long to wait for one, or None to wait for a wake-up."""
        if self.engine is None or not self.active:
            return None
        now_s = time.monotonic()
        due_s = max(self._sync.depth_due_s(self.config.sync_tolerance, now_s),
                    self._sync.first_due_s(self.config.first_wait, now_s))
        first = self.queue.first
        if first is not None:
            if due_s > 0 and not _has_image(first.request):
                return Wait(due_s)
            pending = self.queue.pop()
            if pending is not None:
                return lambda: self._serve(pending)
        with self._lock:
            standing, answered = self._standing, self._answered_number
        if not standing.text:
            return self._next_prefetch(due_s)
        wait_s = self._started_s + 1 / self.config.max_rate - time.monotonic()
        if wait_s > 0:
            return Wait(wait_s)
        # A frame that came after the expression is answered however long the worker was busy.
        newest = self.newest_frame(since_s=standing.said_s)
        if isinstance(newest, Refusal) or newest.number <= answered:
            return None
        return Wait(due_s) if due_s > 0 else lambda: self._stand(standing, newest)

    def _next_prefetch(self, due_s: float) -> Job | Wait | None:
        """Prepare the newest frame, as it is not known what will be asked of it."""
        config = self.config
        if not config.prefetch:
            self._prepared = None
            return None
        wait_s = self._started_s + 1 / config.max_rate - time.monotonic()
        if wait_s > 0:
            return Wait(wait_s)
        newest = self.newest_frame()
        if isinstance(newest, Refusal) or newest is self._prepared or (
                self._prepared is not None and newest.number <= self._prepared.number):
            return None
        return Wait(due_s) if due_s > 0 else lambda: self._prefetch(newest, config)

    def _prefetch(self, frame_set: FrameSet, config: NodeConfig) -> None:
        engine = self.engine
        if engine is not None:
            self._started_s = time.monotonic()
            prefetch(engine, frame_set, config)
            self._prepared = frame_set

    def newest_frame(self, since_s: float = float('inf')) -> FrameSet | Refusal:
        """The newest frame, or why there is none.

        A frame received after `since_s` on the monotonic clock may be of any age.
        """
        config = self.config
        frame_set = self._sync.newest(config.sync_tolerance, time.monotonic())
        if frame_set is not None:
            age_s = (self._clock.now().nanoseconds - frame_set.received_ns) * 1e-9
            # The clock was set back: what came before is of another time. Half a second is left
            # to a system clock that is being corrected.
            if age_s < -0.5:
                self._sync.clear()
                frame_set = None
        if frame_set is None:
            return Refusal(
                Status.NO_IMAGE, 'no image has come yet: start the camera, check the '
                "remapping of 'image' and see /diagnostics")
        if age_s > config.max_age and frame_set.received_s < since_s:
            return Refusal(
                Status.STALE_IMAGE,
                f'expected an image of the last {config.max_age:g} s, the newest came '
                f'{age_s:.1f} s ago: check the camera or raise max_age')
        return frame_set

    def refuse(self, pending: PendingRequest, refusal: Refusal) -> None:
        """Answer a call without asking the models."""
        config, engine = self.config, self.engine
        self._finish_call(pending, Answer(
            refusal.status, refusal.reason, pending.request.expression,
            header=pending.request.image.header,
            bundle=engine.models.name if engine else config.bundle, preset=config.preset,
            mode=config.mode, received_s=pending.received_s), config)

    def refuse_all(self, refusal: Refusal) -> None:
        """Answer every call that waits without asking the models."""
        for pending in self.queue.drain():
            self.refuse(pending, refusal)

    def give_up(self, refusal: Refusal) -> None:
        """Answer the call that the models are at; what they find after all is not sent."""
        pending = self._take_served()
        if pending is not None:
            self.refuse(pending, refusal)

    def expire(self) -> None:
        """Answer TIMEOUT to the calls whose deadline has passed."""
        for pending in self.queue.expire(time.monotonic()):
            waited_s = time.monotonic() - pending.received_s
            self.refuse(pending, Refusal(
                Status.TIMEOUT,
                f'the turn of this call did not come within {waited_s:.1f} s: ask less often, '
                'raise timeout, or use a faster preset or bundle'))

    def _serve(self, pending: PendingRequest) -> None:
        if pending.deadline_s <= time.monotonic():
            self.refuse(pending, Refusal(
                Status.TIMEOUT, 'the turn of this call came after its deadline: ask less often, '
                'raise timeout, or use a faster preset or bundle'))
            return
        engine, frame_set = self.engine, self._frame_of(pending)
        if engine is None:
            self.refuse(pending, Refusal(Status.INACTIVE, 'the node was deactivated'))
            return
        if isinstance(frame_set, Refusal):
            self.refuse(pending, frame_set)
            return
        config = self.config
        received_s = max(pending.received_s, frame_set.received_s)
        with self._lock:
            self._served = pending
        result = answer(engine, frame_set, pending.request.expression, config, received_s)
        if self._served is pending:  # not given up in between
            self._send(pending, result, config)
        self._take_served()

    def _send(self, pending: PendingRequest, result: Answer, config: NodeConfig) -> None:
        try:
            self._finish_call(pending, result, config)
        except BaseException as error:  # while the message was made
            self.refuse(pending, Refusal(*failure(error, pending.request.expression)))

    def _take_served(self) -> PendingRequest | None:
        with self._lock:
            pending, self._served = self._served, None
        return pending

    def _frame_of(self, pending: PendingRequest) -> FrameSet | Refusal:
        request = pending.request
        if not _has_image(request):
            newest = self.newest_frame()
            prepared = self._ready_frame()
            return newest if prepared is None or isinstance(newest, Refusal) else prepared
        return FrameSet(
            image=request.image, depth=request.depth, camera_info=request.camera_info,
            received_s=pending.received_s)

    def _ready_frame(self) -> FrameSet | None:
        """A frame that was prepared and that a call may still be answered on; None without."""
        prepared, config = self._prepared, self.config
        if prepared is None or not config.prefetch:
            return None
        return prepared if time.monotonic() - prepared.received_s <= config.max_age else None

    def _finish_call(self, pending: PendingRequest, result: Answer, config: NodeConfig) -> None:
        self._statistics.answered('service', result)
        self._reply(pending, result, config)

    def _stand(self, standing: Standing, frame_set: FrameSet) -> None:
        config, engine = self.config, self.engine
        if engine is None:
            return
        self._started_s = time.monotonic()
        result = answer(
            engine, frame_set, standing.text, config, frame_set.received_s, standing.number)
        with self._lock:
            if self._standing.number == standing.number:
                self._answered_number = frame_set.number
        if self.active:
            self._statistics.answered('topic', result)
            self._publish(result, config)


def _has_image(request: Any) -> bool:
    image = request.image
    return bool(image.data or image.width or image.height)
