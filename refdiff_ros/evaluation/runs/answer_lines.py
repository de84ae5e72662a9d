"""Answers as JSON Lines: a line an answer, so that whatever is whole can be read.

Each line has a check sum of its own, so that a figure altered by hand or by a failing disk is
noticed. Lines of older runs have none.
"""

from collections.abc import Mapping
from dataclasses import asdict
import hashlib
import json
import numbers
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.run import Answer
from refdiff_ros.json_text import from_json

_SUM = 'sum'
# What each value of a line may be; others are numbers.
_TEXTS = ('sample_id', 'image_id', 'expression', 'status', 'error')
_OR_NONE = ('pointing', 'oracle_iou')


def answer_line(answer: Answer) -> bytes:
    """One line, its end included. Numbers read from it are the same to the last digit."""
    values = asdict(answer)
    return json.dumps({**values, _SUM: _sum_of(values)}, allow_nan=False).encode() + b'\n'


def parse_answers(content: bytes, where: object) -> tuple[dict[str, Answer], int]:
    """The answers of a file, and how many of its bytes they take.

    What follows the last line end is what a killed process left of a line: it is left out.

    Args:
        content: of the file.
        where: names the file in errors.

    Returns:
        Answers by their sample's id, the last one of each, in the order of first lines; and the
        number of bytes up to the last line end.

    Raises:
        BadRequestError: a whole line is no answer, or not the one that was written.
    """
    whole = content.rfind(b'\n') + 1
    answers = {}
    for number, line in enumerate(content[:whole].splitlines(), 1):
        try:
            answer = _answer(from_json(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise BadRequestError(f'expected an answer in line {number} of {where}, got '
                                  f'{line[:60]!r} ({error})') from error
        answers[answer.sample_id] = answer
    return answers, whole


def _answer(values: Any) -> Answer:
    if not isinstance(values, dict):
        raise TypeError(f'{type(values).__name__} in place of an object')
    claimed = values.pop(_SUM, None)
    if claimed is not None and claimed != _sum_of(values):
        raise ValueError('its check sum does not fit: the line was altered; take it out, and run '
                         'the same command again to ask it anew')
    for name, value in values.items():
        if name == 'tags':
            good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        elif name in _TEXTS:
            good = isinstance(value, str)
        else:
            good = isinstance(value, numbers.Real) or value is None and name in _OR_NONE
        if not good:
            raise TypeError(f'{name} is {value!r:.40}')
    return Answer(**values)


def _sum_of(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
