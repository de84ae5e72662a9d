"""A run's folder: what was asked (`run.json`) and the answers, written as they come.

    run.json       format, question, and the command that asked it
    answers.jsonl  one answer a line, appended; read on by a run that goes on

An answer is one unbuffered write of a whole line: whenever the process is killed, all answers but
perhaps the last are whole, and what is left of that one is dropped by the run that goes on.
"""

from collections.abc import Sequence
import contextlib
from dataclasses import dataclass, field
import fcntl
import json
import os
from pathlib import Path
from typing import Any

from refdiff_ros.console import from_json
from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.evaluation.run import Answer, Sample
from refdiff_ros.evaluation.runs.record import answer_line, parse_answers, RunQuestion

RUN, ANSWERS = 'run.json', 'answers.jsonl'
FORMAT = 1


class RunError(RefDiffError):
    """An answer cannot be written, as on a full disk; those before it are kept."""


class Answers:
    """The answers of a run by their sample's id; this class keeps them in memory only."""

    def __init__(self):
        self.by_id: dict[str, Answer] = {}

    def add(self, answer: Answer) -> None:
        """Keep one more; in place of the one that its sample had."""
        self.by_id[answer.sample_id] = answer

    def of(self, samples: Sequence[Sample]) -> list[Answer]:
        """Those that there are, in the order of `samples`, whenever they were given."""
        return [self.by_id[sample.sample_id] for sample in samples
                if sample.sample_id in self.by_id]


class RunFolder(Answers):
    """A run in a folder, new or to go on with; for one process at a time. Close it, or use `with`.

    Args:
        path: the folder; made if it is not there.
        question: what is asked.
        command: that asks it, for people; kept in a new run.

    Raises:
        BadRequestError: the folder holds a run of another question, answers without a question,
            or a line that is no answer; or another process writes to it.
        RunError: the folder cannot be written.
    """

    def __init__(self, path: Path, question: RunQuestion, command: str = ''):
        super().__init__()
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._file = (path / ANSWERS).open('a+b', buffering=0)
        except OSError as error:
            raise RunError(f'expected to write a run to {path}, got: {error}') from error
        try:
            self._lock()
            self._ask(question, command)
            self._file.seek(0)
            self.by_id, self._size = parse_answers(self._file.read(), path / ANSWERS)
            self._file.truncate(self._size)
        except OSError as error:
            self.close()
            raise RunError(f'expected to write a run to {path}, got: {error}') from error
        except BaseException:
            self.close()
            raise

    def add(self, answer: Answer) -> None:
        """Append one answer.

        Raises:
            RunError: it cannot be written; the file then ends with the answer before it.
        """
        line = memoryview(answer_line(answer))
        size = self._size + len(line)
        try:
            while line:
                line = line[self._file.write(line):]
        except OSError as error:
            with contextlib.suppress(OSError):  # else the run that goes on drops it
                self._file.truncate(self._size)
            raise RunError(
                f'expected to write an answer to {self.path / ANSWERS}, got: {error.strerror}; '
                f'{len(self.by_id)} answers are kept: make room and run the same command again '
                'to go on') from error
        self._size = size
        super().add(answer)

    def close(self) -> None:
        """Let another process have the folder."""
        self._file.close()

    def __enter__(self) -> 'RunFolder':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadRequestError(f'expected {self.path} for this run alone, but another process '
                                  'writes to it: wait for it, or take another folder') from error

    def _ask(self, question: RunQuestion, command: str) -> None:
        if (self.path / RUN).exists():
            question.require_same(_read_question(self.path)[0], self.path)
        elif os.fstat(self._file.fileno()).st_size:
            raise BadRequestError(f'expected {RUN} beside the answers in {self.path}, got none: '
                                  'what they answer is not known; take another folder')
        else:
            # In one step: a killed process leaves no half of it.
            values = {'format': FORMAT, 'question': question.as_json(), 'command': command}
            new = self.path / f'{RUN}.new'
            new.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
            new.replace(self.path / RUN)


@dataclass(frozen=True)
class Run:
    """A run as it was kept.

    Attributes:
        path: its folder.
        question, command: what was asked, and how.
        answers: by their sample's id, sorted by it, in whatever order they came.
    """

    path: Path
    question: RunQuestion
    command: str
    answers: dict[str, Answer] = field(repr=False)

    @property
    def scored(self) -> list[Answer]:
        """The answers that there was a truth to score by."""
        return [answer for answer in self.answers.values() if answer.scored]


def read_run(path: Path, unfinished: bool = False) -> Run:
    """The run in a folder; changes nothing there.

    Args:
        path: the folder.
        unfinished: whether a run may lack answers.

    Raises:
        BadRequestError: no run, one that cannot be read, or one that lacks answers.
    """
    question, command = _read_question(path)
    try:
        content = (path / ANSWERS).read_bytes()
    except OSError as error:
        raise BadRequestError(f'expected answers in {path}, got: {error}') from error
    answers, _ = parse_answers(content, path / ANSWERS)
    if len(answers) < question.samples and not unfinished:
        raise BadRequestError(
            f'expected a finished run in {path}, got {len(answers)} of {question.samples} '
            f'answers: go on with it: {command or "ask it again with --out"}')
    # Sums of floats depend on the order in their last digit.
    return Run(path, question, command, dict(sorted(answers.items())))


def _read_question(path: Path) -> tuple[RunQuestion, str]:
    try:
        values: Any = from_json((path / RUN).read_text(encoding='utf-8'))
        if values['format'] != FORMAT:
            raise ValueError(f'format {values["format"]!r} in place of {FORMAT}')
        return RunQuestion(**values['question']), str(values['command'])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadRequestError(
            f"expected the folder of a run of 'refdiff evaluate dataset --out' at {path}, with "
            f'a {RUN}; got: {error}') from error
