"""Records of annotation files: reading them, and saying which one lacks what."""

import json
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BadRequestError


def read_json(path: Path, kind: type) -> Any:
    """The content of a JSON file whose outermost value is a `kind`.

    Raises:
        BadRequestError: the file is missing, is no JSON, or holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadRequestError(f'expected JSON at {path}, got: {error}') from error
    if not isinstance(content, kind):
        raise BadRequestError(
            f'expected a {kind.__name__} in {path}, got {type(content).__name__}')
    return content


def field(record: Any, name: str, kind: type, where: str) -> Any:
    """The value of a record's field.

    Args:
        record: a dict, as far as the file is sound.
        name: of the field.
        kind: the type that the value must have.
        where: names the record in the error, 'ref 3 of refs(unc).p'.

    Raises:
        BadRequestError: no dict, no such field, or another type.
    """
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        got = 'none' if value is None else f'{value!r:.60}'
        raise BadRequestError(f'expected {name!r} as {kind.__name__} in {where}, got {got}')
    return value
