"""What belongs to a frame alone, computed once and kept for the last frames.

A second expression on the same frame finds the noised latents, the proposals and the features of
the proposals here, and pays only for its own part.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from refdiff_ros.caches import FrameCache, RecentCache
from refdiff_ros.discriminative import similarity
from refdiff_ros.errors import BadRequestError
from refdiff_ros.generative import correlation
from refdiff_ros.matching.colour_name import ColourNames
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.presets import Preset, ProposalConfig
from refdiff_ros.proposals import still
from refdiff_ros.results import Frame, Proposals, ReferringExpression

# Attention maps of one frame that are kept for further questions about it.
_KEPT_MAPS = 16


_Known = TypeVar('_Known', ColourNames, similarity.DiscriminativeFrame)


@dataclass(frozen=True)
class _StillFrame:
    """The last frame, of which proposals may stay.

    Attributes:
        config: under which its proposals were made.
        seen: its proposals.
        before: what was known of the proposals of the frame before, by its key.
        known: what is known of these.
    """

    config: ProposalConfig
    seen: still.Seen
    before: dict[Hashable, Any]
    known: dict[Hashable, Any] = field(default_factory=dict)


class PreparedFrames:
    """The parts of an answer that no expression changes, for the last `capacity` frames.

    Every part is kept under the configuration that made it, so that a change of the preset
    computes anew only what it touches. Not thread-safe: it belongs to the engine's one caller.

    Attributes:
        models: the loaded bundle.
    """

    def __init__(self, models: ModelSet, capacity: int = 1):
        self.models = models
        self._frames = FrameCache(capacity)
        self._texts = RecentCache()
        self._still: _StillFrame | None = None

    def clear(self) -> None:
        """Drop everything that is kept, of frames and of texts."""
        self.clear_frames()
        self._texts.clear()

    def clear_frames(self) -> None:
        """Drop everything that is kept of frames."""
        self._frames.clear()
        self._still = None

    def generative(self, frame: Frame, preset: Preset, seed: int) -> correlation.GenerativeFrame:
        """The noised latents (Eq. (3)) and what else the diffusion model knows of the frame."""
        config = preset.generative

        def compute() -> correlation.GenerativeFrame:
            return correlation.prepare_frame(
                self.models.need('diffusion'), frame, config, seed, self._texts)
        return self._frames.get(frame, ('generative', config, seed), compute)

    def correlations(
        self, frame: Frame, expressions: Sequence[ReferringExpression], preset: Preset, seed: int,
    ) -> list[np.ndarray]:
        """The maps c (Eq. (5)) of all expressions; those not kept are computed in one batch.

        Returns:
            (H, W) float32 in 0..1 for each.
        """
        prepared = self.generative(frame, preset, seed)
        kept = self._frames.get(
            frame, ('maps', preset.generative, seed),
            lambda: RecentCache(max(_KEPT_MAPS, len(expressions))))
        missing = [each for each in dict.fromkeys(expressions) if each not in kept]
        maps: dict[ReferringExpression, np.ndarray] = {}
        if missing:
            self.models.need('diffusion')
            maps = dict(zip(missing, prepared.correlations(missing), strict=True))
        return [kept.get(each, partial(maps.__getitem__, each)) for each in expressions]

    def proposals(self, frame: Frame, preset: Preset) -> Proposals:
        """The segmentor's proposals, and which of them pass the filter.

        Raises:
            BadRequestError: the bundle has no segmentor.
        """
        if self.models.sam is None:
            raise BadRequestError(
                f"expected a bundle with a segmentor, got '{self.models.name}' without one: "
                'use mode G')
        config, model = preset.proposals, self.models.need('sam')

        def compute() -> Proposals:
            if not config.still_within:
                return still.propose(model, frame, config)
            return self._changed_proposals(model, frame, config)
        return self._frames.get(frame, ('proposals', config), compute)

    def colours(self, frame: Frame, preset: Preset, masks: np.ndarray) -> ColourNames:
        """The colours of the segmentor's proposals `masks` (N, H, W) under `preset`."""
        def compute() -> ColourNames:
            names = ColourNames(frame.image_rgb, masks)
            return self._with_known(names, 'colours', masks)
        return self._frames.get(frame, ('colours', preset.proposals), compute)

    def discriminative(
        self, frame: Frame, preset: Preset, masks: np.ndarray,
    ) -> similarity.DiscriminativeFrame:
        """What CLIP knows of the frame and the proposals `masks` (N, H, W) of `preset`."""
        clip, config = self.models.need('clip'), preset.discriminative

        def compute() -> similarity.DiscriminativeFrame:
            prepared = similarity.prepare_frame(clip, frame, masks, config, self._texts)
            return self._with_known(prepared, config, masks)
        return self._frames.get(
            frame, ('discriminative', config, preset.proposals), compute)

    def _changed_proposals(
        self, model: Any, frame: Frame, config: ProposalConfig,
    ) -> Proposals:
        last = self._still if self._still is not None and self._still.config == config else None
        seen = still.propose_changed(model, frame, config, None if last is None else last.seen)
        self._still = _StillFrame(config, seen, {} if last is None else last.known)
        return seen.proposals

    def _with_known(self, found: _Known, key: Hashable, masks: np.ndarray) -> _Known:
        """`found` with what is known of those of its proposals that the frame before had."""
        frame = self._still
        if frame is not None and frame.seen.proposals.masks is masks:
            if key in frame.before:
                found.take_over(frame.before[key], frame.seen.came_from)
            frame.known[key] = found
        return found
