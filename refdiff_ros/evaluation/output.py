"""What the evaluation commands print and write alike."""

from collections.abc import Sequence
from pathlib import Path
import sys
from typing import Any

from refdiff_ros.json_text import to_json


def some(names: Sequence[str], shown: int | None) -> str:
    """Names in a line, at most `shown` of them; None shows all.

    Example:
        >>> some(['a', 'b', 'c'], 2)
        'a, b and 1 more'
    """
    hidden = len(names) - len(names[:shown])
    return f'{", ".join(names[:shown])}{f" and {hidden} more" if hidden else ""}'


def write_figures(path: Path | None, values: dict[str, Any]) -> int:
    """Write `values` as JSON, where a path is given; the exit status that this has.

    Returns:
        0, or 2 if they cannot be written, as on a full disk, which is said.
    """
    if path is None:
        return 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_json(values, indent=1) + '\n', encoding='utf-8')
    except OSError as error:
        print(f'refdiff: expected to write the figures to {path}, got: {error}', file=sys.stderr)
        return 2
    return 0
