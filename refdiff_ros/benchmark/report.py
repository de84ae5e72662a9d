"""Parts as text: one block a part as it comes, and tables of all at the end."""

from collections.abc import Sequence
from typing import Any

from refdiff_ros.benchmark.record import Record
from refdiff_ros.models.sizes import size_text
from refdiff_ros.stages import STAGES

_PARTS = {
    'first': 'first expression on a new frame',
    'prefetched': 'first expression on a frame that was prepared as it came',
    'next': 'another expression on the same frame',
    'expressions': '{count} expressions on one new frame, one by one',
    'batch': '{count} expressions on one new frame, in one call',
    'stream': 'one standing expression, a new frame each time',
    'still': 'one standing expression, a new frame each time, a camera that stands',
}
_STREAMS = ('stream', 'still')


def seconds_text(seconds: float) -> str:
    """'812 s', '1.23 s', '45.6 ms', '0.12 ms'."""
    if seconds >= 100:
        return f'{seconds:.0f} s'
    if seconds >= 1:
        return f'{seconds:.2f} s'
    return f'{seconds * 1e3:.1f} ms' if seconds >= 0.01 else f'{seconds * 1e3:.2f} ms'


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length in columns: the first flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join('  '.join(
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(
            row[1:], widths[1:]))]).rstrip() for row in rows)


def title(part: dict[str, Any]) -> str:
    """What was measured of whom."""
    return f'{part["contestant"]}: {_PARTS[part["part"]].format(**part)}'


def part_text(part: dict[str, Any]) -> str:
    """A part with its stages."""
    if 'failed' in part:
        return f'{title(part)}: not measured: {part["failed"]}'
    found = part['seconds']
    count = len(found['passes'])
    times = f'{seconds_text(found["median"])}' + (
        f' (median of {count}, {seconds_text(found["least"])} to {seconds_text(found["most"])})'
        if count > 1 else ' (one pass, counted at the same time)'
        if part['timed_while_counting'] else ' (one pass)')
    if part['part'] in _STREAMS:
        times += f', {1 / found["median"]:.3g} frames/s'
    lines = [f'{title(part)}: {times}, CPU busy {seconds_text(part["cpu_seconds"])}']
    if 'flops' in part:
        lines[0] += (f', {_giga(part["flops"])} GFLOP, {size_text(part["bytes"])} moved, at most '
                     f'{size_text(part["peak_bytes"])} in use')
        if not part['peak_reliable']:
            lines[0] += ' (by this process at any time)'
        lines[0] += f', {size_text(part["tensor_bytes"])} of that in tensors'
    if part['part'] in ('first', 'prefetched', 'next'):
        lines.append(_indented(table(_stage_rows(part))))
    return '\n'.join(lines)


def _stage_rows(part: dict[str, Any]) -> list[list[str]]:
    counted = 'flops' in part
    heads = ['stage', 'time', 'share', 'spread']
    rows = [heads + (['GFLOP', 'moved', 'of peak', 'memory', 'tensors'] if counted else [])]
    whole = sum(stage['seconds'] for stage in part['stages'].values())
    for label, stage in part['stages'].items():
        row = [label, seconds_text(stage['seconds']), f'{100 * stage["seconds"] / whole:.1f} %',
               seconds_text(stage['most'] - stage['least'])]
        if counted:
            row += [_giga(sum(stage['flops'].values())), size_text(stage['bytes']),
                    _share(stage), *(size_text(stage[name]) if stage[name] else '-'
                                     for name in ('peak_bytes', 'tensor_bytes'))]
        rows.append(row)
    return rows


def _giga(count: float) -> str:
    return '-' if not count else f'{count / 1e9:.4g}' if count < 1e13 else f'{count / 1e9:.0f}'


def _share(stage: dict[str, Any]) -> str:
    compute, memory = stage['compute_share'], stage['memory_share']
    if max(compute, memory) < 0.0005:
        return '-'
    return f'{100 * max(compute, memory):.0f} % {"c" if compute >= memory else "m"}'


def _indented(text: str) -> str:
    return '\n'.join('  ' + line for line in text.splitlines())


