"""The cases of a run, read back from what `--json` writes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import math
from pathlib import Path
from typing import Any

from refdiff_ros.console import from_json
from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.run import Answer

# Of a tabletop's case, which has no tags.
_TABLETOP_TAGS = ('kind', 'sense', 'half')


@dataclass(frozen=True)
class ReportedRun:
    """A run as the report shows it.

    Attributes:
        name: a short name, such as its file's.
        settings: what was asked of which models, as it stands in the JSON.
        answers: with sample ids that are unique.
    """

    name: str
    settings: Mapping[str, Any]
    answers: tuple[Answer, ...]


def read_run(path: Path) -> ReportedRun:
    """The run in a file that `--json` wrote.

    Raises:
        BadRequestError: no such file, or it holds something else.
    """
    try:
        written = from_json(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise BadRequestError(
            f"expected the JSON that 'refdiff evaluate ... --json' writes in {path}, got: {error}"
        ) from error
    try:
        return as_run(written, path.stem)
    except BadRequestError as error:
        raise BadRequestError(f'{path}: {error}') from error


def as_run(written: Any, name: str) -> ReportedRun:
    """The run in what `--json` writes, decoded.

    Args:
        written: figures and settings, with a 'results' list of tabletop cases or answers.
        name: of the run.

    Raises:
        BadRequestError: there are no such results.
    """
    results = written.get('results') if isinstance(written, Mapping) else None
    if not isinstance(results, list):
        raise BadRequestError("expected the JSON of 'refdiff evaluate tabletop' or 'bag' with its "
                              "'results', got something else")
    answers = []
    seen: Counter[str] = Counter()
    for number, row in enumerate(results, 1):
        try:
            answers.append(_answer(row, seen))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise BadRequestError(f'expected a case with its figures as result {number}, got: '
                                  f'{type(error).__name__} {error}') from error
    settings = {key: value for key, value in written.items() if key != 'results'}
    return ReportedRun(_text(name), settings, tuple(answers))


def case_id(row: Mapping[str, Any]) -> str:
    """What tells a case from the others of its run, and is the same in another run."""
    if 'sample_id' in row:
        return _text(row['sample_id'])
    return f'scene {row["scene"]}: {_text(row["expression"])}'


def tag_names(answers: Sequence[Answer]) -> list[str]:
    """The tags that occur, in the order in which they first do."""
    return list(dict.fromkeys(name for answer in answers for name in answer.tags))


def _answer(row: Mapping[str, Any], seen: Counter) -> Answer:
    tags = row['tags'] if 'tags' in row else {name: row[name] for name in _TABLETOP_TAGS}
    return Answer(
        sample_id=_unique(case_id(row), seen),
        image_id=_text(row['image_id'] if 'image_id' in row else f'scene {row["scene"]}'),
        expression=_text(row['expression']), status=_text(row['status']),
        iou=_finite(row['iou']), intersection=int(row['intersection']), union=int(row['union']),
        pointing=_optional(row['pointing']), oracle_iou=_optional(row['oracle_iou']),
        seconds=max(_finite(row['seconds']), 0.0), error=_text(row.get('error', '')),
        tags={_text(name): _text(value) for name, value in tags.items() if value != ''})


def _unique(name: str, seen: Counter) -> str:
    """`name`, with a number where it came before."""
    seen[name] += 1
    return name if seen[name] == 1 else _unique(f'{name} ({seen[name]})', seen)


def _text(value: Any) -> str:
    # Half of a surrogate pair, which JSON may hold, cannot be written as UTF-8.
    return str(value).encode('utf-8', 'replace').decode()


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f'{value} is not finite')
    return number


def _optional(value: Any) -> float | None:
    return None if value is None else _finite(value)
