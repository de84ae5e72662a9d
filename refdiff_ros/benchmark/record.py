"""Measurements as plain values, written to a file after each one.

A part is what was measured of one contestant in one situation, ready for JSON:

    part, contestant       'first', 'next', 'expressions', 'batch', 'stream', and a
                           contestant's name
    seconds                median, least, most, and each pass
    cpu_seconds            median of what the process computed on the CPU
    stages                 by label: seconds, least, most, flops (by format), bytes, peak_bytes,
                           tensor_bytes, compute_share and memory_share of the machine's peak
    flops, bytes           of the whole; peak_bytes, peak_reliable: see `memory`; tensor_bytes: see
                           `live_tensors`
    timed_while_counting   the seconds are those of the counted pass
"""

from collections.abc import Mapping
from pathlib import Path
import statistics
from typing import Any

from refdiff_ros.benchmark.measure import Counts, Measured
from refdiff_ros.benchmark.peak import MachinePeak
from refdiff_ros.console import to_json
from refdiff_ros.errors import BadRequestError
from refdiff_ros.stages import sort_key


class Record:
    """Everything that was measured until now, also on disk: a run that is cut loses nothing.

    Attributes:
        values: what the file holds.
    """

    def __init__(self, path: Path | None, values: Mapping[str, Any]):
        """Write `values` at once, so that an unusable path is told before anything is measured.

        Raises:
            BadRequestError: the file cannot be written.
        """
        self._path = path
        self.values: dict[str, Any] = {**values, 'parts': []}
        try:
            self._write()
        except OSError as error:
            raise BadRequestError(f'expected a file to write at {path}, got: {error}') from error

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The parts in the order in which they were measured."""
        return self.values['parts']

    def add(self, part: dict[str, Any]) -> None:
        """Keep a part."""
        self.parts.append(part)
        self._write()

    def set(self, key: str, value: Any) -> None:
        """Keep a value beside the parts."""
        self.values[key] = value
        self._write()

    def find(self, part: str, contestant: str) -> dict[str, Any] | None:
        """The part of a contestant that was measured, if it was."""
        return next((found for found in self.parts if found['part'] == part
                     and found['contestant'] == contestant and 'seconds' in found), None)

    def _write(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(self._path.name + '.part')
        draft.write_text(to_json(self.values, indent=1) + '\n', encoding='utf-8')
        draft.replace(self._path)


def part_values(
    part: str, contestant: str, measured: Measured, peak: MachinePeak, **more: Any,
) -> dict[str, Any]:
    """A part as plain values; `more` is added as it is."""
    values = {
        'part': part, 'contestant': contestant, **more, 'seconds': _spread(measured.seconds),
        'cpu_seconds': statistics.median(measured.cpu_seconds),
        'stages': {label: _stage(label, measured, peak)
                   for label in sorted(measured.stages, key=sort_key)},
        'timed_while_counting': measured.timed_while_counting}
    if measured.counts is not None:
        values.update(_whole(measured.counts))
    return values


def failed_part(part: str, contestant: str, reason: str, **more: Any) -> dict[str, Any]:
    """A part that could not be measured, with the reason."""
    return {'part': part, 'contestant': contestant, **more, 'failed': reason}


def _spread(seconds: tuple[float, ...]) -> dict[str, Any]:
    return {'median': statistics.median(seconds), 'least': min(seconds), 'most': max(seconds),
            'passes': list(seconds)}


def _stage(label: str, measured: Measured, peak: MachinePeak) -> dict[str, Any]:
    seconds = measured.stages[label]
    values: dict[str, Any] = {
        'seconds': statistics.median(seconds), 'least': min(seconds), 'most': max(seconds)}
    counts = measured.counts
    if counts is None:
        return values
    flops, moved = counts.flops.get(label, {}), counts.moved.get(label, 0)
    compute, memory = peak.least_seconds(flops, moved)
    took = max(values['seconds'], 1e-9)
    return {**values, 'flops': dict(flops), 'bytes': moved, 'compute_share': compute / took,
            'memory_share': memory / took, 'peak_bytes': counts.peaks.get(label, 0),
            'tensor_bytes': counts.tensor_peaks.get(label, 0)}


def _whole(counts: Counts) -> dict[str, Any]:
    return {
        'flops': sum(sum(found.values()) for found in counts.flops.values()),
        'bytes': sum(counts.moved.values()), 'peak_bytes': counts.peak,
        'peak_reliable': counts.peak_reliable, 'tensor_bytes': counts.tensor_peak}
