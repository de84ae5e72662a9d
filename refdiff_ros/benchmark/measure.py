"""Running work several times: once counted, then timed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import statistics
import time

import torch

from refdiff_ros.benchmark.counting import OperationCounter
from refdiff_ros.benchmark.live_tensors import LiveTensors
from refdiff_ros.benchmark.memory import PeakMemory
from refdiff_ros.stages import Clock, device_clock, listen, StageTimes


@dataclass(frozen=True)
class Counts:
    """What one pass did; see `counting` and `memory` for what is counted.

    Attributes:
        flops: operations per stage and number format.
        moved: bytes per stage.
        peaks: the most memory in use per stage, bytes.
        peak: the most at any time, bytes.
        peak_reliable: False where `peaks` may be of something that ran before.
        tensor_peaks, tensor_peak: the most that tensors held, bytes; see `live_tensors`.
    """

    flops: Mapping[str, Mapping[str, int]]
    moved: Mapping[str, int]
    peaks: Mapping[str, int]
    peak: int
    peak_reliable: bool
    tensor_peaks: Mapping[str, int]
    tensor_peak: int


@dataclass(frozen=True)
class Measured:
    """Seconds of all timed passes.

    Attributes:
        seconds: of each pass, from beginning to end.
        cpu_seconds: the time that this process computed on the CPU in each pass, all threads
            together: less than `seconds` where others used the machine, or a GPU computed.
        stages: seconds of each pass per stage.
        counts: of the counted pass; None where nothing was counted.
        timed_while_counting: the one pass was counted as well, which makes it a little slower.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    stages: Mapping[str, tuple[float, ...]]
    counts: Counts | None = None
    timed_while_counting: bool = False

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(self.seconds)

    def stage_median(self, label: str) -> float:
        """Median seconds of a stage."""
        return statistics.median(self.stages[label])


Work = Callable[[], object]


@dataclass(frozen=True)
class Passes:
    """How often work is done while it is measured.

    Attributes:
        repeats: timed passes; 0 takes the time of the counted pass.
        prepare: run before each pass, not measured.
        count: False leaves the counted pass out, unless there are no others.
        numbered: tell the UNet's passes apart.
    """

    repeats: int
    prepare: Work = lambda: None
    count: bool = True
    numbered: bool = True


def measure(
    work: Work, device: torch.device, passes: Passes, clock: Clock | None = None,
) -> Measured:
    """Count `work` in one pass, which warms it up too, then time it `passes.repeats` times.

    On CUDA each repeat is two passes: one undisturbed for the whole, and one that waits for the
    device at each stage's ends for the stages.

    Args:
        work: what is measured.
        device: where it computes.
        passes: how often, and what is done before each.
        clock: that of `device` when None.
    """
    clock = clock or device_clock(device)
    repeats, prepare, numbered = passes.repeats, passes.prepare, passes.numbered
    totals, busy, stages, counts = [], [], [], None
    if passes.count or not repeats:
        prepare()
        start = time.process_time()
        times, counts = counted_pass(work, device, clock, numbered)
        if not repeats:
            busy.append(time.process_time() - start)
            stages.append(times)
            totals.append(sum(times.values()))
    for _ in range(repeats):
        prepare()
        if device.type == 'cuda':
            totals.append(timed_pass(work, clock))
            prepare()
        start = time.process_time()
        times = staged_pass(work, clock, numbered)
        busy.append(time.process_time() - start)
        stages.append(times)
        if device.type != 'cuda':
            totals.append(sum(times.values()))
    labels = dict.fromkeys(label for times in stages for label in times)
    return Measured(
        seconds=tuple(totals), cpu_seconds=tuple(busy),
        stages={label: tuple(times.get(label, 0.0) for times in stages) for label in labels},
        counts=counts, timed_while_counting=not repeats)


def counted_pass(
    work: Work, device: torch.device, clock: Clock, numbered: bool = True,
) -> tuple[dict[str, float], Counts]:
    """Seconds per stage, and what was counted."""
    with OperationCounter():
        torch.zeros(1)  # the first use imports much
    times, memory = StageTimes(clock, numbered), PeakMemory(device, numbered)
    live = LiveTensors(numbered)
    counter = OperationCounter(numbered, live)
    with listen(counter.stages), listen(live), listen(memory), listen(times), counter:
        times.start()
        work()
        times.stop()
    peak = memory.peak
    return dict(times.seconds), Counts(
        flops={label: dict(found) for label, found in counter.flops.items()},
        moved=dict(counter.moved), peaks=dict(memory.peaks), peak=peak,
        peak_reliable=memory.reliable, tensor_peaks=dict(live.peaks), tensor_peak=live.peak)


def staged_pass(work: Work, clock: Clock, numbered: bool = True) -> dict[str, float]:
    """Seconds per stage."""
    times = StageTimes(clock, numbered)
    with listen(times):
        times.start()
        work()
        times.stop()
    return dict(times.seconds)


def timed_pass(work: Work, clock: Clock) -> float:
    """Seconds of the whole, undisturbed."""
    start = clock()
    work()
    return clock() - start

