"""Answers as JSON Lines: a line an answer, so that whatever is whole can be read."""

from dataclasses import asdict
import json

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.run import Answer


def answer_line(answer: Answer) -> bytes:
    """One line, its end included. Numbers read from it are the same to the last digit."""
    return json.dumps(asdict(answer), allow_nan=False).encode() + b'\n'


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
        BadRequestError: a whole line is no answer: somebody else wrote it.
    """
    whole = content.rfind(b'\n') + 1
    answers = {}
    for number, line in enumerate(content[:whole].splitlines(), 1):
        try:
            answer = Answer(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise BadRequestError(f'expected an answer in line {number} of {where}, got '
                                  f'{line[:60]!r} ({error})') from error
        answers[answer.sample_id] = answer
    return answers, whole
