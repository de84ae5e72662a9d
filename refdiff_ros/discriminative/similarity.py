"""Eq. (7) and (10): how well CLIP finds each proposal to match the expression.

What belongs to a frame and its proposals alone is kept in a `DiscriminativeFrame` and filled as
it is asked for: a second expression pays for its text, and for the branch that its direction
words change if no expression had the same ones before.

Letters: N proposals, H W image height and width, E width of CLIP's common space.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.caches import RecentCache
from refdiff_ros.discriminative.clip_vision import model_device
from refdiff_ros.discriminative.crops import crop_features
from refdiff_ros.discriminative.masked_attention import (
    masked_features,
    patch_masks,
    patch_memory,
    PatchMemory,
)
from refdiff_ros.discriminative.noun_contrast import encode_others, other_texts
from refdiff_ros.discriminative.positional_bias import find_directions, positional_bias
from refdiff_ros.discriminative.retint import retinted_features
from refdiff_ros.discriminative.row_features import RowFeatures
from refdiff_ros.discriminative.text_feature import (
    kind_feature,
    local_of,
    mix_text,
    sentence_of,
    text_features,
    TextFeatures,
)
from refdiff_ros.discriminative.token_masking import token_masked_features
from refdiff_ros.errors import BadRequestError
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.presets import DiscriminativeConfig
from refdiff_ros.results import describe_array, Frame, ReferringExpression
from refdiff_ros.stages import stage

# Patch keys and values are the largest thing kept of a frame; few direction sets are in use at a
# time, and one that comes back after this many others is computed anew.
_KEPT_MEMORIES = 4

Directions = tuple[str, ...]


@dataclass(frozen=True)
class DiscriminativeFrame:
    """What CLIP knows of a frame and its proposals; see `prepare_frame`.

    Attributes:
        clip: the model.
        config: how features are computed and compared.
        image: (3, H, W) uint8 on CLIP's device.
        masks: (N, H, W) bool.
        texts: text features per sentence and what is read beside it, which frames may share.
        memories: patch keys and values per direction set.
        features: row by row, those of both branches of Eq. (7), 'masked' and 'cropped', per
            direction set, and those 'retinted'.
    """

    clip: ClipModels
    config: DiscriminativeConfig
    image: torch.Tensor
    masks: np.ndarray
    texts: RecentCache
    memories: OrderedDict[Directions, PatchMemory] = field(default_factory=OrderedDict)
    features: dict[tuple[str, Directions], RowFeatures] = field(default_factory=dict)

    def take_over(self, before: 'DiscriminativeFrame', came_from: np.ndarray) -> None:
        """Take the features of proposals that were in another frame already.

        Args:
            before: what is known of that frame.
            came_from: (N,) rows of these proposals there; -1 for those that were not.
        """
        for key, known in before.features.items():
            self.features[key] = known.moved(came_from)

    @torch.no_grad()
    def prefetch(self, rows: np.ndarray | None = None) -> None:
        """Compute ahead what any expression without direction words needs of the image.

        An expression with direction words still saves the branch that they do not bias. After
        this, `score` of the same rows pays for text alone.

        Args:
            rows: as in `score`.

        Raises:
            BadRequestError: as in `score`.
        """
        rows = self._checked(rows)
        if len(rows):
            self._branches((), rows)
            if self.config.retint > 0:
                self._retinted_rows(rows)

    @torch.no_grad()
    def score(
        self, expression: ReferringExpression, rows: np.ndarray | None = None,
    ) -> np.ndarray:
        """The discriminative score of proposals (Eq. (10)), by the configuration's reading of it.

        With `mix` 'features', v = beta * f_M + (1 - beta) * f (Eq. (7)) of unit-norm features, so
        that beta weighs directions and not lengths, and the score is v r^T (Eq. (10)) as written:
        neither v nor r is brought back to length 1; with 'cosine' both are. With 'scores', each
        branch is scored against its own mean of sentence and root word and the scores are mixed
        by beta; for equal text shares that is the same number as with 'features'.

        With `retint` above 0 the match of the retinted proposals with the root word is added, and
        the score may leave -1..1 by that weight.

        Args:
            expression: parsed.
            rows: indices of the proposals to score; None scores all.

        Returns:
            (N,) float32 in -1..1, NaN for proposals not asked for.

        Raises:
            BadRequestError: a row does not exist.
        """
        scores = np.full(len(self.masks), np.nan, np.float32)
        rows = self._checked(rows)
        if len(rows):
            text = self._text(expression)
            masked, cropped = self._branches(find_directions(expression, self.config), rows)
            matched = _match(masked, cropped, text, self.config)
            if self.config.retint > 0:
                matched = matched + self._shape_match(expression, rows)
            scores[rows] = matched.cpu().numpy()
        return scores

    @torch.no_grad()
    def contrast(self, expression: ReferringExpression, rows: np.ndarray) -> np.ndarray:
        """How well the expression and texts about other objects fit some proposals.

        Args:
            expression: parsed.
            rows: (R,) indices of the proposals, at least one.

        Returns:
            (R, 1 + K) float32: the score of `score` without what `retint` adds, then that of
            each of `other_texts`.

        Raises:
            BadRequestError: a row does not exist.
        """
        rows = self._checked(rows)
        masked, cropped = self._branches(find_directions(expression, self.config), rows)
        own = self._text(expression)
        pairs = other_texts(expression, self.config.text, self.config.text_local)
        others = self.texts.get(('others', *pairs), lambda: encode_others(self.clip, pairs))
        matches = [_match(masked, cropped, text, self.config) for text in (own, *others)]
        return np.asarray(torch.stack(matches, dim=1).cpu().numpy())

    @property
    def scale(self) -> float:
        """What CLIP multiplies a cosine with before its softmax: 100 in the published one."""
        return float(self.clip.model.logit_scale.detach().exp())

    def _checked(self, rows: np.ndarray | None) -> np.ndarray:
        count = len(self.masks)
        rows = np.arange(count) if rows is None else np.asarray(rows, np.intp)
        if len(rows) and (rows.min() < 0 or rows.max() >= count):
            raise BadRequestError(
                f'expected rows in 0..{count - 1}, got {rows.min()}..{rows.max()}')
        return rows

    def _text(self, expression: ReferringExpression) -> TextFeatures:
        kinds = self.config.text, self.config.text_local
        key = 'features', sentence_of(expression, kinds[0]), local_of(expression, kinds[1])
        return self.texts.get(key, lambda: text_features(self.clip, expression, *kinds))

    def _branches(
        self, directions: Directions, rows: np.ndarray,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """f_M and f of `rows`, each (len(rows), E); None for a branch of weight 0."""
        biased = {self.config.positional: directions}
        masked = cropped = None
        if self.config.beta > 0:
            masked = self._masked_rows(biased.get('masked_attention', ()), rows)
        if self.config.beta < 1:
            cropped = self._cropped_rows(biased.get('crop', ()), rows)
        return masked, cropped

    @stage('clip_masked')
    def _masked_rows(self, directions: Directions, rows: np.ndarray) -> torch.Tensor:
        """f_M(x * P) of `rows`, (len(rows), E)."""
        def compute(missing: np.ndarray) -> torch.Tensor:
            if self.config.masking == 'tokens':
                return token_masked_features(
                    self.clip, self._biased(directions), self._masks_of(missing), self.config)
            memory = self._memory(directions)
            visible = patch_masks(
                self._masks_of(missing), memory.grid_hw, self.config.patch_cover)
            return masked_features(self.clip, memory, visible, self.config.layer)
        return self._features('masked', directions).get(rows, compute)

    @stage('clip_crops')
    def _cropped_rows(self, directions: Directions, rows: np.ndarray) -> torch.Tensor:
        """f(x * M) of `rows`, (len(rows), E), with x * P for x where the crops see the bias."""
        def compute(missing: np.ndarray) -> torch.Tensor:
            image = self._biased(directions)
            masks = torch.from_numpy(self._masks_of(missing)).to(image.device)
            return crop_features(self.clip, image, masks, self.config)
        return self._features('cropped', directions).get(rows, compute)

    def _masks_of(self, rows: np.ndarray) -> np.ndarray:
        """Masks of different `rows`, ascending, without a copy where these are all."""
        return self.masks if len(rows) == len(self.masks) else self.masks[rows]

    def _shape_match(self, expression: ReferringExpression, rows: np.ndarray) -> torch.Tensor:
        text = self.texts.get(
            ('kind', expression.root), lambda: kind_feature(self.clip, expression))
        return self.config.retint * similarity(self._retinted_rows(rows), text)

    @stage('clip_crops')
    def _retinted_rows(self, rows: np.ndarray) -> torch.Tensor:
        """The features of `rows` in one colour, (len(rows), E)."""
        def compute(missing: np.ndarray) -> torch.Tensor:
            masks = torch.from_numpy(self._masks_of(missing)).to(self.image.device)
            return retinted_features(self.clip, self.image.float(), masks, self.config)
        return self._features('retinted', ()).get(rows, compute)

    def _features(self, kind: str, directions: Directions) -> RowFeatures:
        return self.features.setdefault((kind, directions), RowFeatures(len(self.masks)))

    def _memory(self, directions: Directions) -> PatchMemory:
        if directions not in self.memories:
            self.memories[directions] = patch_memory(
                self.clip, self._biased(directions), self.config)
            while len(self.memories) > _KEPT_MEMORIES:
                self.memories.popitem(last=False)
        self.memories.move_to_end(directions)
        return self.memories[directions]

    def _biased(self, directions: Directions) -> torch.Tensor:
        """x * P with the P of Eq. (6), (3, H, W)."""
        if not directions:
            return self.image.float()
        size_hw = self.image.shape[1], self.image.shape[2]
        bias = positional_bias(size_hw, directions, self.config.ramp)  # (H, W)
        return self.image * torch.from_numpy(bias).to(self.image.device)


def prepare_frame(
    clip: ClipModels,
    frame: Frame,
    masks: np.ndarray,
    config: DiscriminativeConfig,
    texts: RecentCache | None = None,
) -> DiscriminativeFrame:
    """Start the record of a frame and its proposals; nothing is encoded yet.

    Args:
        clip: the model.
        frame: the picture.
        masks: (N, H, W) bool proposals of the picture's size.
        config: how features are computed and compared.
        texts: keeps text features from frame to frame; one of the frame's own when None.

    Raises:
        BadRequestError: the masks have another type or size.
    """
    if masks.dtype != bool or masks.ndim != 3 or masks.shape[1:] != frame.size_hw:
        raise BadRequestError(
            f'expected masks (N, {frame.size_hw[0]}, {frame.size_hw[1]}) bool, '
            f'got {describe_array(masks)}')
    pixels = np.array(frame.image_rgb.transpose(2, 0, 1), order='C')  # (3, H, W), a copy
    image = torch.from_numpy(pixels).to(model_device(clip))
    return DiscriminativeFrame(
        clip, config, image, masks, RecentCache() if texts is None else texts)


def mix_features(
    masked: torch.Tensor | None, cropped: torch.Tensor | None, beta: float,
) -> torch.Tensor:
    """Eq. (7): v = beta * f_M + (1 - beta) * f.

    Args:
        masked: f_M, (N, E) unit-norm; None where beta is 0.
        cropped: f, (N, E) unit-norm; None where beta is 1; not both None.
        beta: 0..1.

    Returns:
        (N, E).
    """
    if masked is None or cropped is None:
        (only,) = (each for each in (masked, cropped) if each is not None)
        return only
    return beta * masked + (1 - beta) * cropped


def similarity(visual: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """Eq. (10): s = v r^T, (N,), of v (N, E) and r (E,)."""
    return visual @ text


@stage('scoring')
def _match(
    masked: torch.Tensor | None,
    cropped: torch.Tensor | None,
    text: TextFeatures,
    config: DiscriminativeConfig,
) -> torch.Tensor:
    sentence = mix_text(text, config.text_sentence)
    if config.mix != 'scores':
        visual = mix_features(masked, cropped, config.beta)
        if config.mix == 'cosine':
            visual, sentence = F.normalize(visual, dim=-1), F.normalize(sentence, dim=-1)
        return similarity(visual, sentence)
    parts = []
    if masked is not None:
        parts.append(config.beta * similarity(masked, sentence))
    if cropped is not None:
        crop_text = mix_text(text, config.text_sentence_crop)
        parts.append((1 - config.beta) * similarity(cropped, crop_text))
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]
