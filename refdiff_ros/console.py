"""What commands print and write alike: progress, lists of names, JSON that every reader takes."""

from collections.abc import Mapping, Sequence
import json
import math
from pathlib import Path
import sys
from typing import Any

from refdiff_ros.optional import require_package

_LINE_EVERY_S = 10.0
_LINE = '{unit} {n_fmt} of {total_fmt}, {elapsed}, {rate_fmt}, {remaining} left'
_LINE_WITHOUT_TOTAL = '{unit} {n_fmt}, {elapsed}, {rate_fmt}'


class Progress:
    """How far a long run is, on standard error: a bar on a terminal, else a line now and then.

    Use `with`, which ends the bar.

    Args:
        counted: what is counted, 'case'.
        total: how many there are; None where that is not known.
        done: how many an earlier run has done; they count for how far it is, not for its rate.
        every_s: seconds between lines.
    """

    def __init__(self, counted: str, total: int | None = None, done: int = 0,
                 every_s: float = _LINE_EVERY_S):
        self._terminal = terminal = sys.stderr.isatty()
        shown: dict[str, Any] = {'file': sys.stderr, 'dynamic_ncols': True} if terminal else {
            'file': _Lines(), 'mininterval': every_s,
            'bar_format': _LINE_WITHOUT_TOTAL if total is None else _LINE}
        # The delay keeps it from telling of 0; the end is told in any case.
        self._bar = require_package('tqdm', 'models').tqdm(
            unit=counted, total=total, initial=done, delay=1e-9, miniters=1, **shown)

    def __enter__(self) -> 'Progress':
        return self

    def __exit__(self, *_: object) -> None:
        if not self._terminal:  # a last line that has been written is not written again
            self._bar.leave = self._bar.n != self._bar.last_print_n
        self._bar.close()

    def step(self) -> None:
        """One more is done."""
        self._bar.update()

    def say(self, text: str) -> None:
        """A line on standard error that the bar does not run into."""
        self._bar.write(text, file=sys.stderr)


class _Lines:
    """Turns what would redraw a bar into lines, for logs."""

    def write(self, text: str) -> None:
        if text.strip():
            print(text.strip(), file=sys.stderr)

    def flush(self) -> None:
        sys.stderr.flush()


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


def to_json(value: Any, indent: int | None = None, compact: bool = False) -> str:
    """JSON of plain values, tuples, enumerations of numbers and arrays.

    NaN and infinities, which JSON does not have, become null.

    Args:
        value: what is written.
        indent: spaces before each level, on lines of their own; None for one line.
        compact: leave out the spaces behind commas and colons.

    Raises:
        TypeError: a value that JSON does not hold.
    """
    separators = (',', ':') if compact else None
    return json.dumps(_plain(value), indent=indent, separators=separators, allow_nan=False)


def from_json(text: str | bytes) -> Any:
    """The values of a JSON text.

    Raises:
        ValueError: it is no JSON, or nested so deeply that no honest one is.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError('it is nested too deeply') from error


def _plain(value: Any) -> Any:
    if hasattr(value, 'tolist'):  # an array, without importing NumPy for it
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
