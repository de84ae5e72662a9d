"""A look at the attention during training: does its maximum lie in the object that is named?"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from refdiff_ros.generative import correlation
from refdiff_ros.language.expression import parse
from refdiff_ros.models.model_set import DiffusionModels
from refdiff_ros.models.tabletop import DIFFUSION_SIDE
from refdiff_ros.presets import GenerativeConfig
from refdiff_ros.results import Frame
from training.tabletop.data import SceneSet
from training.tabletop.latents import load_vae

_MIN_PIXELS = 60
_START_STEPS = (4, 8, 12)  # of 20: noise at t = 151, 351, 551


@cache
def _vae(path: Path) -> torch.nn.Module:
    return load_vae(path, 'cpu')[0]


def points_right(
    model: Any, tokenizer: Any, scheduler: Any, vae: Path, scenes: SceneSet, count: int = 60,
) -> dict[str, float]:
    """Pointing accuracy, and how often Eq. (9) prefers the right one of the true masks.

    Each scene is asked for one object by colour and shape, by an expression true of it alone.
    """
    models = DiffusionModels(vae=_vae(vae), unet=model['unet'], scheduler=scheduler,
                             text_encoder=model['text'], tokenizer=tokenizer)
    hits: dict[str, list[float]] = {'chance': []}
    for row in scenes.rows[:count]:
        asked = _unique(scenes, row, np.random.default_rng(row))
        if asked is None:
            continue
        number, name = asked
        frame = Frame(np.asarray(scenes.images[row]))
        masks = [scenes.labels[row] == n + 1 for n, thing in enumerate(scenes.things(row))
                 if thing.pixels >= _MIN_PIXELS]
        truth = scenes.labels[row] == number
        hits['chance'].append(1 / len(masks))
        for start in _START_STEPS:
            config = GenerativeConfig(
                image_size=DIFFUSION_SIDE, start_step=start, unet_steps=1, mask_padding=True,
                normalise='picture')
            prepared = correlation.prepare_frame(models, frame, config, 0)
            c = prepared.correlation(parse(f'the {name}'))
            best = np.unravel_index(int(c.argmax()), c.shape)
            hits.setdefault(f'points_{start}', []).append(float(truth[best]))
            means = [c[mask].mean() for mask in masks]
            chosen = masks[int(np.argmax(means))]
            hits.setdefault(f'chooses_{start}', []).append(float((chosen == truth).all()))
    return {name: round(float(np.mean(values)), 3) for name, values in hits.items()}


def _unique(
    scenes: SceneSet, row: int, rng: np.random.Generator,
) -> tuple[int, str] | None:
    things = scenes.things(row)
    names = [thing.name for thing in things]
    found = [(n + 1, thing.name) for n, thing in enumerate(things)
             if thing.pixels >= _MIN_PIXELS and names.count(thing.name) == 1]
    return found[int(rng.integers(len(found)))] if found else None
