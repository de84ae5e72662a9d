"""The method on one page: what a sentence means in a picture, in the order of the paper.

Each stage is a property that is computed when it is first asked for: correlation, proposals,
generative, discriminative, total, placed, decision, question, drawn. `result` puts them together.

Letters: N proposals, H W image height and width.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from refdiff_ros.matching import calibration, presence, question, scores, spatial
from refdiff_ros.matching.anchors import best_match, find_anchors, RelationAnchors
from refdiff_ros.matching.colour_name import ColourNames
from refdiff_ros.matching.selection import select, Selection
from refdiff_ros.prepared import PreparedFrames
from refdiff_ros.presets import Mode, Preset
from refdiff_ros.proposals.edges import along_edges
from refdiff_ros.proposals.weight_free import connected_parts, weight_free_proposals
from refdiff_ros.results import (
    Frame,
    Proposals,
    Question,
    ReferringExpression,
    Scores,
    Segmentation,
    Status,
)


@dataclass(frozen=True)
class Ask:
    """What the engine is asked.

    Attributes:
        frame: the picture; its depth, where there is one, helps with places (`spatial`).
        expression: parsed.
        mode: which of the two processes count.
        preset: the reading of the method that answers.
        seed: of the diffusion noise; the same seed gives the same answer.
    """

    frame: Frame
    expression: ReferringExpression
    mode: Mode
    preset: Preset
    seed: int = 0


class Answering:
    """One answer, stage by stage.

    Args:
        ask: what is asked.
        frames: what is kept of the frame.
        proposals: the regions to judge; None makes them as `ask` says.
    """

    def __init__(self, ask: Ask, frames: PreparedFrames, proposals: Proposals | None = None):
        self._ask = ask
        self._frames = frames
        if proposals is not None:
            self.proposals = proposals

    @cached_property
    def correlation(self) -> np.ndarray:
        """The map c of Eq. (3) to (5), (H, W) float32 in 0..1; not asked for in mode DS."""
        ask = self._ask
        return self._frames.correlations(ask.frame, [ask.expression], ask.preset, ask.seed)[0]

    @cached_property
    def proposals(self) -> Proposals:
        """The segmentor's proposals, or in mode G those of Eq. (8)."""
        ask = self._ask
        if ask.mode.segmentor:
            return self._frames.proposals(ask.frame, ask.preset)
        masks = weight_free_proposals(self.correlation, ask.preset.proposals.thresholds)
        if ask.preset.proposals.weight_free == 'parts':
            masks = connected_parts(masks)
        return Proposals(masks, np.arange(len(masks)))

    @cached_property
    def contrast(self) -> np.ndarray:
        """How Eq. (9) scores the proposals that pass the filter, (N,); NaN elsewhere."""
        proposals, contrast = self.proposals, self._unscored()
        if self._ask.mode.generative:
            contrast[proposals.rows] = scores.generative(
                self.correlation, proposals.scored, proposals.windows)
        return contrast

    @cached_property
    def generative(self) -> np.ndarray:
        """The generative score, (N,): Eq. (9), or Otsu's criterion in mode G."""
        ask, (masks, rows) = self._ask, (self.proposals.masks, self.proposals.rows)
        if ask.mode is not Mode.G or ask.preset.selection.weight_free != 'otsu':
            return self.contrast
        score = self.contrast.copy()
        score[rows] = scores.otsu(score[rows], masks[rows])
        return score

    @cached_property
    def discriminative(self) -> np.ndarray:
        """CLIP's score (Eq. (6), (7) and (10)) of the proposals that pass the filter, (N,)."""
        ask, proposals = self._ask, self.proposals
        if not ask.mode.discriminative or not len(proposals.rows):
            return self._unscored()
        clip_frame = self._frames.discriminative(ask.frame, ask.preset, proposals.masks)
        return clip_frame.score(ask.expression, proposals.rows)

    @cached_property
    def total(self) -> np.ndarray:
        """Both scores in one (Eq. (1)), (N,)."""
        return scores.combine(
            self.generative, self.discriminative, self._ask.mode, self._ask.preset.selection)

    @property
    def _unplaced(self) -> Scores:
        return Scores(total=self.total, generative=self.generative,
                      discriminative=self.discriminative, quality=self.proposals.quality)

    @cached_property
    def described(self) -> np.ndarray | None:
        """Probability that the description is true of each proposal, wherever it lies, (N,).

        None where the order is by score, or nothing is calibrated.
        """
        ask, preset, rows = self._ask, self._ask.preset, self.proposals.rows
        if preset.selection.order != 'probability' or not self._calibrated:
            return None
        found = self._unscored()
        found[rows] = calibration.described_probability(
            calibration.evidence(rows, self._unplaced, self._colours, ask.expression),
            preset.calibration.fit)
        return found

    @cached_property
    def placed(self) -> tuple[Scores, tuple[str, ...]]:
        """All scores with what the proposals' places add to them, and notes on that."""
        ask, config = self._ask, self._ask.preset.spatial
        proposals = self.proposals
        unplaced = replace(self._unplaced, probability=self.described)
        if not len(proposals.rows) or not spatial.says_where(ask.expression, config):
            return unplaced, ()
        relations: tuple[RelationAnchors, ...] = ()
        notes: tuple[str, ...] = ()
        if 'relation' in config.parts:
            relations, notes = find_anchors(
                ask.expression, self._frames.models.nlp, self._match_of)
        matches = spatial.Matches(
            self.total, self.discriminative if ask.mode.discriminative else self.generative,
            self.described)
        change = spatial.adjust(
            matches,
            spatial.Layout(proposals.masks, ask.preset.selection.rival_overlap, ask.frame.depth_m,
                           proposals.shares),
            ask.expression, relations, config)
        unplaced = replace(unplaced, anchor=best_match(relations))
        if change.change is None:
            return unplaced, notes + change.notes
        probability = None if self.described is None else matches.moved(change.change, config)
        return replace(unplaced, total=self.total + change.change, spatial=change.change,
                       probability=probability), notes + change.notes

    @cached_property
    def decision(self) -> Selection:
        """The choice of Eq. (2) and the status, as far as the preset and the bundle can tell."""
        ask, preset, proposals = self._ask, self._ask.preset, self.proposals
        placed, _ = self.placed
        chosen = select(placed.total, proposals.masks, preset.selection, proposals.shares,
                        placed.probability)
        if not self._calibrated:
            return self._by_contrast(chosen)
        evidence = calibration.evidence(
            np.array(chosen.regions[:calibration.MAX_REGIONS], int), placed, self._colours,
            ask.expression)
        judge = calibration.decide if preset.selection.decide == 'calibrated' else (
            calibration.with_confidence)
        return judge(chosen, evidence, preset.calibration)

    @property
    def _calibrated(self) -> bool:
        return self._ask.preset.calibration.mode == self._ask.mode.value

    @property
    def _colours(self) -> ColourNames:
        ask, masks = self._ask, self.proposals.masks
        if ask.mode.segmentor:
            return self._frames.colours(ask.frame, ask.preset, masks)
        return ColourNames(ask.frame.image_rgb, masks)

    def _by_contrast(self, chosen: Selection) -> Selection:
        """The decision where nothing is calibrated; random weights have nothing to compare."""
        ask, rows = self._ask, np.array(chosen.regions[:calibration.MAX_REGIONS], int)
        config = ask.preset.selection
        if config.decide != 'calibrated' or not (
                ask.mode.discriminative and self._frames.models.trained):
            return chosen
        return presence.decide(
            chosen, presence.presence(self._contrast(rows)) if len(rows) else 0.0, config)

    def _contrast(self, rows: np.ndarray) -> presence.Contrast:
        """What tells whether one of the regions `rows` (R,) is the object at all."""
        ask, (placed, _) = self._ask, self.placed
        clip_frame = self._frames.discriminative(ask.frame, ask.preset, self.proposals.masks)
        place = np.ones(len(rows)) if placed.spatial is None else spatial.place_fit(
            placed.spatial[rows], self.discriminative, ask.preset.spatial)
        return presence.Contrast(
            clip_frame.contrast(ask.expression, rows), clip_frame.scale, place,
            self.contrast[rows] if ask.mode.generative else None)

    @cached_property
    def question(self) -> Question | None:
        """What tells the candidates of an ambiguous answer apart; None for any other."""
        chosen, frame = self.decision, self._ask.frame
        if chosen.status is not Status.AMBIGUOUS:
            return None
        candidates = self.proposals.masks[[chosen.index, *chosen.rivals]]
        return question.ask(candidates, frame.image_rgb, self._ask.expression, frame.depth_m)

    @cached_property
    def drawn(self) -> np.ndarray:
        """The proposals' masks, (N, H, W), those of the answer as exact as the picture allows."""
        chosen, proposals = self.decision, self.proposals
        if not proposals.cell_px or not chosen.status.has_mask:
            return proposals.masks
        masks = proposals.masks.copy()
        for row in (chosen.index, *chosen.rivals):
            masks[row] = along_edges(self._ask.frame.image_rgb, masks[row], proposals.cell_px)
        return masks

    @property
    def result(self) -> Segmentation:
        """The answer."""
        chosen, masks, (placed, place_notes) = self.decision, self.drawn, self.placed
        mask = masks[chosen.index].copy() if chosen.status.has_mask else (
            np.zeros(self._ask.frame.size_hw, bool))
        return Segmentation(
            status=chosen.status, reason=chosen.reason, expression=self._ask.expression,
            mask=mask, score=chosen.score, confidence=chosen.confidence, index=chosen.index,
            rivals=chosen.rivals, proposals=masks, scores=placed,
            correlation=self.correlation if self._ask.mode.generative else None,
            notes=self._ask.expression.notes + place_notes + chosen.notes,
            calibrated=chosen.calibrated, presence=chosen.presence, question=self.question,
            fits=_fits(chosen))

    def _match_of(self, phrase: ReferringExpression) -> np.ndarray:
        """How well each proposal answers to another noun phrase, (N,); NaN where not scored.

        The object after 'behind' is looked for by an answer of its own on the same proposals.
        """
        other = Answering(replace(self._ask, expression=phrase), self._frames, self.proposals)
        return other.discriminative if self._ask.mode.discriminative else other.contrast

    def _unscored(self) -> np.ndarray:
        return np.full(len(self.proposals.masks), np.nan, np.float32)


def _fits(chosen: Selection) -> tuple[float, ...]:
    """The probability of each region of the answer; () where one of them was not judged."""
    known = dict(zip(chosen.regions, chosen.fits))
    shown = (chosen.index, *chosen.rivals)
    return tuple(known[row] for row in shown) if all(row in known for row in shown) else ()
