"""The whole method on one frame: parse, attention, proposals, scores, selection.

The engine holds no ROS and no threads; it belongs to one caller at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
import logging
import time

import numpy as np
import torch

from refdiff_ros.discriminative import similarity
from refdiff_ros.errors import BadRequestError, OutOfMemoryError
from refdiff_ros.frame_cache import FrameCache
from refdiff_ros.generative import correlation as generative
from refdiff_ros.language.expression import parse
from refdiff_ros.matching import calibration, question, scores, spatial
from refdiff_ros.matching.anchors import find_anchors
from refdiff_ros.matching.selection import select, Selection
from refdiff_ros.models.memory import free_caches, is_out_of_memory
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.presets import get_preset, Mode, Preset
from refdiff_ros.proposals import sam
from refdiff_ros.proposals.weight_free import connected_parts, weight_free_proposals
from refdiff_ros.recent_cache import RecentCache
from refdiff_ros.results import Frame, ReferringExpression, Scores, Segmentation, Status

# Attention maps of one frame that are kept for further questions about it.
_KEPT_MAPS = 16
_LOG = logging.getLogger(__name__)


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

    Attributes:
        models: the loaded bundle.
        preset: the reading of the method that answers; may be replaced between calls.
        mode: the default mode; may be replaced between calls.
        seed: of the diffusion noise; the same seed gives the same answer.
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
        self._cache = FrameCache(cached_frames)
        self._texts = RecentCache()
        self._timings_ms: dict[str, float] = {}
        self._too_large: Preset | None = None  # ran out of memory with its batches

    def segment(self, frame: Frame, expression: str, mode: Mode | None = None) -> Segmentation:
        """The region of `frame` that `expression` means.

        Args:
            frame: the picture; its depth, where there is one, helps with places (`spatial`).
            expression: a referring expression in English.
            mode: G, GS, DS or full; the engine's own when None.

        Raises:
            BadRequestError: the expression cannot be used, or the bundle lacks what the mode
                needs.
            OutOfMemoryError: the device has no memory left, also in smaller batches.
        """
        mode = self.mode if mode is None else Mode(mode)
        parsed = parse(expression, self.models.nlp, self.preset.root)
        return self._with_memory_retry(
            lambda preset: self._segment(frame, parsed, mode, preset))

    def segment_all(
        self, frame: Frame, expressions: Sequence[str], mode: Mode | None = None,
    ) -> list[Segmentation]:
        """The regions that several expressions mean, their attention maps made in one batch.

        Args:
            frame: the picture.
            expressions: in English.
            mode: as in `segment`.

        Raises:
            BadRequestError, OutOfMemoryError: as in `segment`, for any of the expressions.
        """
        mode = self.mode if mode is None else Mode(mode)
        parsed = [parse(text, self.models.nlp, self.preset.root) for text in expressions]

        def answer(preset: Preset) -> list[Segmentation]:
            if mode.generative:
                self._correlations(frame, parsed, preset)
            return [self._segment(frame, one, mode, preset) for one in parsed]
        return self._with_memory_retry(answer)

    def prefetch(self, frame: Frame) -> None:
        """Compute what belongs to `frame` alone, ahead of the first expression.

        Raises:
            OutOfMemoryError: as in `segment`.
        """
        def prepare(preset: Preset) -> None:
            if self.mode.generative:
                self._generative_frame(frame, preset)
            if self.mode.segmentor:
                proposals, rows, _ = self._segmentor_proposals(frame, preset)
                if self.mode.discriminative:
                    similarity.prefetch(
                        self.models.clip,
                        self._discriminative_frame(frame, preset, proposals),
                        preset.discriminative, rows)
        self._with_memory_retry(prepare)

    def token_attention(
        self, frame: Frame, expression: ReferringExpression,
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """The map of every token of a parsed expression, as `generative.token_correlations`.

        Raises:
            OutOfMemoryError: as in `segment`.
        """
        def compute(preset: Preset) -> tuple[tuple[str, ...], np.ndarray]:
            prepared = self._generative_frame(frame, preset)
            self.models.need('diffusion')
            return generative.token_correlations(
                self.models.diffusion, prepared, expression, preset.generative)
        return self._with_memory_retry(compute)

    def forget_frames(self) -> None:
        """Drop everything that is kept of frames."""
        self._cache.clear()

    def _segment(
        self, frame: Frame, parsed: ReferringExpression, mode: Mode, preset: Preset,
    ) -> Segmentation:
        self._timings_ms = {}
        correlation = self._correlation(frame, parsed, preset) if mode.generative else None
        quality = None
        if mode.segmentor:
            proposals, rows, quality = self._segmentor_proposals(frame, preset)
        else:
            proposals = weight_free_proposals(correlation, preset.proposals.thresholds)
            if preset.proposals.weight_free == 'parts':
                proposals = connected_parts(proposals)
            rows = np.arange(len(proposals))
        result = self._scores(frame, parsed, mode, preset, proposals, rows, correlation)
        result, place_notes = self._with_places(
            frame, parsed, mode, preset, proposals, rows, result)
        result = replace(result, quality=quality)
        with self._timed('selection'):
            chosen = self._chosen(frame, parsed, mode, preset, proposals, result)
            asked = None
            if chosen.status is Status.AMBIGUOUS:
                rows = [chosen.index, *chosen.rivals]
                asked = question.ask(proposals[rows], frame.image_rgb, parsed, frame.depth_m)
        empty = np.zeros(frame.size_hw, bool)
        return Segmentation(
            status=chosen.status, reason=chosen.reason, expression=parsed,
            mask=proposals[chosen.index].copy() if chosen.status.has_mask else empty,
            score=chosen.score, confidence=chosen.confidence, index=chosen.index,
            rivals=chosen.rivals, proposals=proposals, scores=result, correlation=correlation,
            timings_ms=dict(self._timings_ms),
            notes=self._untrained_note() + parsed.notes + place_notes + chosen.notes,
            calibrated=chosen.calibrated, presence=chosen.presence, question=asked)

    def _chosen(
        self,
        frame: Frame,
        parsed: ReferringExpression,
        mode: Mode,
        preset: Preset,
        proposals: np.ndarray,
        result: Scores,
    ) -> Selection:
        """The best proposal, and the decision as far as the preset and the bundle can tell."""
        chosen = select(result.total, proposals, preset.selection)
        if preset.calibration.mode != mode.value:
            return chosen
        known = calibration.evidence(
            np.array(chosen.regions[:calibration.MAX_REGIONS], int), result, proposals,
            frame.image_rgb, parsed)
        judge = calibration.decide if preset.selection.decide == 'calibrated' else (
            calibration.with_confidence)
        return judge(chosen, known, preset.calibration)

    def _generative_frame(self, frame: Frame, preset: Preset) -> generative.GenerativeFrame:
        config = preset.generative

        def compute() -> generative.GenerativeFrame:
            self.models.need('diffusion')
            with self._timed('generative_frame'):
                return generative.prepare_frame(
                    self.models.diffusion, frame, config, self.seed, self._texts)
        return self._cache.get(frame, ('generative', config, self.seed), compute)

    def _correlation(
        self, frame: Frame, parsed: ReferringExpression, preset: Preset,
    ) -> np.ndarray:
        return self._correlations(frame, [parsed], preset)[0]

    def _correlations(
        self, frame: Frame, expressions: Sequence[ReferringExpression], preset: Preset,
    ) -> list[np.ndarray]:
        """The maps of all expressions; those that are not kept are computed in one batch."""
        prepared = self._generative_frame(frame, preset)
        kept = self._cache.get(
            frame, ('maps', preset.generative, self.seed),
            lambda: RecentCache(max(_KEPT_MAPS, len(expressions))))
        missing = [one for one in dict.fromkeys(expressions) if one not in kept]
        found = {}
        if missing:
            self.models.need('diffusion')
            with self._timed('correlation'):
                found = dict(zip(missing, generative.correlations(
                    self.models.diffusion, prepared, missing, preset.generative), strict=True))
        return [kept.get(one, lambda one=one: found[one]) for one in expressions]

    def _segmentor_proposals(
        self, frame: Frame, preset: Preset,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """SAM's proposals (N, H, W), the rows that pass the filter, and its estimate (N,)."""
        if self.models.sam is None:
            raise BadRequestError(
                f"expected a bundle with a segmentor, got '{self.models.name}' without one: "
                'use mode G')
        config = preset.proposals

        def compute() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            self.models.need('sam')
            with self._timed('proposals'):
                found = sam.propose(self.models.sam, frame, config)
                rows = sam.filter_proposals(found.masks, config)
                return found.masks, rows, found.predicted_iou
        return self._cache.get(frame, ('proposals', config), compute)

    def _scores(
        self,
        frame: Frame,
        parsed: ReferringExpression,
        mode: Mode,
        preset: Preset,
        proposals: np.ndarray,
        rows: np.ndarray,
        correlation: np.ndarray | None,
    ) -> Scores:
        """Scores of the surviving `rows`; NaN elsewhere and for a score the mode does not use."""
        nothing = np.full(len(proposals), np.nan, np.float32)
        by_attention, by_clip = nothing.copy(), nothing.copy()
        if mode.generative:
            with self._timed('generative_score'):
                by_attention[rows] = scores.generative(correlation, proposals[rows])
                if mode is Mode.G and preset.selection.weight_free == 'otsu':
                    by_attention[rows] = scores.otsu(by_attention[rows], proposals[rows])
        if mode.discriminative and len(rows):
            by_clip = self._discriminative(frame, parsed, preset, proposals, rows)
        total = scores.combine(by_attention, by_clip, mode, preset.selection)
        return Scores(total=total, generative=by_attention, discriminative=by_clip)

    def _with_places(
        self,
        frame: Frame,
        parsed: ReferringExpression,
        mode: Mode,
        preset: Preset,
        proposals: np.ndarray,
        rows: np.ndarray,
        result: Scores,
    ) -> tuple[Scores, tuple[str, ...]]:
        """The scores with what the proposals' places add to them, and notes on that."""
        if not len(rows) or not spatial.says_where(parsed, preset.spatial):
            return result, ()
        relations, notes = (), ()
        if 'relation' in preset.spatial.parts:
            relations, notes = find_anchors(
                parsed, self.models.nlp,
                lambda alone: self._match(frame, alone, mode, preset, proposals, rows))
        match = result.discriminative if mode.discriminative else result.generative
        with self._timed('spatial'):
            found = spatial.adjust(
                result.total, match, proposals, parsed, relations, preset.spatial,
                preset.selection.rival_overlap, frame.depth_m)
        if found.change is not None:
            result = replace(result, total=result.total + found.change, spatial=found.change)
        return result, notes + found.notes

    def _match(
        self,
        frame: Frame,
        alone: ReferringExpression,
        mode: Mode,
        preset: Preset,
        proposals: np.ndarray,
        rows: np.ndarray,
    ) -> np.ndarray:
        """How well each of `rows` answers to a noun phrase by itself; NaN elsewhere."""
        if mode.discriminative:
            return self._discriminative(frame, alone, preset, proposals, rows)
        correlation = self._correlation(frame, alone, preset)
        match = np.full(len(proposals), np.nan, np.float32)
        match[rows] = scores.generative(correlation, proposals[rows])
        return match

    def _discriminative(
        self,
        frame: Frame,
        parsed: ReferringExpression,
        preset: Preset,
        proposals: np.ndarray,
        rows: np.ndarray,
    ) -> np.ndarray:
        prepared = self._discriminative_frame(frame, preset, proposals)
        with self._timed('discriminative'):
            return similarity.score(
                self.models.clip, prepared, parsed, preset.discriminative, rows)

    def _discriminative_frame(
        self, frame: Frame, preset: Preset, proposals: np.ndarray,
    ) -> similarity.DiscriminativeFrame:
        self.models.need('clip')
        config = preset.discriminative
        return self._cache.get(
            frame, ('discriminative', config, preset.proposals),
            lambda: similarity.prepare_frame(
                self.models.clip, frame, proposals, config, self._texts))

    def _with_memory_retry(self, work: Callable[[Preset], object]) -> object:
        # Once the batches were too large they stay small: trying again would cost a failure and
        # what is kept of the frame each time.
        small = _smaller_batches(self.preset)
        first = small if self._too_large == self.preset else self.preset
        for preset in (first, small):
            try:
                return work(preset)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error)
            # Behind the except block, whose error keeps the failed call's tensors alive.
            self._free()
            self._too_large = self.preset
            _LOG.warning('out of memory (%s): caches were freed', reason)
        raise OutOfMemoryError(
            f'expected the answer to fit into the memory of {self.models.device}, but it ran out '
            'twice, the second time in small batches: lower points_per_batch, crop_batch or '
            f'image_size, or use a smaller bundle ({reason})')

    def _free(self) -> None:
        self._cache.clear()
        self._texts.clear()
        free_caches()

    def _untrained_note(self) -> tuple[str, ...]:
        return () if self.models.trained or not self.models.notice else (self.models.notice,)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self.models.device.type == 'cuda':
            torch.cuda.synchronize(self.models.device)
        self._timings_ms[stage] = (time.perf_counter() - start) * 1e3


def _smaller_batches(preset: Preset) -> Preset:
    return replace(
        preset,
        proposals=replace(
            preset.proposals, points_per_batch=max(1, preset.proposals.points_per_batch // 4)),
        discriminative=replace(
            preset.discriminative, crop_batch=max(1, preset.discriminative.crop_batch // 4)))
