"""How seconds and memory grow with the picture, with proposals, expressions and candidates."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from refdiff_ros.benchmark.asked import draw_picture, MIXED_EXPRESSIONS
from refdiff_ros.benchmark.contestants import Contestant
from refdiff_ros.benchmark.measure import measure, Passes
from refdiff_ros.benchmark.memory import memory_now, PeakMemory
from refdiff_ros.models.memory import free_caches
from refdiff_ros.results import Frame
from refdiff_ros.stages import Clock

AXES: dict[str, tuple[Any, ...]] = {
    'image': ('320x240', '640x480', '1280x960', '1920x1080'),
    'proposals': (10, 30, 100, 300),
    'expressions': (1, 2, 5, 10),
    'candidates': (1, 2, 4, 8),
}

# Makes the contestants for a frame, a number of proposals, and one of candidates or None.
MakeContestants = Callable[[Frame, int, int | None], Sequence[Contestant]]


@dataclass(frozen=True)
class ScaleSetup:
    """What stays as it is while one thing is varied.

    Attributes:
        frame: the picture.
        proposals: how many.
        device: where the models compute.
        repeats: timed passes a value.
        clock: what time is taken by.
        expressions: to ask, in order.
    """

    frame: Frame
    proposals: int
    device: torch.device
    repeats: int
    clock: Clock
    expressions: Sequence[str] = MIXED_EXPRESSIONS


def scale(
    axis: str, make: MakeContestants, setup: ScaleSetup, values: Sequence[Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """Rows as they are measured.

    Each has `axis`, `value`, `contestant`; `seconds` of all K expressions, the median of `passes`;
    and `memory`, bytes: the most that was in use above what was before the picture came; None
    where the system does not tell.

    Args:
        axis: a key of `AXES`.
        make: the contestants for a frame, a number of proposals, and one of candidates that
            answers are to offer, None as the models see it.
        setup: what is not varied.
        values: along the axis; None takes those of `AXES`.
    """
    for value in AXES[axis] if values is None else values:
        frame, proposals, candidates, count = setup.frame, setup.proposals, None, 1
        if axis == 'image':
            width, height = map(int, value.split('x'))
            frame = Frame(draw_picture((height, width)))
        elif axis == 'proposals':
            proposals = value
        elif axis == 'candidates':
            candidates = value
        else:
            count = value
        for contestant in make(frame, proposals, candidates):
            def ask(who: Contestant = contestant, seen: Frame = frame, k: int = count) -> None:
                for number in range(k):
                    who.answer(seen, setup.expressions[number % len(setup.expressions)])
            ask()  # kernels are chosen anew for each size, and memory that lay idle is used again
            contestant.forget()
            free_caches()
            before, memory = memory_now(setup.device), PeakMemory(setup.device)
            measured = measure(
                ask, setup.device, Passes(setup.repeats, contestant.forget, count=False),
                setup.clock)
            most = memory.peak
            contestant.forget()
            yield {'axis': axis, 'value': value, 'contestant': contestant.name,
                   'seconds': measured.median, 'passes': list(measured.seconds),
                   'memory': max(0, most - before) if memory.reliable else None}
