"""What is measured: presets of the engine with all that a robot waits for, and the baseline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from refdiff_ros.engine import Engine
from refdiff_ros.errors import MissingPackageError, require
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.presets import Preset
from refdiff_ros.results import Frame, Segmentation

# Baselines by what becomes of attention that nobody reads, as in `PublishedSettings`.
BASELINES = {'whole': 'published', 'sliced': 'published, sliced', 'fused': 'published, fused'}


@dataclass(frozen=True)
class Outcome:
    """What can be compared between contestants.

    Attributes:
        proposals: (N, H, W) bool.
        rows: proposals that passed the filter, ascending.
        scores: of those rows, by name: 'generative', 'discriminative', 'total'.
        index: row of the chosen proposal; -1 without one.
        mask: (H, W) bool.
        correlation: (H, W) the map c.
    """

    proposals: np.ndarray
    rows: np.ndarray
    scores: dict[str, np.ndarray]
    index: int
    mask: np.ndarray
    correlation: np.ndarray


class Contestant(Protocol):
    """One way to answer.

    Attributes:
        name: short.
        keeps: whether a second expression on a frame may cost less than the first.
        notes: what was not done, a sentence each.
    """

    name: str
    keeps: bool
    notes: tuple[str, ...]

    def answer(self, frame: Frame, expression: str) -> Outcome:
        """Everything from the picture to the messages."""

    def forget(self) -> None:
        """Drop everything that is kept."""

    def prefetch(self, frame: Frame) -> None:
        """What can be done before anything is asked; nothing where nothing is kept."""

    def answer_all(self, frame: Frame, expressions: Sequence[str]) -> list[Outcome]:
        """Several expressions at once, where that may cost less than one after the other."""


class EngineContestant:
    """A preset of the engine, with grasp region and ROS messages where they can be made."""

    keeps = True

    def __init__(self, models: ModelSet, preset: Preset, seed: int = 0):
        self.name = preset.name
        self._make_engine = lambda: Engine(models, preset, seed=seed)
        self.engine = self._make_engine()
        self._grasp, grasp_note = _grasp_stage()
        self._messages, message_note = _message_stage()
        self.notes = tuple(note for note in (grasp_note, message_note) if note)

    def answer(self, frame: Frame, expression: str) -> Outcome:
        """Segment, find the grasp region, make the service's response."""
        return self._finish(frame, self.engine.segment(frame, expression, check=False))

    def prefetch(self, frame: Frame) -> None:
        """As the node does with its parameter `prefetch`."""
        self.engine.prefetch(frame)

    def answer_all(self, frame: Frame, expressions: Sequence[str]) -> list[Outcome]:
        """The same for several expressions at once."""
        return [self._finish(frame, found)
                for found in self.engine.segment_all(frame, expressions, check=False)]

    def _finish(self, frame: Frame, found: Segmentation) -> Outcome:
        if self._grasp is not None:
            grasp = self._grasp(found.mask, frame.depth_m, frame.camera)
            if self._messages is not None:
                self._messages(self.engine, frame, found, grasp)
        rows = np.flatnonzero(np.isfinite(found.scores.total))
        return Outcome(
            proposals=found.proposals, rows=rows, index=found.index, mask=found.mask,
            scores={name: getattr(found.scores, name)[rows]
                    for name in ('generative', 'discriminative', 'total')},
            correlation=require(found.correlation, 'the map c of an answer'))

    def forget(self) -> None:
        """Drop what the engine keeps, of frames and of texts."""
        self.engine = self._make_engine()


class PublishedContestant:
    """The baseline: answers by `benchmark/published_order`, and keeps nothing."""

    keeps = False
    notes: tuple[str, ...] = ('no grasp region and no messages: the published code has none',)

    def __init__(self, models: ModelSet, released: Preset, attention: str, seed: int = 0):
        """`released` is the preset whose values are taken; `attention` see `PublishedSettings`."""
        # Its parts import diffusers and segment-anything, which presets need not.
        from refdiff_ros.benchmark import published_order

        self.name = BASELINES[attention]
        self._order = published_order
        self._models = published_order.prepare(models)
        self._settings = published_order.settings_of(released, attention)
        self._seed = seed

    def answer(self, frame: Frame, expression: str) -> Outcome:
        """Everything, from the beginning."""
        found = self._order.answer(
            self._models, frame.image_rgb, expression, self._settings, self._seed)
        rows = np.flatnonzero(found.survivors)
        mask = found.masks[found.index] if found.index >= 0 else np.zeros(frame.size_hw, bool)
        return Outcome(
            proposals=found.masks, rows=rows, index=found.index, mask=mask,
            scores={name: getattr(found, name)[rows]
                    for name in ('generative', 'discriminative', 'total')},
            correlation=found.correlation)

    def prefetch(self, frame: Frame) -> None:
        """Nothing is kept."""

    def answer_all(self, frame: Frame, expressions: Sequence[str]) -> list[Outcome]:
        """One after the other."""
        return [self.answer(frame, expression) for expression in expressions]

    def forget(self) -> None:
        """Nothing is kept."""


def _grasp_stage() -> tuple[Callable[..., Any] | None, str]:
    try:
        from refdiff_ros.grasp.region import grasp_region
        grasp_region(np.ones((8, 8), bool), None, None)  # OpenCV is imported when it is needed
    except MissingPackageError as error:
        return None, f'no grasp region and no messages: {error}'
    return grasp_region, ''


def _message_stage() -> tuple[Callable[..., Any] | None, str]:
    try:
        from std_msgs.msg import Header

        from refdiff_ros.ros.answers import Answer
        from refdiff_ros.ros.messages import service_response
    except ModuleNotFoundError as error:
        return None, (f"no messages: '{error.name}' cannot be imported; source the built "
                      'workspace to measure them')

    def messages(engine: Engine, frame: Frame, found: Segmentation, grasp: Any) -> None:
        service_response(Answer(
            found.status, found.reason, found.expression.text, Header(), frame, found, grasp,
            engine.models.name, engine.preset.name, str(engine.mode.value)))
    return messages, ''
