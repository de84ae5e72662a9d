"""Samples asked: what an engine answers to them and how well, wherever they come from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
import time
from typing import TYPE_CHECKING

import numpy as np

from refdiff_ros.errors import attempt, BadRequestError, error_text
from refdiff_ros.evaluation.metrics.iou import best_iou, iou, overlap, require_overlap
from refdiff_ros.evaluation.metrics.pointing import pointing
from refdiff_ros.results import Frame, Segmentation, Status

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine

UNREADABLE = 'UNREADABLE'


@dataclass(frozen=True)
class Sample:
    """A referring expression, its picture and the mask that it means: of a data set, a bag, a
    simulation.

    Attributes:
        sample_id: unique within its data set, and the same in every run.
        image_id: of the picture; samples of one picture should follow each other, since the
            engine keeps what belongs to a frame.
        expression: what was said.
        load: reads the picture and the true mask, (H, W) bool, when they are needed; raises a
            RefDiffError where it cannot.
        tags: what figures are broken down by, such as {'kind': 'relation', 'distractors': '2'}.
    """

    sample_id: str
    image_id: str
    expression: str
    load: Callable[[], tuple[Frame, np.ndarray]]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What came of one sample.

    Attributes:
        sample: that was asked.
        frame, truth: the picture and the true mask, (H, W) bool; None where they could not be
            read.
        segmentation: the engine's answer; None after an error.
        error: what kept the engine from answering.
        seconds: the engine took; what belongs to the picture is in its first sample. Reading the
            picture is not counted.
    """

    sample: Sample
    frame: Frame | None = None
    truth: np.ndarray | None = None
    segmentation: Segmentation | None = None
    error: Exception | None = None
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """Name of the answer's status, or of what the error comes to."""
        if self.segmentation is not None:
            return self.segmentation.status.name
        if self.truth is None:
            return UNREADABLE
        return Status.of_error(self.error).name

    @property
    def trouble(self) -> str:
        """The error's message, or ''."""
        return '' if self.error is None else error_text(self.error)


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
        seconds: as in `Reply`.
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


OnAnswer = Callable[[Answer, Reply], None]


def answer_samples(
    engine: 'Engine', samples: Iterable[Sample], on_answer: OnAnswer | None = None,
) -> list[Answer]:
    """Ask `engine` everything, as `ask_samples`, and score what it answers.

    Args:
        engine, samples: as in `ask_samples`.
        on_answer: told of each answer as it comes, and of what it was made from.

    Raises:
        MissingPackageError: as in `ask_samples`.
    """
    answers = []
    for reply in ask_samples(engine, samples):
        answers.append(score(reply))
        if on_answer is not None:
            on_answer(answers[-1], reply)
    return answers


def ask_samples(engine: 'Engine', samples: Iterable[Sample]) -> Iterator[Reply]:
    """Ask `engine` everything; an error on one sample does not lose the others.

    The one loop of all evaluations in a process.

    Args:
        engine: answers, in its own mode; keeps what belongs to a picture between samples that
            follow each other.
        samples: read one by one, as they are asked.

    Raises:
        MissingPackageError: pictures cannot be read, or expressions answered, for want of a
            package.
    """
    return (_ask(engine, sample) for sample in samples)


def _ask(engine: 'Engine', sample: Sample) -> Reply:
    loaded, error = attempt(lambda: _loaded(sample))
    if loaded is None:
        return Reply(sample, error=error)
    frame, truth = loaded
    began = time.perf_counter()
    answer, error = attempt(
        lambda: engine.segment(frame, sample.expression, check=False))
    return Reply(sample, frame, truth, answer, error, time.perf_counter() - began)


def score(reply: Reply) -> Answer:
    """How well a sample was answered."""
    sample, truth, answer = reply.sample, reply.truth, reply.segmentation
    failed = Answer(
        sample.sample_id, sample.image_id, sample.expression, reply.status,
        union=0 if truth is None else int(truth.sum()), seconds=reply.seconds,
        error=reply.trouble, tags=dict(sample.tags))
    if answer is None or truth is None:
        return failed
    shared, covered = overlap(answer.mask, truth)
    return replace(
        failed, error='', iou=iou(shared, covered), intersection=shared, union=covered,
        oracle_iou=best_iou(answer.proposals, truth),
        pointing=None if answer.correlation is None else pointing(answer.correlation, truth))


def _loaded(sample: Sample) -> tuple[Frame, np.ndarray]:
    frame, truth = sample.load()
    if truth.shape != frame.size_hw:
        raise BadRequestError(
            f"expected a mask of the picture's size {frame.size_hw} (height, width), got "
            f'{truth.shape}: it belongs to another picture')
    return frame, truth
