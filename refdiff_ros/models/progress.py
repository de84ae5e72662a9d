"""What getting and loading a bundle is doing now, for people who wait."""

from collections.abc import Callable
from dataclasses import dataclass
import sys
import time
from typing import Any

from refdiff_ros.models.sizes import size_text
from refdiff_ros.optional import require_package

# Steps over fewer bytes are done before anybody could read of them.
_LONG_BYTES = 100_000_000
_TERMINAL_S, _LOG_S = 0.2, 30.0


@dataclass(frozen=True)
class Step:
    """Where one stage has got to.

    Attributes:
        stage: what is done, for example 'downloading', 'checking sha256 of' or 'loading'.
        item: the file or model.
        done, total: bytes of the whole stage; None where the total is not known.
        rate: bytes a second in this run, 0 where that is not known.
    """

    stage: str
    item: str
    done: int = 0
    total: int | None = None
    rate: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether the stage is done."""
        return self.total is not None and self.done >= self.total

    @property
    def is_long(self) -> bool:
        """Whether it may take so long that people should be told."""
        return self.total is None or self.total >= _LONG_BYTES

    def __str__(self) -> str:
        text = f'{self.stage} {self.item}: '
        if not self.done and self.total is not None:
            return text + size_text(self.total)
        text += size_text(self.done)
        if self.total is not None:
            text += f' of {size_text(self.total)}'
        if self.rate <= 0:
            return text
        text += f', {size_text(int(self.rate))}/s'
        if self.total is not None and not self.is_whole:
            left = int((self.total - self.done) / self.rate)
            text += f', {left // 60}:{left % 60:02d} min left'
        return text


Listener = Callable[[Step], None]


def ignore(step: Step) -> None:
    """Nobody waits."""


class Meter:
    """Counts the bytes of one stage over its files, and tells a listener.

    Args:
        stage: see `Step`.
        total: bytes of the whole stage, None where a file's size is not known.
        listener: is told.
    """

    def __init__(self, stage: str, total: int | None, listener: Listener):
        self._stage, self._total, self._listener = stage, total, listener
        self._before = 0  # bytes of the files that are done
        self._skipped = 0  # bytes that were there already
        self._item = ''
        self._item_done: int | None = None
        self._start_s = time.monotonic()

    def begin(self, item: str) -> None:
        """The next file."""
        self._before += self._item_done or 0
        self._item, self._item_done = item, None
        self._tell(self._before)

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many bytes of the file are there."""
        if self._item_done is None:
            self._skipped += done
        self._item_done = done
        self._tell(self._before + done)

    def _tell(self, done: int) -> None:
        seconds = time.monotonic() - self._start_s
        rate = (done - self._skipped) / seconds if seconds > 0 else 0.0
        self._listener(Step(self._stage, self._item, done, self._total, max(rate, 0.0)))


class ProgressLog:
    """Writes a line when a long stage begins, every 30 s in it, and when a download is whole.

    Args:
        write: takes the line.
        every_s: seconds between two lines of one stage.
    """

    def __init__(self, write: Callable[[str], object], every_s: float = _LOG_S):
        self._write, self._every_s = write, every_s
        self._stage = ''
        self._last_s = -float('inf')

    def __call__(self, step: Step) -> None:
        """Write a step, if it is time for it."""
        now_s = time.monotonic()
        if self._is_due(step, now_s):
            self._stage, self._last_s = step.stage, now_s
            self._write(str(step))

    def _is_due(self, step: Step, now_s: float) -> bool:
        if step.stage == 'downloading':
            if step.stage != self._stage or step.is_whole:
                return True
        elif not step.is_long:
            return False
        elif step.stage != self._stage:
            return True
        return now_s - self._last_s >= self._every_s


class ProgressLine:
    """Progress on stderr, as a listener and a context: on a terminal one line, gone at the end."""

    def __init__(self):
        self._bar: Any = None
        if sys.stderr.isatty():
            self._bar = require_package('tqdm', 'models').tqdm(
                bar_format='{desc}', leave=False, dynamic_ncols=True, file=sys.stderr)
        self._log = ProgressLog(self._show, _TERMINAL_S if self._bar is not None else _LOG_S)

    def __enter__(self) -> ProgressLog:
        return self._log

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _show(self, text: str) -> None:
        if self._bar is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._bar.set_description_str(text)
