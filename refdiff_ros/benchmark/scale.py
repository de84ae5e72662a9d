"""How seconds grow with the size of the picture, with proposals N and with expressions K."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from refdiff_ros.benchmark.asked import draw_picture, MIXED_EXPRESSIONS
from refdiff_ros.benchmark.contestants import Contestant
from refdiff_ros.benchmark.measure import measure, Passes
from refdiff_ros.results import Frame
from refdiff_ros.stages import Clock

AXES: dict[str, tuple[Any, ...]] = {
    'image': ('320x240', '640x480', '1280x960', '1920x1080'),
    'proposals': (10, 30, 100, 300),
    'expressions': (1, 2, 5, 10),
}

# Makes the contestants for a frame and a number of proposals.
MakeContestants = Callable[[Frame, int], Sequence[Contestant]]


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
    """Rows as they are measured: axis, value, contestant, seconds (of all K expressions).

    Args:
        axis: a key of `AXES`.
        make: the contestants under a frame and a number of proposals.
        setup: what is not varied.
        values: along the axis; None takes those of `AXES`.
    """
    for value in AXES[axis] if values is None else values:
        frame, proposals, count = setup.frame, setup.proposals, 1
        if axis == 'image':
            width, height = map(int, value.split('x'))
            frame = Frame(draw_picture((height, width)))
        elif axis == 'proposals':
            proposals = value
        else:
            count = value
        for contestant in make(frame, proposals):
            def ask(who: Contestant = contestant, seen: Frame = frame, k: int = count) -> None:
                for number in range(k):
                    who.answer(seen, setup.expressions[number % len(setup.expressions)])
            if setup.device.type == 'cuda':
                ask()  # kernels are chosen anew for each size
            measured = measure(
                ask, setup.device, Passes(setup.repeats, contestant.forget, count=False),
                setup.clock)
            contestant.forget()
            yield {'axis': axis, 'value': value, 'contestant': contestant.name,
                   'seconds': measured.median, 'passes': list(measured.seconds)}
