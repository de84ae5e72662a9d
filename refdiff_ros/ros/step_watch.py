"""Which step of an answer runs, and since when: a step that does not end is seen from outside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import threading
import time

from refdiff_ros.stages import OTHER


@dataclass(frozen=True)
class RunningStep:
    """A step that runs.

    Attributes:
        name: the stage's name (`stages.STAGES`), or what the job is.
        since_s: when it began, on the monotonic clock.
        limited: whether it counts as hanging when it takes longer than `step_timeout`. Loading
            does not: a download may take an hour, and diagnostics shows how far it is.
    """

    name: str
    since_s: float
    limited: bool = True

    def hangs(self, limit_s: float, now_s: float) -> bool:
        """Whether it has taken longer than `limit_s`; 0 for no limit."""
        return self.limited and 0 < limit_s < now_s - self.since_s


class StepWatch:
    """A stage listener of one thread that others may read at any time.

    Args:
        on_step: is told the name of each step as it begins ('' when the thread has nothing to do)
            and whether it is limited; called on the thread, and must be quick.
    """

    def __init__(self, on_step: Callable[[str, bool], None] = lambda name, limited: None):
        self.on_step = on_step
        self._stages: list[str] = []
        self._limited = True
        # One reference, replaced as a whole: read without a lock.
        self._step: RunningStep | None = None

    @property
    def step(self) -> RunningStep | None:
        """The step that runs now, or None."""
        return self._step

    @contextmanager
    def job(self, name: str = OTHER, limited: bool = True) -> Iterator[None]:
        """What runs inside is a job; between its stages it is called `name`."""
        self._limited, self._stages = limited, [name]
        self._set(name)
        try:
            yield
        finally:
            self._stages, self._limited = [], True
            self._set('')

    def enter(self, name: str) -> None:
        """A stage begins."""
        self._stages.append(name)
        self._set(name)

    def leave(self, name: str) -> None:
        """The innermost stage ends."""
        self._stages.pop()
        self._set(self._stages[-1] if self._stages else '')

    def _set(self, name: str) -> None:
        self._step = RunningStep(name, time.monotonic(), self._limited) if name else None
        self.on_step(name, self._limited)


class HangNotice:
    """Tells once of a step that hangs, and once that it went on after all.

    Args:
        step: the step that runs, or None.
        on_hang: called with the step that has taken too long.
        on_end: called when it ended.
    """

    def __init__(
        self,
        step: Callable[[], RunningStep | None],
        on_hang: Callable[[RunningStep], None],
        on_end: Callable[[RunningStep], None],
    ):
        self._step, self._on_hang, self._on_end = step, on_hang, on_end
        self._lock = threading.Lock()
        self._hanging: RunningStep | None = None

    @property
    def hanging(self) -> RunningStep | None:
        """The step that hangs, or None."""
        return self._hanging

    def look(self, limit_s: float) -> None:
        """Look at the step that runs now; to be called several times a second, by any thread."""
        with self._lock:
            step = self._step()
            if self._hanging is not None and step is not self._hanging:
                ended, self._hanging = self._hanging, None
                self._on_end(ended)
            if self._hanging is None and step is not None and \
                    step.hangs(limit_s, time.monotonic()):
                self._hanging = step
                self._on_hang(step)
