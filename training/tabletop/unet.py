"""Train UNet and text encoder: `python -m training.tabletop.unet --scenes FOLDER --out FOLDER`.

From pairs of a picture and its caption, by the loss of denoising alone: nothing here knows where
an object is. Pictures are windows of the scenes' latents, and a caption names what is in its
window, so that few words stand beside few objects.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from refdiff_ros.models.mini_tokenizer import build_tokenizer
from refdiff_ros.models.tabletop import (
    build_scheduler,
    build_text_encoder,
    build_unet,
    DIFFUSION_SIDE,
)
from training.tabletop import loop
from training.tabletop.captions import caption
from training.tabletop.data import SceneSet, Thing
from training.tabletop.pointing import points_right

_SIDES = (16, 16, 16, 24)  # of windows, in latents
_SHOWN = 0.55  # share of an object that must lie in the window to be named
_MIN_PIXELS = 40
# Where text tells most: enough noise to hide colour and shape, not all of the layout.
_FAVOURED = (150, 850)
_FAVOURED_SHARE = 0.85


def main(arguments: list[str] | None = None) -> None:
    """Train, then write `unet.pt`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    loop.add_arguments(parser, steps=4000, batch=64, rate=1.5e-3)
    parser.add_argument('--val', type=Path, help='folder of the validation split')
    parser.add_argument('--vae', type=Path, help='vae.pt, for the curve of pointing accuracy')
    parser.add_argument('--init', type=Path, help='weights to go on from, as `start` writes them')
    parser.add_argument('--every', type=int, default=250, help='steps between lines of the curve')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    scenes = SceneSet(options.scenes)
    latents = np.load(options.scenes / 'latents.npy', mmap_mode='r')
    rows = np.flatnonzero(np.load(options.scenes / 'encoded.npy'))
    tokenizer = build_tokenizer()
    torch.manual_seed(options.seed)
    model = build(tokenizer)
    if options.init:
        model.load_state_dict(
            torch.load(options.init, map_location='cpu', weights_only=True)['model'])
    model.to(options.device)
    scheduler = build_scheduler()

    def loss(rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        side = _SIDES[int(rng.integers(len(_SIDES)))]
        batch = options.batch * _SIDES[0] ** 2 // side ** 2
        chosen = rng.choice(rows, batch)
        pairs = [window(rng, latents[row], scenes.things(row), side) for row in chosen]
        clean = torch.from_numpy(np.stack([pixels for pixels, _ in pairs])).to(options.device)
        return denoising_loss(
            model, scheduler, tokenizer, clean.float(), [text for _, text in pairs], rng), {}

    def check(averaged: nn.Module) -> dict[str, float]:
        return points_right(averaged, tokenizer, scheduler, options.vae, SceneSet(options.val))

    trained = loop.train(model, loss, options, average=0.995, every=options.every,
                         check=check if options.val and options.vae else None)
    torch.save({'model': trained.state_dict()}, options.out / 'unet.pt')


def build(tokenizer: Any) -> nn.ModuleDict:
    """UNet and text encoder; queries and keys start large enough to tell words apart."""
    model = nn.ModuleDict({'unet': build_unet(), 'text': build_text_encoder(tokenizer)})
    for name, module in model['unet'].named_modules():
        if name.endswith('attn2'):
            nn.init.normal_(module.to_q.weight, std=2 / module.to_q.in_features ** 0.5)
            nn.init.normal_(module.to_k.weight, std=2 / module.to_k.in_features ** 0.5)
    return model


def window(
    rng: np.random.Generator, latents: np.ndarray, things: tuple[Thing, ...], side: int,
) -> tuple[np.ndarray, str]:
    """A part of a scene's latents, (4, side, side), and a caption of what it shows.

    Three in four windows are laid over an object, the others anywhere.
    """
    whole = DIFFUSION_SIDE // 4
    bar = whole / 8  # black above and below a 4:3 picture
    boxes = {thing: _in_square(thing.box_xyxy, whole, bar) for thing in things
             if thing.pixels >= _MIN_PIXELS}
    highest = whole - side
    left, top = int(rng.integers(highest + 1)), int(rng.integers(highest + 1))
    if boxes and rng.random() < 0.75:
        x0, y0, x1, y1 = list(boxes.values())[int(rng.integers(len(boxes)))]
        shift = rng.uniform(-0.35, 0.35, 2) * side
        left = int(np.clip((x0 + x1 - side) / 2 + shift[0], 0, highest))
        top = int(np.clip((y0 + y1 - side) / 2 + shift[1], 0, highest))
    shown = [_inside(thing, box, left, top, side) for thing, box in boxes.items()]
    text = caption(rng, [thing for thing in shown if thing is not None])
    return np.asarray(latents[:, top:top + side, left:left + side]), text


def _in_square(box: tuple[float, ...], whole: int, bar: float) -> tuple[float, ...]:
    x0, y0, x1, y1 = box
    height = whole - 2 * bar
    return x0 * whole, bar + y0 * height, x1 * whole, bar + y1 * height


def _inside(
    thing: Thing, box: tuple[float, ...], left: int, top: int, side: int,
) -> Thing | None:
    """`thing` with its box in the window's own coordinates; None where too little is shown."""
    x0, x1 = ((x - left) / side for x in (box[0], box[2]))
    y0, y1 = ((y - top) / side for y in (box[1], box[3]))
    cut = tuple(min(1.0, max(0.0, v)) for v in (x0, y0, x1, y1))
    shown = (cut[2] - cut[0]) * (cut[3] - cut[1])
    if shown < _SHOWN * (x1 - x0) * (y1 - y0):
        return None
    return Thing(thing.shape, thing.colour, None, cut, thing.pixels, thing.depth_m)


def denoising_loss(
    model: nn.ModuleDict,
    scheduler: Any,
    tokenizer: Any,
    clean: torch.Tensor,
    texts: list[str],
    rng: np.random.Generator,
) -> torch.Tensor:
    """Mean squared error of the predicted velocity at random noise levels."""
    low, high = _FAVOURED
    steps = rng.integers(0, scheduler.config.num_train_timesteps, len(clean))
    favoured = rng.random(len(clean)) < _FAVOURED_SHARE
    steps = np.where(favoured, rng.integers(low, high, len(clean)), steps)
    at = torch.from_numpy(steps).to(clean.device)
    noise = torch.randn_like(clean)
    encoded = tokenizer(texts, padding=True, return_tensors='pt')
    # Only the start token and the words are attended: no token is free to carry everything.
    ended = (encoded.input_ids == tokenizer.eos_token_id).cumsum(dim=1) > 0
    hidden = model['text'](encoded.input_ids.to(clean.device)).last_hidden_state
    predicted = model['unet'](
        scheduler.add_noise(clean, noise, at), at, encoder_hidden_states=hidden,
        encoder_attention_mask=(~ended).to(clean.device)).sample
    return F.mse_loss(predicted, scheduler.get_velocity(clean, noise, at))


if __name__ == '__main__':
    main()
