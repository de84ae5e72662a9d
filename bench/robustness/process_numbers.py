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


def growth(samples: list[dict], key: str, part: float = 0.2) -> float:
    """By what share the median of the last `part` of the samples exceeds that of the first."""
    count = max(1, int(len(samples) * part))
    first = sorted(each[key] for each in samples[:count])[count // 2]
    last = sorted(each[key] for each in samples[-count:])[count // 2]
    return last / first - 1


def _fields(text: str) -> dict[str, str]:
    return {key.strip(): value.strip() for key, _, value in
            (line.partition(':') for line in text.splitlines()[0:]) if value}
