"""One expression on one picture, from nothing to a mask.

Letters: N masks, H W image height and width.
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from refdiff_ros.benchmark.published_order import clip, diffusion, proposals
from refdiff_ros.benchmark.published_order.settings import PublishedSettings
from refdiff_ros.errors import require
from refdiff_ros.generative.latents import latent_shape, seeded_noise
from refdiff_ros.language.expression import parse
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.stages import stage

_CROP_SHARE, _MASKED_SHARE, _ATTENTION_SHARE = 0.7, 0.3, 0.05


@dataclass(frozen=True)
class PublishedAnswer:
    """What the published order comes to.

    Attributes:
        masks: (N, H, W) bool, best predicted quality first.
        survivors: (N,) bool: masks that pass the filter.
        generative, discriminative, total: (N,) float64 scores of all masks.
        index: row of the best survivor; -1 without one.
        correlation: (H, W) float64, the map c.
    """

    masks: np.ndarray
    survivors: np.ndarray
    generative: np.ndarray
    discriminative: np.ndarray
    total: np.ndarray
    index: int
    correlation: np.ndarray


def prepare(models: ModelSet) -> ModelSet:
    """`models` with SAM in float32, as published: its generator mixes weights and float32
    coordinates. Done once, before answers are asked.
    """
    if all(weight.dtype == torch.float32 for weight in models.sam.parameters()):
        return models
    return replace(models, sam=copy.deepcopy(models.sam).float())


@torch.no_grad()
def answer(
    models: ModelSet,
    image_rgb: np.ndarray,
    expression: str,
    settings: PublishedSettings,
    seed: int = 0,
) -> PublishedAnswer:
    """Answer one expression; nothing is kept.

    Args:
        models: the loaded bundle, prepared.
        image_rgb: (H, W, 3) uint8, red first.
        expression: a referring expression.
        settings: of the models.
        seed: of the noise, as the package's engine draws it.
    """
    clip_models = require(models.clip, 'a bundle with CLIP')
    diffusion_models = require(models.diffusion, 'a bundle with a diffusion model')
    parsed = parse(expression, models.nlp, 'subject')
    masks = proposals.propose(models.sam, image_rgb, settings)
    survivors = proposals.survivors(masks, settings)
    with stage('clip_text'):
        sentence = clip.text_feature(clip_models, parsed.text)
        word = clip.text_feature(clip_models, parsed.root)
    with stage('clip_crops'):
        seen = clip.biased(image_rgb, parsed.text)
    noises = seeded_noise(
        latent_shape(diffusion_models, (settings.image_size,) * 2), seed, 2)
    token = _last_token(diffusion_models.tokenizer, parsed.text[:parsed.root_span[1]])
    c = diffusion.correlation_map(
        diffusion_models, image_rgb, parsed.text, token, noises, settings)
    with stage('clip_crops'):
        cropped = clip.crop_features(clip_models, seen, masks, settings.crop_side)
    with stage('clip_masked'):
        masked = clip.masked_features(clip_models, image_rgb, masks)
    with stage('scoring'):
        hard = (cropped @ sentence.T).view(-1)
        soft = (masked @ (0.5 * sentence + 0.5 * word).T).view(-1)
        discriminative = (_CROP_SHARE * hard + _MASKED_SHARE * soft).cpu().numpy()
        generative = np.array([_inside_minus_outside(c, mask) for mask in masks])
        total = discriminative + _ATTENTION_SHARE * generative
    with stage('selection'):
        index = int(np.where(survivors, total, -np.inf).argmax()) if survivors.any() else -1
    return PublishedAnswer(
        masks, survivors, generative, discriminative, total, index, c)


def _last_token(tokenizer: Any, until: str) -> int:
    """Position of the last token of `until` in the prompt, the start token counted.

    A token behind the last that the encoder reads is the last one before its end token.
    """
    ids = tokenizer(until, add_special_tokens=False, truncation=False)['input_ids']
    return min(len(ids), tokenizer.model_max_length - 2)


def _inside_minus_outside(c: np.ndarray, mask: np.ndarray) -> float:
    inside = (c * mask).sum() / (mask.sum() + 1e-6)
    outside = (c * ~mask).sum() / ((~mask).sum() + 1e-6)
    return float(inside - outside)
