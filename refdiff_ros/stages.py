"""Which stage of the method is running, for whoever measures it; free while nobody listens.

Stages name themselves with `stage`, which knows nothing of clocks: a listener may take times,
count operations or watch memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class StageListener(Protocol):
    """What hears of stages; stages may lie within each other."""

    def enter(self, name: str) -> None:
        """A stage begins."""

    def leave(self, name: str) -> None:
        """The stage that began last ends, also by an error."""


# Each thread has its own: two engines in one process do not hear of each other.
_listeners: ContextVar[tuple[StageListener, ...]] = ContextVar('stage_listeners', default=())


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What runs inside is stage `name`; also a decorator of functions that are no generators."""
    listeners = _listeners.get()
    for listener in listeners:
        listener.enter(name)
    try:
        yield
    finally:
        for listener in reversed(listeners):
            listener.leave(name)


@contextmanager
def listen(listener: StageListener) -> Iterator[None]:
    """Tell `listener` of the stages that this thread runs inside."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)
