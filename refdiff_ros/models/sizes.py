"""Bytes for people."""


def size_text(size: int) -> str:
    """Bytes for people: '742 B', '3.4 GB' (powers of 1000)."""
    value = float(size)
    for unit in ('B', 'kB', 'MB', 'GB'):
        if value < 1000 or unit == 'GB':
            break
        value /= 1000
    return f'{value:.0f} {unit}' if unit == 'B' else f'{value:.1f} {unit}'
