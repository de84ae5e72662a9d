"""The text side of Eq. (10): the sentence and its root word, or its phrase, in CLIP's space.

Letters: E width of CLIP's common space.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import logging

import torch
from torch.nn import functional as F

from refdiff_ros.discriminative.clip_vision import model_device
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.results import ReferringExpression
from refdiff_ros.stages import stage

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextFeatures:
    """Unit-norm features, each (E,) float32 on the model's device.

    Attributes:
        sentence: of the whole expression, or of the root's own phrase.
        local: of the root word alone, or of its phrase, encoded as a text of its own.
    """

    sentence: torch.Tensor
    local: torch.Tensor


@stage('clip_text')
def text_features(
    clip: ClipModels, expression: ReferringExpression, text: str = 'expression',
    local: str = 'root',
) -> TextFeatures:
    """Encode the expression and its root word, or its phrase.

    A text of more tokens than CLIP's text encoder has positions is cut there, with a warning.

    Args:
        clip: the model.
        expression: parsed.
        text: as in `sentence_of`.
        local: as in `local_of`.
    """
    sentence, beside = encode_texts(
        clip, [sentence_of(expression, text), local_of(expression, local)])  # (2, E)
    return TextFeatures(sentence=sentence, local=beside)


@stage('clip_text')
def kind_feature(clip: ClipModels, expression: ReferringExpression) -> torch.Tensor:
    """The text of the root word alone, 'the mug', (E,) float32 unit-norm."""
    return encode_texts(clip, [f'the {expression.root}'])[0]


@torch.no_grad()
def encode_texts(clip: ClipModels, texts: Sequence[str]) -> torch.Tensor:
    """Texts in CLIP's space, (T, E) unit-norm; long ones are cut as in `text_features`."""
    limit = clip.model.text_model.embeddings.position_embedding.weight.shape[0]
    full = max(len(ids) for ids in clip.tokenizer(list(texts))['input_ids'])
    if full > limit:
        _LOG.warning('the expression has %d tokens and CLIP reads %d: its end is cut', full, limit)
    tokens = clip.tokenizer(
        list(texts), padding=True, truncation=True, max_length=limit, return_tensors='pt')
    device = model_device(clip)
    pooled = clip.model.text_model(
        input_ids=tokens['input_ids'].to(device),
        attention_mask=tokens['attention_mask'].to(device)).pooler_output  # (T, D)
    return F.normalize(clip.model.text_projection(pooled).float(), dim=-1)


def sentence_of(expression: ReferringExpression, text: str) -> str:
    """The sentence that stands for `expression`.

    Args:
        expression: parsed.
        text: 'expression' for all of it; 'phrase' for the root's own noun phrase, and all of it
            where there is no such phrase ('bottom left').
    """
    return expression.phrase or expression.text if text == 'phrase' else expression.text


def local_of(expression: ReferringExpression, local: str) -> str:
    """The text that is read beside the sentence.

    Args:
        expression: parsed.
        local: 'root' for the root word, 'phrase' for its noun phrase as in `sentence_of`.
    """
    return expression.root if local == 'root' else sentence_of(expression, 'phrase')


def mix_text(features: TextFeatures, sentence_share: float) -> torch.Tensor:
    """r of Eq. (10): the mean of sentence and root word, or phrase, for a share of 0.5.

    The mean of two unit vectors is shorter than 1 and is left so: that scales the scores of all
    proposals of an expression alike.

    Args:
        features: of one expression.
        sentence_share: 0..1; the rest is the root word's or the phrase's.

    Returns:
        (E,) float32.
    """
    return sentence_share * features.sentence + (1 - sentence_share) * features.local
