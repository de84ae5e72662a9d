"""The engine: one bundle's answers, with what is kept between them.

The method itself is in `answering`. The engine holds no ROS and no threads; it belongs to one
caller at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
import logging
from typing import TypeVar

import numpy as np

from refdiff_ros.answering import Answering, Ask
from refdiff_ros.errors import OutOfMemoryError
from refdiff_ros.language.expression import parse
from refdiff_ros.language.instruction.door import parse_one
from refdiff_ros.models.blas import use_one_blas_thread
from refdiff_ros.models.heap import keep_freed_memory
from refdiff_ros.models.memory import free_caches, is_out_of_memory
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.models.tokenizer_threads import tokenize_on_one_thread
from refdiff_ros.prepared import PreparedFrames
from refdiff_ros.presets import get_preset, Mode, Preset
from refdiff_ros.results import Frame, ReferringExpression, Segmentation
from refdiff_ros.stages import device_clock, listen, StageTimes

_LOG = logging.getLogger(__name__)

T = TypeVar('T')


def resolve_preset(models: ModelSet, name: str) -> Preset:
    """The preset called `name` with the values that the bundle was tuned to.

    Raises:
        BadRequestError: no preset has that name, or the bundle overrides an unknown value.
    """
    return get_preset(name).override(models.overrides.get(name, {}))


class Engine:
    """Answers referring expressions on frames.

    What belongs to a frame alone is computed once and kept for the last `cached_frames` frames,
    so that a second expression on the same frame pays only for its own part.

    From then on NumPy multiplies on one thread in this process (`models.blas`), which keeps freed
    memory for the next answer (`models.heap`) and tokenizes on the thread that asks
    (`models.tokenizer_threads`).

    Attributes:
        models: the loaded bundle.
        preset, mode, seed: of an answer where the caller names no others.
    """

    def __init__(
        self,
        models: ModelSet,
        preset: Preset,
        mode: Mode = Mode.FULL,
        seed: int = 0,
        cached_frames: int = 1,
    ):
        self.models = models
        self.preset = preset
        self.mode = Mode(mode)
        self.seed = seed
        self._frames = PreparedFrames(models, cached_frames)
        self._too_large: Preset | None = None  # ran out of memory with its batches
        use_one_blas_thread()
        keep_freed_memory()
        tokenize_on_one_thread()

    def ask(
        self,
        frame: Frame,
        expression: str,
        mode: Mode | None = None,
        preset: Preset | None = None,
        seed: int | None = None,
        check: bool = True,
    ) -> Ask:
        """The question about `frame` that a text is.

        Args:
            frame: the picture.
            expression: a referring expression in English.
            mode, preset, seed: of the answer; the engine's own when None.
            check: whether a text that is more or less than one expression ('put it on the tray',
                'not the mug') is refused; data sets are asked as they are.

        Raises:
            BadRequestError: the expression cannot be used.
        """
        preset = self.preset if preset is None else preset
        read = parse_one if check else parse
        return Ask(
            frame, read(expression, self.models.nlp, preset.root),
            self.mode if mode is None else Mode(mode), preset,
            self.seed if seed is None else seed)

    def segment(
        self, frame: Frame, expression: str, mode: Mode | None = None, check: bool = True,
    ) -> Segmentation:
        """The region of `frame` that `expression` means.

        Args:
            frame: the picture; its depth, where there is one, helps with places (`spatial`).
            expression: a referring expression in English.
            mode: G, GS, DS or full; the engine's own when None.
            check: as in `ask`.

        Raises:
            BadRequestError: the expression cannot be used, or the bundle lacks what the mode
                needs.
            OutOfMemoryError: the device has no memory left, also in smaller batches.
        """
        return self.answer(self.ask(frame, expression, mode, check=check))

    def segment_all(
        self, frame: Frame, expressions: Sequence[str], mode: Mode | None = None,
        check: bool = True,
    ) -> list[Segmentation]:
        """The regions that several expressions mean, their attention maps made in one batch.

        The batch's time is in `timings_ms` of the first answer.

        Args:
            frame: the picture.
            expressions: in English.
            mode, check: as in `segment`.

        Raises:
            BadRequestError, OutOfMemoryError: as in `segment`, for any of the expressions.
        """
        asks = [self.ask(frame, text, mode, check=check) for text in expressions]
        return self._with_memory_retry(asks[0].preset, lambda preset: self._answer_all(
            [replace(ask, preset=preset) for ask in asks])) if asks else []

    def answer(self, ask: Ask) -> Segmentation:
        """The answer to `ask`.

        Raises:
            BadRequestError: the bundle lacks what the mode needs.
            OutOfMemoryError: as in `segment`.
        """
        return self._with_memory_retry(
            ask.preset, lambda preset: self._answer_all([replace(ask, preset=preset)])[0])

    def prefetch(
        self,
        frame: Frame,
        preset: Preset | None = None,
        mode: Mode | None = None,
        seed: int | None = None,
    ) -> None:
        """Compute what belongs to `frame` alone, ahead of the first expression.

        Args:
            frame: the picture.
            preset, mode, seed: of the questions to come; the engine's own when None.

        Raises:
            OutOfMemoryError: as in `segment`.
        """
        mode = self.mode if mode is None else Mode(mode)
        seed = self.seed if seed is None else seed

        def prepare(preset: Preset) -> None:
            if mode.generative:
                self._frames.generative(frame, preset, seed).prefetch()
            if mode.segmentor:
                proposals = self._frames.proposals(frame, preset)
                _ = proposals.windows, proposals.shares
                if preset.calibration.mode == mode.value:  # the decision looks at them
                    self._frames.colours(frame, preset, proposals.masks).prefetch(proposals.rows)
                if mode.discriminative:
                    self._frames.discriminative(frame, preset, proposals.masks).prefetch(
                        proposals.rows)
        self._with_memory_retry(self.preset if preset is None else preset, prepare)

    def token_attention(
        self, frame: Frame, expression: ReferringExpression,
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """The map of every token of a parsed expression: the tokens and (L, H, W) float32.

        Raises:
            OutOfMemoryError: as in `segment`.
        """
        def compute(preset: Preset) -> tuple[tuple[str, ...], np.ndarray]:
            prepared = self._frames.generative(frame, preset, self.seed)
            self.models.need('diffusion')
            return prepared.token_correlations(expression)
        return self._with_memory_retry(self.preset, compute)

    def forget_frames(self) -> None:
        """Drop everything that is kept of frames."""
        self._frames.clear_frames()

    def _answer_all(self, asks: Sequence[Ask]) -> list[Segmentation]:
        """Answers to questions about one frame, of one preset, mode and seed."""
        first, answers = asks[0], []
        batch_ms: dict[str, float] = {}
        if len(asks) > 1 and first.mode.generative:
            with self._timed() as batch_ms:
                self._frames.correlations(
                    first.frame, [ask.expression for ask in asks], first.preset, first.seed)
        for ask in asks:
            with self._timed(batch_ms) as timings_ms:
                result = Answering(ask, self._frames).result
            batch_ms = {}
            answers.append(replace(result, timings_ms=timings_ms,
                                   notes=self._untrained_note() + result.notes))
        return answers

    def _with_memory_retry(self, preset: Preset, work: Callable[[Preset], T]) -> T:
        # Once the batches were too large they stay small: trying again would cost a failure and
        # what is kept of the frame each time.
        small = _smaller_batches(preset)
        first = small if self._too_large == preset else preset
        for attempt in (first, small):
            try:
                return work(attempt)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error)
            # Behind the except block, whose error keeps the failed call's tensors alive.
            self._frames.clear()
            free_caches()
            self._too_large = preset
            _LOG.warning('out of memory (%s): caches were freed', reason)
        raise OutOfMemoryError(
            f'expected the answer to fit into the memory of {self.models.device}, but it ran out '
            'twice, the second time in small batches: lower points_per_batch, crop_batch or '
            f'image_size, or use a smaller bundle ({reason})')

    def _untrained_note(self) -> tuple[str, ...]:
        return () if self.models.trained or not self.models.notice else (self.models.notice,)

    @contextmanager
    def _timed(self, before_ms: dict[str, float] | None = None) -> Iterator[dict[str, float]]:
        """Milliseconds of each stage that runs inside, added to those of `before_ms`."""
        timings_ms = dict(before_ms or {})
        times = StageTimes(device_clock(self.models.device), numbered=False)
        times.start()
        with listen(times):
            yield timings_ms
        times.stop()
        for name, seconds in times.seconds.items():
            timings_ms[name] = timings_ms.get(name, 0.0) + seconds * 1e3


def _smaller_batches(preset: Preset) -> Preset:
    return replace(
        preset,
        proposals=replace(
            preset.proposals, points_per_batch=max(1, preset.proposals.points_per_batch // 4)),
        discriminative=replace(
            preset.discriminative, crop_batch=max(1, preset.discriminative.crop_batch // 4)))
