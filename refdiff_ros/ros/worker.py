"""The one thread that touches the models."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass
import threading
from typing import Any

from refdiff_ros.errors import RefDiffError
from refdiff_ros.ros.step_watch import StepWatch
from refdiff_ros.stages import listen, OTHER


class WorkerStoppedError(RefDiffError, RuntimeError):
    """The worker was stopped before a job began, or between two stages of it."""


# Stages behind the models: what is answered, a refusal too, is still sent.
_SENDING = ('grasp', 'messages')


class _EndsJobs:
    """Ends a job of a stopped worker where its next stage would begin."""

    def __init__(self, worker: 'Worker'):
        self._worker = worker

    def enter(self, name: str) -> None:
        """A stage begins."""
        if self._worker.stopping and name not in _SENDING:
            raise WorkerStoppedError(f'the node is ending: stopped before the stage {name}')

    def leave(self, name: str) -> None:
        """A stage ends."""


@dataclass(frozen=True)
class Wait:
    """There is no job now; the worker asks again after `seconds`, or when it is woken."""

    seconds: float


Job = Callable[[], None]


@dataclass(frozen=True)
class _Submitted:
    """A job that comes before all others; `name` and `limited` as in `StepWatch.job`."""

    future: Future
    job: Callable[[], Any]
    name: str
    limited: bool


class Worker:
    """Runs jobs one at a time on its own thread.

    Jobs given to `submit` (loading, unloading) come first. When there is none, `next_job` is
    asked: it returns a job, or how long to wait before it is asked again, or None to wait until
    `wake` is called. A job from `next_job` must not raise; one that does ends up in `on_error`
    and the thread goes on.

    A job that raises SystemExit or a panic of a library in Rust, neither of which is an
    `Exception`, fails as any other does: the thread must not end without a word.

    Attributes:
        watch: the step that runs, and since when.
    """

    def __init__(
        self,
        next_job: Callable[[], Job | Wait | None],
        on_error: Callable[[BaseException], None],
    ):
        self.watch = StepWatch()
        self._next_job = next_job
        self._on_error = on_error
        self._submitted: deque[_Submitted] = deque()
        self._changed = threading.Condition()
        self._woken = False
        self._stopping = False
        # A daemon, so that a second interrupt need not wait for a step that does not end.
        self._thread = threading.Thread(target=self._run, name='refdiff_worker', daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called: a long job may look and end early."""
        return self._stopping

    def submit(self, job: Callable[[], Any], name: str = OTHER, limited: bool = True) -> Future:
        """Run `job` before anything else that waits; its result or exception is the future's.

        Args:
            job: the job.
            name: what it is, for who watches.
            limited: whether it hangs when it takes longer than a step may.
        """
        future: Future = Future()
        with self._changed:
            if self._stopping:
                future.cancel()
                return future
            self._submitted.append(_Submitted(future, job, name, limited))
            self._changed.notify()
        return future

    def wake(self) -> None:
        """There may be a new job: ask `next_job` again."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop(self) -> None:
        """Take no further job; what runs now ends before its next stage."""
        with self._changed:
            self._stopping = True
            for submitted in self._submitted:
                submitted.future.cancel()
            self._submitted.clear()
            self._changed.notify()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the thread has ended; False when `timeout_s` passed first."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with listen(_EndsJobs(self)), listen(self.watch):
            while not self._stopping:
                try:
                    self._step()
                except BaseException as error:  # the thread must outlive any one job
                    self._on_error(error)

    def _step(self) -> None:
        with self._changed:
            self._woken = False
            submitted = self._submitted.popleft() if self._submitted else None
        if submitted is not None:
            with self.watch.job(submitted.name, submitted.limited):
                _fulfil(submitted.future, submitted.job)
            return
        job = self._next_job()
        if callable(job):
            with self.watch.job():
                job()
            return
        with self._changed:
            self._changed.wait_for(
                lambda: self._woken or self._submitted or self._stopping,
                timeout=None if job is None else job.seconds)


def _fulfil(future: Future, job: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except BaseException as error:  # handed to whoever waits on the future
        future.set_exception(error if isinstance(error, Exception) else as_exception(error))


def as_exception(error: BaseException) -> Exception:
    """What ended a job without being an `Exception`, as one that is; the cause is kept."""
    wrapped = RuntimeError(f'a step raised {type(error).__name__}: {error}')
    wrapped.__cause__ = error
    return wrapped


def done_within(future: Future, seconds: float) -> bool:
    """Whether a job is done, waited for so long."""
    return bool(wait([future], seconds).done)


def result_of(future: Future) -> Any:
    """The future's result, waited for.

    Raises:
        WorkerStoppedError: the worker was stopped before the job began.
        Exception: whatever the job raised.
    """
    try:
        return future.result()
    except CancelledError as error:
        raise WorkerStoppedError('the node is shutting down') from error
