"""Between full answers: the last one carried to each new frame, on a thread of its own."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
import logging
import threading
from typing import TYPE_CHECKING

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.results import Segmentation, Status
from refdiff_ros.ros.answers import Answer, carried_answer
from refdiff_ros.ros.decoding import decode, picture_of
from refdiff_ros.ros.frame_sync import FrameSet, FrameSync, stamp_ns
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.ros.requests import Standing
from refdiff_ros.ros.step_watch import RunningStep
from refdiff_ros.ros.worker import Job, Worker

if TYPE_CHECKING:
    from refdiff_ros.pictures.mask_flow import FlowStep, MaskFlow

_LOG = logging.getLogger(__name__)

# Frames kept to carry an answer over those that came while it was made; about 1 MB each.
_KEPT_FRAMES = 64


@dataclass(frozen=True)
class _Seen:
    """A frame that was looked at: stamp, receipt on the monotonic clock (stamps may stand still),
    (h, w) grey picture and the motion since the one before, None where it is not known.
    """

    stamp_ns: int
    received_s: float
    grey: np.ndarray
    step: 'FlowStep | None'

    def is_after(self, answer: Answer) -> bool:
        """Whether it came after the frame of `answer`, and of the same run of stamps."""
        return self.received_s > answer.received_s and self.stamp_ns >= stamp_ns(answer)


@dataclass(frozen=True)
class _Carrying:
    """A full answer, what it found, and how its regions have moved since."""

    answer: Answer
    result: Segmentation
    flow: 'MaskFlow'


class MaskTracker:
    """Carries the answer to the standing expression to the newest frame, as frames come.

    Args:
        sync: has the frames.
        config: the current parameters.
        publish: takes carried answers, on this thread.
        on_error: takes what must not happen.
    """

    def __init__(
        self,
        sync: FrameSync,
        config: Callable[[], NodeConfig],
        publish: Callable[[Answer, NodeConfig], None],
        on_error: Callable[[BaseException], None],
    ):
        self._sync, self._config, self._publish = sync, config, publish
        self._lock = threading.Lock()
        self._standing = Standing()
        self._given: Answer | None = None
        self._number = 0
        self._drop()
        self._worker = Worker(self._next_job, on_error)

    @property
    def looked_at(self) -> int:
        """Number of the newest frame that it has gone on to; 0 before the first."""
        return self._number

    def expect(self, standing: Standing) -> None:
        """A new standing expression; nothing is carried until its first answer."""
        with self._lock:
            self._standing, self._given = standing, None
        self._worker.submit(self._drop)

    def grounded(self, answer: Answer) -> None:
        """A full answer to the standing expression: carry this one from now on."""
        with self._lock:
            if answer.standing == self._standing.number:
                self._given = answer
        self._worker.wake()

    def frame_came(self) -> None:
        """There is a new frame."""
        if self._standing.text:
            self._worker.wake()

    def stop(self) -> None:
        """End the thread after its step."""
        self._worker.stop()

    @property
    def step(self) -> RunningStep | None:
        """What the thread is at, or None."""
        return self._worker.watch.step

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the thread has ended; False when `timeout_s` passed first."""
        return self._worker.join(timeout_s)

    # On the thread

    def _drop(self) -> None:
        self._carrying: _Carrying | None = None
        self._seen: deque[_Seen] = deque(maxlen=_KEPT_FRAMES)
        self._in_sight = True

    def _next_job(self) -> Job | None:
        config = self._config()
        if not config.follow or not self._standing.text:
            return None
        with self._lock:
            answer, self._given = self._given, None
        if answer is not None:
            return lambda: self._begin(answer)
        frame_set = self._sync.newest(config.sync_tolerance)
        if frame_set is None or frame_set.number <= self._number:
            return None
        return lambda: self._go_on(frame_set, config)

    def _begin(self, answer: Answer) -> None:
        """Start from a full answer, over the frames that came while it was made."""
        self._carrying = None
        result, frame = answer.segmentation, answer.frame
        self._in_sight = result is not None and answer.status.has_mask
        if result is None or frame is None or not self._in_sight:
            return
        from refdiff_ros.pictures.mask_flow import flow_step, MaskFlow, small_grey

        grey = next((seen.grey for seen in self._seen
                     if seen.received_s == answer.received_s), None)
        if grey is None:
            grey = small_grey(frame.image_rgb)
        flow = MaskFlow(result.proposals[list(result.regions)], grey.shape)
        # A step was taken from the frame before in the row, which `before` may not be yet.
        before, in_row = grey, False
        for seen in self._seen:
            after = seen.is_after(answer)
            if after and seen.grey.shape == grey.shape:
                step = seen.step if in_row else None
                flow.step(flow_step(before, seen.grey) if step is None else step)
            if after or seen.received_s == answer.received_s:
                before, in_row = seen.grey, True
        self._carrying = _Carrying(answer, result, flow)

    def _go_on(self, frame_set: FrameSet, config: NodeConfig) -> None:
        self._number = frame_set.number
        try:
            image_rgb = picture_of(frame_set, config.max_input_megapixels)
        except RefDiffError:  # the full answer says what is wrong with it
            self._drop()
            return
        step = self._look(image_rgb, frame_set)
        carrying = self._carrying
        if carrying is None:
            return
        if step is None:  # a picture of another size, or time went back
            self._carrying = None
            return
        carrying.flow.step(step)
        if self._seen[-1].is_after(carrying.answer):
            self._tell(carrying, frame_set, config)

    def _look(self, image_rgb: np.ndarray, frame_set: FrameSet) -> 'FlowStep | None':
        """The motion since the last frame; None where nothing is known of it.

        While nothing is in sight, frames are kept and their motion is not computed: an answer that
        finds the object again computes what it needs of it.
        """
        from refdiff_ros.pictures.mask_flow import flow_step, small_grey

        grey, stamp = small_grey(image_rgb), stamp_ns(frame_set.image)
        last = self._seen[-1] if self._seen else None
        step = None
        if last is not None and (last.grey.shape != grey.shape or last.stamp_ns > stamp):
            self._seen.clear()
        elif last is not None and self._in_sight:
            step = flow_step(last.grey, grey)
        self._seen.append(_Seen(stamp, frame_set.received_s, grey, step))
        return step

    def _tell(self, start: _Carrying, frame_set: FrameSet, config: NodeConfig) -> None:
        decoded = decode(frame_set, config.rectified, config.max_input_megapixels)
        carried = start.flow.carried()
        result = _carried(start.result, carried.masks, carried.kept)
        answer = carried_answer(start.answer, result, decoded, frame_set)
        if result.status is Status.NOT_FOUND:
            self._carrying, self._in_sight = None, False
        if answer.standing == self._standing.number:  # not cleared or changed in between
            self._publish(answer, config)


def _carried(result: Segmentation, masks: np.ndarray, kept: np.ndarray) -> Segmentation:
    """The answer with its regions in another frame.

    Args:
        result: the full answer.
        masks: (K, H, W) bool of the chosen region and its rivals.
        kept: (K,) 0..1.
    """
    from refdiff_ros.pictures.mask_flow import LOST_BELOW

    found = result.with_regions(
        masks, mask=masks[0], confidence=float(result.confidence * kept[0]), correlation=None,
        timings_ms={})
    if kept[0] >= LOST_BELOW:
        return found
    return replace(
        found, status=Status.NOT_FOUND, mask=np.zeros_like(masks[0]), rivals=(), question=None,
        fits=(),
        reason=f'lost sight of it: only {kept[0]:.0%} of the mask could be carried on; '
               'the next full answer looks for it anew')
