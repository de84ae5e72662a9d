"""Train CLIP: `python -m training.tabletop.clip --scenes FOLDER --out FOLDER`.

From pictures with texts, contrastively. A text that happens to be true of another picture of the
batch counts neither for nor against it, nor does one that no picture of training can contradict:
see `views.truth`. Of masks that show no object (`training.tabletop.regions`) no text is true.

Letters: B views, F views of no object, T texts that differ.
"""

import argparse
from collections.abc import Sequence
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from refdiff_ros.models.mini_tokenizer import build_tokenizer
from refdiff_ros.models.model_set import ClipModels
from refdiff_ros.models.tabletop import build_clip, CLIP_PATCH, CLIP_SIDE_OF, NAME
from refdiff_ros.sim.splits import VAL_HELD_OUT
from refdiff_ros.sim.worlds import PAIRS
from training.tabletop import loop
from training.tabletop.data import SceneSet
from training.tabletop.regions import Regions
from training.tabletop.views import false_view, object_view, Pairs, random_view, truth, View

POSITIONS = 'vision_model.embeddings.position_embedding.weight'
_DARK = ('black', 'brown', 'white')
_LOGIT_LIMIT = 4.6  # of the log of the temperature's inverse, as CLIP's


def main(arguments: list[str] | None = None) -> None:
    """Train, then write `clip.pt`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    loop.add_arguments(parser, steps=4000, batch=96, rate=1.5e-3)
    parser.add_argument('--val', type=Path, help='folder of the validation split, for the curve')
    parser.add_argument('--side', type=int, default=CLIP_SIDE_OF[NAME],
                        help=f'pixels of a view, in patches of {CLIP_PATCH} (default %(default)s)')
    parser.add_argument('--init', type=Path,
                        help='weights to begin with, as `clip.pt`, maybe of another side')
    parser.add_argument('--false', type=int, default=0, help=(
        'views of no object in a batch, from regions.npz of the scenes (default 0)'))
    options = parser.parse_args(arguments)
    side = options.side
    if side % CLIP_PATCH:
        parser.error(f'expected --side in patches of {CLIP_PATCH}, got {side}')
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    scenes = SceneSet(options.scenes)
    checked = SceneSet(options.val) if options.val else None
    tokenizer = build_tokenizer()
    torch.manual_seed(options.seed)
    model = build_clip(tokenizer, side).train()
    if options.init:
        state = torch.load(options.init, map_location='cpu', weights_only=True)['model']
        model.load_state_dict(resized(state, side))
    model.to(options.device)
    known = known_pairs(scenes)
    unknown = all_pairs(known) - known
    regions = Regions(options.scenes, scenes.labels.shape[1:]) if options.false else None

    def loss(rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        views = [random_view(rng, scenes, side, unknown, regions)
                 for _ in range(options.batch)]
        false = [] if regions is None else [
            false_view(rng, scenes, side, regions) for _ in range(options.false)]
        return contrastive_loss(model, tokenizer, views, unknown, false)

    def check(averaged: Any) -> dict[str, float]:
        return naming(ClipModels(averaged, tokenizer), checked, sorted(all_pairs(known)))

    trained = loop.train(model, loss, options, average=0.995, every=250,
                         check=check if checked else None)
    torch.save({'model': trained.state_dict()}, options.out / 'clip.pt')


def side_of(state: dict[str, torch.Tensor]) -> int:
    """Pixels of a side that a model with these weights sees."""
    return math.isqrt(len(state[POSITIONS]) - 1) * CLIP_PATCH


def resized(state: dict[str, torch.Tensor], side: int) -> dict[str, torch.Tensor]:
    """The weights of a model that sees `side` pixels: its patches' places are interpolated."""
    table, old, new = state[POSITIONS], side_of(state) // CLIP_PATCH, side // CLIP_PATCH
    grid = F.interpolate(table[1:].T.reshape(1, -1, old, old), (new, new), mode='bicubic')
    # The first place is the class token's.
    return {**state, POSITIONS: torch.cat([table[:1], grid.reshape(table.shape[1], -1).T])}


def known_pairs(scenes: SceneSet) -> Pairs:
    """The pairs of shape and colour, or surface, that the rendered scenes have."""
    return frozenset((thing['shape'], thing['colour']) for row in scenes.rows
                     for thing in scenes.described(row))


