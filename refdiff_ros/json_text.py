"""JSON that every reader takes, and reading what anybody wrote.

NaN and infinities, which JSON does not have, become null.
"""

from collections.abc import Mapping
import json
import math
from typing import Any

import numpy as np


def to_json(value: Any, indent: int | None = None, compact: bool = False) -> str:
    """JSON of plain values, tuples, enumerations of numbers and arrays.

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
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
