"""Memory, threads and descriptors of a process, as the kernel counts them."""

from pathlib import Path


def numbers(pid: int) -> dict[str, float]:
    """Anonymous and resident megabytes (10^6), threads, open descriptors."""
    rollup = _fields(Path(f'/proc/{pid}/smaps_rollup').read_text())
    status = _fields(Path(f'/proc/{pid}/status').read_text())
    return {'anonymous_mb': int(rollup['Anonymous'].split()[0]) * 1024 / 1e6,
            'resident_mb': int(rollup['Rss'].split()[0]) * 1024 / 1e6,
            'threads': int(status['Threads']),
            'descriptors': len(list(Path(f'/proc/{pid}/fd').iterdir()))}


def anonymous_by_kind(pid: int) -> dict[str, float]:
    """Anonymous megabytes of the main heap, of the other threads' heaps, and of the rest.

    The C library gives threads heaps of their own, each at a multiple of 64 MB.
    """
    kinds = dict.fromkeys(('main heap', 'thread heaps', 'rest'), 0.0)
    kind = 'rest'
    for line in Path(f'/proc/{pid}/smaps').read_text().splitlines():
        first = line.split(None, 1)[0]
        if '-' in first:
            start = int(first.split('-')[0], 16)
            kind = 'main heap' if line.endswith('[heap]') else \
                'thread heaps' if start % (64 << 20) == 0 and len(line.split()) == 5 else 'rest'
        elif first == 'Anonymous:':
            kinds[kind] += int(line.split()[1]) * 1024 / 1e6
    return {key: round(value, 1) for key, value in kinds.items()}


def growth(samples: list[dict], key: str, part: float = 0.2) -> float:
    """By what share the median of the last `part` of the samples exceeds that of the first."""
    count = max(1, int(len(samples) * part))
    first = sorted(each[key] for each in samples[:count])[count // 2]
    last = sorted(each[key] for each in samples[-count:])[count // 2]
    return last / first - 1


def _fields(text: str) -> dict[str, str]:
    return {key.strip(): value.strip() for key, _, value in
            (line.partition(':') for line in text.splitlines()[0:]) if value}
