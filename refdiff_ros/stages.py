"""Which stage of the method is running, and how long each takes; free while nobody listens.

Stages name themselves with `stage`, which knows nothing of clocks: a listener may take times,
count operations or watch memory. A stage within another counts for itself: the outer one has what
is left. What no stage claims is `OTHER`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
import time
from typing import Protocol, TYPE_CHECKING

from refdiff_ros.errors import BadRequestError

if TYPE_CHECKING:
    import torch

Clock = Callable[[], float]

OTHER = 'other'
# Stages in the order in which a reader expects them, with what they cover. A UNet's passes are
# numbered ('unet 1', 'unet 2').
STAGES = {
    'parse': 'the expression to its root word',
    'image_fit': "the picture to the diffusion model's square",
    'vae': 'VAE encoder',
    'prompt': "the diffusion model's text encoder",
    'unet': 'UNet evaluations',
    'attention': "captured logits to the root word's maps (Eq. (4))",
    'correlation': 'maps to c at the size of the picture (Eq. (5))',
    'sam_encoder': "SAM's image encoder",
    'sam_prompts': "SAM's decoder on the grid of prompts",
    'sam_masks': 'masks to the size of the picture, tests of quality, suppression, filter',
    'edges': "the answer's masks to the picture's own edges",
    'clip_masked': 'CLIP with masked attention (f_M of Eq. (7))',
    'clip_crops': 'CLIP on crops (f of Eq. (7))',
    'clip_text': "CLIP's text encoder",
    'scoring': 'Eq. (1), (9) and (10)',
    'selection': 'Eq. (2) and the status',
    'spatial': 'places of the proposals',
    'grasp': 'grasp region of the mask',
    'messages': 'ROS messages',
    OTHER: 'everything between',
}


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


def sort_key(label: str) -> tuple[int, str]:
    """Orders labels as `STAGES` does."""
    names = list(STAGES)
    name = label.split(' ')[0]
    return (names.index(name) if name in STAGES else len(names), label)


def device_clock(device: 'torch.device', kind: str = 'wall') -> Clock:
    """Seconds; on CUDA after everything that was asked of the device is done.

    Args:
        device: where the models compute.
        kind: 'wall', or on the CPU 'cpu': what this process has computed, all threads together.
            With one thread that is the time of a machine that nobody else uses.

    Raises:
        BadRequestError: 'cpu' on CUDA.
    """
    if kind == 'cpu' and device.type == 'cuda':
        raise BadRequestError(
            "expected --clock 'wall' on CUDA, got 'cpu': the device's work takes no CPU time")
    if device.type != 'cuda':
        return time.process_time if kind == 'cpu' else time.perf_counter

    import torch

    def clock() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return clock


class StageStack:
    """A stage listener that knows the label of the innermost stage.

    Args:
        numbered: tell the UNet's passes apart.
    """

    def __init__(self, numbered: bool = True):
        self._numbered = numbered
        self._labels = [OTHER]
        self._passes: Counter[str] = Counter()

    @property
    def label(self) -> str:
        """The innermost stage."""
        return self._labels[-1]

    def enter(self, name: str) -> None:
        """A stage begins."""
        if name == 'unet' and self._numbered:
            self._passes[name] += 1
            name = f'{name} {self._passes[name]}'
        self._labels.append(name)

    def leave(self, name: str) -> None:
        """The innermost stage ends."""
        self._labels.pop()


class StageTimes(StageStack):
    """Seconds per stage between `start` and `stop`."""

    def __init__(self, clock: Clock, numbered: bool = True):
        super().__init__(numbered)
        self._clock = clock
        self._since = 0.0
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def start(self) -> None:
        """Begin."""
        self._since = self._clock()

    def stop(self) -> None:
        """Charge the rest."""
        self._charge()

    def enter(self, name: str) -> None:
        """A stage begins."""
        self._charge()
        super().enter(name)

    def leave(self, name: str) -> None:
        """The innermost stage ends."""
        self._charge()
        super().leave(name)

    def _charge(self) -> None:
        now = self._clock()
        self.seconds[self.label] += now - self._since
        self._since = now