def summary_text(record: Record, contestants: Sequence[str], baselines: Sequence[str]) -> str:
    """All contestants side by side: stages, wholes, and how many times less than the baselines."""
    firsts = {name: part for name in contestants
              if (part := record.find('first', name)) is not None}
    if not firsts:
        return 'nothing was measured'
    rows = [['first expression, by stage', *firsts]]
    for stage in STAGES:
        cells = [_stage_seconds(part, stage) for part in firsts.values()]
        if any(cells):
            rows.append([f'  {stage}', *('-' if not cell else seconds_text(cell)
                                         for cell in cells)])
    rows.append(['first expression', *(
        seconds_text(part['seconds']['median']) for part in firsts.values())])
    rows += _ratio_rows(record, 'first', list(firsts), baselines)
    for kind in ('prefetched', 'next', 'expressions', 'batch', *_STREAMS):
        if any(record.find(kind, name) for name in firsts):
            rows += _part_rows(record, kind, list(firsts), baselines)
    for kind, when in (('first', 'first expression'), ('next', 'another expression')):
        rows += _counted_rows([record.find(kind, name) for name in firsts], when)
    return table(rows)


def _counted_rows(parts: Sequence[dict[str, Any] | None], when: str) -> list[list[str]]:
    """Operations and bytes; none where nothing was counted."""
    counted = [part if part is not None and 'flops' in part else None for part in parts]
    if not any(counted):
        return []
    rows = [[f'TFLOP, {when}', *(
        '-' if part is None else f'{part["flops"] / 1e12:.3g}' for part in counted)]]
    for head, name in (('moved', 'bytes'), ('most memory in use', 'peak_bytes'),
                       ('most in tensors', 'tensor_bytes')):
        rows.append([f'{head}, {when}', *(
            '-' if part is None else size_text(part[name]) for part in counted)])
    return rows


def _stage_seconds(part: dict[str, Any], stage: str) -> float:
    return sum(found['seconds'] for label, found in part['stages'].items()
               if label.split(' ')[0] == stage)


def _part_rows(
    record: Record, part: str, names: Sequence[str], baselines: Sequence[str],
) -> list[list[str]]:
    found = [record.find(part, name) for name in names]
    some = next(each for each in found if each is not None)
    rows = [[_PARTS[part].format(**some), *(
        '-' if each is None else seconds_text(each['seconds']['median']) for each in found)]]
    if part in _STREAMS:
        rows.append(['  frames/s', *(
            '-' if each is None else f'{1 / each["seconds"]["median"]:.3g}' for each in found)])
    return rows + _ratio_rows(record, part, names, baselines)


def _ratio_rows(
    record: Record, part: str, names: Sequence[str], baselines: Sequence[str],
) -> list[list[str]]:
    rows = []
    for baseline in baselines:
        base = record.find(part, baseline)
        if base is None:
            continue
        cells = []
        for name in names:
            found = record.find(part, name)
            cells.append('-' if found is None else
                         f'{base["seconds"]["median"] / found["seconds"]["median"]:.3g}x')
        rows.append([f'  faster than {baseline}', *cells])
    return rows


def agreement_text(found: dict[str, Any]) -> str:
    """One comparison in a line."""
    names = f'{found["contestant"]} and {found["baseline"]}'
    chosen = f'IoU of the chosen masks {found["chosen_iou"]:.4f}'
    if not found['same_reading']:
        return f'{names}: {chosen} (another reading of the method: not expected to agree)'
    differences = ', '.join(f'{name} {value:.2g}' for name, value in found['scores'].items())
    return (f'{names}: {"agree" if found["agrees"] else "DO NOT AGREE"}; {chosen}, '
            f'{found["matched"]} of {found["survivors"][0]} and {found["survivors"][1]} scored '
            f'proposals are the same ({found["identical"]} to the pixel), largest difference of '
            f'scores: {differences or "-"}, of c {found["correlation"]:.2g}')


def scale_text(rows: Sequence[dict[str, Any]]) -> str:
    """Seconds and memory by what was varied, a line a value."""
    names = list(dict.fromkeys(row['contestant'] for row in rows))
    lines = [[rows[0]['axis'], *names]]
    for value in dict.fromkeys(row['value'] for row in rows):
        found = {row['contestant']: row for row in rows if row['value'] == value}
        lines.append([str(value), *(
            scale_cell(found[name]) if name in found else '-' for name in names)])
    return table(lines)


def scale_cell(row: dict[str, Any]) -> str:
    """Seconds and memory of one row of `benchmark.scale`."""
    memory = '' if row['memory'] is None else f', {size_text(row["memory"])}'
    return seconds_text(row['seconds']) + memory
