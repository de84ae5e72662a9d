"""What belongs to a frame alone, computed once and kept for the last frames.

A second expression on the same frame finds the noised latents, the proposals and the features of
the proposals here, and pays only for its own part.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from refdiff_ros.caches import FrameCache, RecentCache
from refdiff_ros.discriminative import similarity
from refdiff_ros.errors import BadRequestError
from refdiff_ros.generative import correlation
from refdiff_ros.matching.colour_name import ColourNames
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.presets import Preset
from refdiff_ros.proposals import sam
from refdiff_ros.proposals.edges import proposals_along_edges
from refdiff_ros.results import Frame, Proposals, ReferringExpression

# Attention maps of one frame that are kept for further questions about it.
_KEPT_MAPS = 16


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

    def clear(self) -> None:
        """Drop everything that is kept, of frames and of texts."""
        self._frames.clear()
        self._texts.clear()

    def clear_frames(self) -> None:
        """Drop everything that is kept of frames."""
        self._frames.clear()

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
        config = preset.proposals

        def compute() -> Proposals:
            found = sam.propose(self.models.need('sam'), frame, config)
            rows = sam.filter_proposals(found.masks, config)
            if config.edges == 'model':
                return Proposals(found.masks, rows, found.quality)
            cell_px = proposals_along_edges(frame.image_rgb, found.masks, found.cell_px)
            return Proposals(found.masks, rows, found.quality, cell_px)
        return self._frames.get(frame, ('proposals', config), compute)

    def colours(self, frame: Frame, preset: Preset, masks: np.ndarray) -> ColourNames:
        """The colours of the segmentor's proposals `masks` (N, H, W) under `preset`."""
        return self._frames.get(
            frame, ('colours', preset.proposals),
            lambda: ColourNames(frame.image_rgb, masks))

    def discriminative(
        self, frame: Frame, preset: Preset, masks: np.ndarray,
    ) -> similarity.DiscriminativeFrame:
        """What CLIP knows of the frame and the proposals `masks` (N, H, W) of `preset`."""
        clip, config = self.models.need('clip'), preset.discriminative
        return self._frames.get(
            frame, ('discriminative', config, preset.proposals),
            lambda: similarity.prepare_frame(clip, frame, masks, config, self._texts))