def all_pairs(known: Pairs) -> Pairs:
    """`known`, and what else could be made of its shapes and its colours, or surfaces."""
    shapes, names = ({pair[place] for pair in known} for place in (0, 1))
    return known | {(shape, name) for shape, name in PAIRS['tabletop20']
                    if shape in shapes and name in names}


def pixels_of(clip: ClipModels, pictures: np.ndarray, device: torch.device) -> torch.Tensor:
    """(B, S, S, 3) uint8 as the vision tower's input (B, 3, S, S)."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (clip.mean, clip.std))
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return ((pixels - mean) / std).contiguous().to(device)


def _image_features(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    return F.normalize(model.visual_projection(pooled), dim=-1)


def _text_features(model: Any, tokenizer: Any, texts: list[str]) -> torch.Tensor:
    encoded = tokenizer(texts, padding=True, return_tensors='pt').to(model.logit_scale.device)
    pooled = model.text_model(**encoded).pooler_output
    return F.normalize(model.text_projection(pooled), dim=-1)


def contrastive_loss(
    model: Any, tokenizer: Any, views: list[View], unknown: Pairs = frozenset(),
    false: Sequence[View] = (),
) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross-entropy of views over texts and of texts over views, the F of no object among them."""
    texts = sorted({view.text for view in views})
    shown = [*views, *false]
    own, also = (torch.from_numpy(judged).to(model.logit_scale.device)
                 for judged in truth(shown, texts, unknown))  # (B + F, T), own none of the F
    pictures = np.stack([view.pixels for view in shown])
    images = _image_features(
        model, pixels_of(ClipModels(model, tokenizer), pictures, own.device))
    scale = model.logit_scale.clamp(max=_LOGIT_LIMIT).exp()
    logits = images @ _text_features(model, tokenizer, texts).T * scale
    logits = logits.masked_fill(also, -1e4)
    of_views = -torch.log_softmax(logits, dim=1)[own].mean()
    shares = torch.log_softmax(logits, dim=0).masked_fill(~own, -torch.inf)
    of_texts = -(torch.logsumexp(shares, dim=0) - own.sum(dim=0).log()).mean()
    right = own.gather(1, logits.argmax(dim=1, keepdim=True))[:len(views)].float().mean()
    return (of_views + of_texts) / 2, {'right': float(right)}


@torch.no_grad()
def naming(
    clip: ClipModels, scenes: SceneSet, pairs: Sequence[tuple[str, str]], count: int = 300,
) -> dict[str, float]:
    """How often an object cut out by its true mask is named rightly among all `pairs`.

    Of pairs that training had and of those that validation asks for, of which the dark ones, and
    how often colour or surface, and shape.
    """
    side = clip.model.config.vision_config.image_size
    names = _text_features(clip.model, clip.tokenizer, [f'the {c} {s}' for s, c in pairs])
    views, truths = [], []
    for row in scenes.rows[:count]:
        for number, thing in enumerate(scenes.things(row), start=1):
            if thing.pixels >= 60:
                mask = scenes.labels[row] == number
                views.append(object_view(scenes.images[row], mask, side, 1.15, 'grey'))
                truths.append((thing.colour, thing.shape))
    device = clip.model.logit_scale.device
    features = torch.cat([
        _image_features(clip.model, pixels_of(clip, np.stack(views[i:i + 128]), device))
        for i in range(0, len(views), 128)])
    chosen = [pairs[i][::-1] for i in (features @ names.T).argmax(dim=1).tolist()]
    right = np.array([a == b for a, b in zip(chosen, truths)])
    unseen = np.array([(shape, name) in VAL_HELD_OUT for name, shape in truths])
    dark = np.array([name in _DARK for name, _ in truths])
    groups = {'seen': ~unseen, 'unseen': unseen, 'dark_seen': dark & ~unseen,
              'dark_unseen': dark & unseen}
    figures = {name: round(float(right[group].mean()), 3)
               for name, group in groups.items() if group.any()}
    for place, what in enumerate(('colours', 'shapes')):
        figures[what] = round(float(np.mean(
            [a[place] == b[place] for a, b in zip(chosen, truths)])), 3)
    return figures


if __name__ == '__main__':
    main()
