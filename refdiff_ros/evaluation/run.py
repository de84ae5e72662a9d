"""Samples asked: what an engine answers to them and how well, wherever they come from."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
import logging
import time
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from refdiff_ros.errors import (
    BadRequestError,
    MissingPackageError,
    OutOfMemoryError,
    RefDiffError,
)
from refdiff_ros.evaluation.metrics.overlap import best_iou, iou, overlap, require_overlap
from refdiff_ros.evaluation.metrics.pointing import pointing
from refdiff_ros.evaluation.sample import Sample
from refdiff_ros.presets import Mode
from refdiff_ros.results import Frame, Segmentation, Status

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine

_LOG = logging.getLogger(__name__)

UNREADABLE = 'UNREADABLE'


@dataclass(frozen=True)
class Answer:
    """One sample and how well it was answered.

    Attributes:
        sample_id, image_id, expression, tags: of the sample.
        status: name of the answer's status, or of what the error comes to; `UNREADABLE` where
            picture or truth could not be read, so that there is nothing to score.
        iou: of answer and truth; 0 after an error.
        intersection, union: pixels.
        pointing: 1 where c peaks on the object that is meant, else 0; None without c.
        oracle_iou: of the best proposal; None after an error.
        seconds: the engine took; what belongs to the picture is in its first sample. Reading the
            picture is not counted.
        error: the error's message, or ''.

    Raises:
        BadRequestError: counts that no two masks have.
    """

    sample_id: str
    image_id: str
    expression: str
    status: str
    iou: float = 0.0
    intersection: int = 0
    union: int = 0
    pointing: float | None = None
    oracle_iou: float | None = None
    seconds: float = 0.0
    error: str = ''
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        require_overlap(self.intersection, self.union, self.iou)

    @property
    def scored(self) -> bool:
        """Whether there was a picture and a truth to score by."""
        return self.status != UNREADABLE

    @property
    def group(self) -> str:
        """Answers of one picture are not independent; bootstraps draw them together."""
        return self.image_id


OnAnswer = Callable[[Answer, Frame | None, np.ndarray | None, Segmentation | None], None]


def answer_samples(
    engine: 'Engine', samples: Iterable[Sample], mode: Mode | None = None,
    on_case: OnAnswer | None = None,
) -> list[Answer]:
    """Ask `engine` everything; an error on one sample does not lose the others.

    Args:
        engine: answers; keeps what belongs to a picture between samples that follow each other.
        samples: read one by one, as they are asked.
        mode: G, GS, DS or full; the engine's own when None.
        on_case: told of each answer as it comes, with the picture, the truth (H, W) bool and the
            engine's answer, each None where an error came before it.

    Raises:
        MissingPackageError: pictures cannot be read for want of a package.
    """
    answers = []
    for sample in samples:
        found, seconds = None, 0.0
        loaded, error = attempt(lambda sample=sample: _loaded(sample))
        frame, truth = loaded or (None, None)
        if frame is not None:
            began = time.perf_counter()
            found, error = attempt(lambda frame=frame, sample=sample: engine.segment(
                frame, sample.expression, mode))
            seconds = time.perf_counter() - began
        answer = _answer(sample, truth, found, error, seconds)
        answers.append(answer)
        if on_case is not None:
            on_case(answer, frame, truth, found)
    return answers


Result = TypeVar('Result')


def attempt(ask: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    """What `ask` returns, or the error that it raises: one bad case must not end a run of hours.

    Raises:
        MissingPackageError: every case would meet it.
    """
    try:
        return ask(), None
    except MissingPackageError:
        raise
    except RefDiffError as error:
        return None, error
    except Exception as error:  # a fault of this package, counted as such
        _LOG.exception('unexpected error; the run goes on')
        return None, error


def error_text(error: Exception) -> str:
    """An error as a sentence."""
    if isinstance(error, RefDiffError):
        return str(error)
    return f'unexpected {type(error).__name__}: {error}'


def _loaded(sample: Sample) -> tuple[Frame, np.ndarray]:
    frame, truth = sample.load()
    if truth.shape != frame.size_hw:
        raise BadRequestError(
            f"expected a mask of the picture's size {frame.size_hw} (height, width), got "
            f'{truth.shape}: it belongs to another picture')
    return frame, truth


def _answer(
    sample: Sample, truth: np.ndarray | None, found: Segmentation | None,
    error: Exception | None, seconds: float,
) -> Answer:
    asked = {'sample_id': sample.sample_id, 'image_id': sample.image_id,
             'expression': sample.expression, 'tags': dict(sample.tags), 'seconds': seconds}
    if truth is None:
        return Answer(**asked, status=UNREADABLE, error=error_text(error))
    if found is None:
        return Answer(**asked, status=status_of(error).name, union=int(truth.sum()),
                      error=error_text(error))
    shared, covered = overlap(found.mask, truth)
    return Answer(
        **asked, status=found.status.name, iou=iou(shared, covered), intersection=shared,
        union=covered, oracle_iou=best_iou(found.proposals, truth),
        pointing=None if found.correlation is None else pointing(found.correlation, truth))


def status_of(error: Exception | None) -> Status:
    """What an error that kept the engine from answering comes to."""
    if isinstance(error, BadRequestError):
        return Status.BAD_REQUEST
    return Status.OUT_OF_MEMORY if isinstance(error, OutOfMemoryError) else Status.INTERNAL
