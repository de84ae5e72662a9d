"""What answers the samples of a run: the interface, and this process as the plain case."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Protocol

import torch

from refdiff_ros.evaluation.request import load_engine, RunRequest
from refdiff_ros.evaluation.run import Answer, answer_samples, Sample
from refdiff_ros.evaluation.runs.record import Loaded
from refdiff_ros.models.manager import DEFAULT_BUNDLE
from refdiff_ros.models.weights_digest import weights_sha256
from refdiff_ros.warming import warm_up


class Answerer(Protocol):
    """Whatever answers: this process, or others for it.

    Attributes:
        loaded: what it answers with.
    """

    loaded: Loaded

    def answer(self, samples: Sequence[Sample], on_answer: Callable[[Answer], None]) -> None:
        """Answer everything; an error on one sample does not lose the others.

        Args:
            samples: those of one picture after each other.
            on_answer: told of each answer as it comes, in any order.
        """


class InProcess:
    """This process answers, one sample after the other.

    Args:
        request: what is asked.

    Raises:
        RefDiffError: the bundle or the preset's values cannot be used.
    """

    def __init__(self, request: RunRequest):
        self.engine = load_engine(request)
        models, preset = self.engine.models, self.engine.preset
        self.loaded = Loaded(
            models.name, models.trained, models.notice,
            weights_sha256(request.bundle or DEFAULT_BUNDLE, models), asdict(preset),
            models.device.type, str(models.dtype).split('.')[-1], torch.__version__)
        self._warm = False

    def warm_up(self) -> None:
        """Run each model once, if it has not been; raises as `manager.warm_up`."""
        if not self._warm:
            warm_up(self.engine.models, self.engine.preset)
            self._warm = True

    def answer(self, samples: Sequence[Sample], on_answer: Callable[[Answer], None]) -> None:
        """As `Answerer.answer`, in order."""
        if samples:
            self.warm_up()
        answer_samples(self.engine, samples, lambda answer, _: on_answer(answer))
