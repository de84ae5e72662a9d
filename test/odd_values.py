"""Valid documents with odd values in them, always the same ones, for what reads files."""

from collections.abc import Iterator
import copy
import json
from typing import Any

ODD = (None, True, -1, 0, 1.5, 10**30, float('nan'), float('inf'), '', 'x', '\ud83c', '../../x',
       [], [1], {}, {'x': 1}, [[[]]], 'a' * 2000)
# Texts that are no document, or none that a parser should be kept busy by.
BROKEN = ('', '{', '[]', 'null', '3', '"x"', '\x00', '{"a":' * 3000, '[' * 100_000, '-' * 50,
          '1' * 5000)


def documents(whole: Any) -> Iterator[str]:
    """JSON texts: each value of `whole` in turn replaced by each odd one, or left out."""
    yield from BROKEN
    for path in _paths(whole):
        for odd in (*ODD, ...):
            values = copy.deepcopy(whole)
            place = values
            for key in path[:-1]:
                place = place[key]
            if odd is ...:
                del place[path[-1]]
            else:
                place[path[-1]] = odd
            yield json.dumps(values)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))
