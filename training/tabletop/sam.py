"""Train the segmentor: `python -m training.tabletop.sam --scenes FOLDER --out FOLDER`.

From class-agnostic instance masks: a point on an object asks for that object's mask. A point
beside all objects asks for nothing, and the model learns to give its answer there no quality.
Begin with `--size coarse`, which is cheap, then take the shipped size with `--init` of its result.

Letters: B prompts of an image, Q side of the low-resolution logits.
"""

import argparse
from collections.abc import Sequence
import logging
from pathlib import Path
import re
from typing import Any

import numpy as np
from PIL import Image
import torch
from torch.nn import functional as F

from refdiff_ros.models.sam_config import build_sam
from refdiff_ros.models.tabletop import SAM, SAM_COARSE, SAM_FINE
from training.tabletop import loop
from training.tabletop.data import SceneSet

_SIZES = {'coarse': SAM_COARSE, 'mini': SAM, 'wide': SAM_FINE}
_BACKGROUND = 1  # of the prompts
_MIN_PIXELS = 12
_BLOCKS = 'image_encoder.blocks.'
_BLOCK = re.compile(re.escape(_BLOCKS) + r'(\d+)\.(.+)')
# How a picture's light is varied: a factor for each channel, and the exponent for all.
_GAIN, _GAMMA = (0.85, 1.15), (0.8, 1.25)


def main(arguments: list[str] | None = None) -> None:
    """Train, then write `sam.pt`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    loop.add_arguments(parser, steps=2000, batch=8, rate=1.5e-3)
    parser.add_argument('--val', type=Path, help='folder of the validation split, for the curve')
    parser.add_argument('--size', choices=_SIZES, default='mini',
                        help='16x16, 24x24 or 32x32 tokens (default 24x24)')
    parser.add_argument('--prompts', type=int, default=5, help='points of a picture (default 5)')
    parser.add_argument('--init', type=Path, help='sam.pt of another size, or start.pt')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    scenes = SceneSet(options.scenes)
    checked = SceneSet(options.val) if options.val else None
    torch.manual_seed(options.seed)
    sam = build_sam(_SIZES[options.size])
    if options.init:
        state = torch.load(options.init, map_location='cpu', weights_only=True)['model']
        sam.load_state_dict(refined(state, sam))
    sam.to(options.device).train()

    def loss(rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        pictures = [varied(rng, scenes.images[row], scenes.labels[row])
                    for row in rng.choice(scenes.rows, options.batch)]
        return _loss(sam, pictures, rng, options.prompts)

    def check(averaged: torch.nn.Module) -> dict[str, float]:
        pictures = [(checked.images[row], checked.labels[row]) for row in checked.rows[:48]]
        with torch.no_grad():
            _, figures = _loss(averaged, pictures, np.random.default_rng(0), options.prompts)
        return {f'val_{name}': value for name, value in figures.items()}

    trained = loop.train(sam, loss, options, average=0.99, every=100,
                         check=check if checked else None)
    torch.save({'model': trained.state_dict()}, options.out / 'sam.pt')


def varied(
    rng: np.random.Generator, image_rgb: np.ndarray, labels: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its labels mirrored or not, in a light of another colour and strength."""
    if rng.random() < 0.5:
        image_rgb, labels = image_rgb[:, ::-1], labels[:, ::-1]
    gains, gamma = rng.uniform(*_GAIN, 3), rng.uniform(*_GAMMA)
    lit = (np.arange(256)[:, None] / 255) ** gamma * gains * 255  # (256, 3)
    table = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
    return table[image_rgb, np.arange(3)], labels


def _loss(
    sam: Any, pictures: Sequence[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator,
    count: int,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Of pictures (H, W, 3) with labels (H, W), `count` points of each."""
    images = torch.stack([fitted(sam, image) for image, _ in pictures]).to(sam.device)
    features = sam.image_encoder(images)  # (batch, C, h, w)
    total, overlaps, background = 0.0, [], []
    for feature, (_, labels) in zip(features, pictures):
        points, targets, real = prompts(labels, rng, sam.image_encoder.img_size, count)
        points = torch.from_numpy(points)[:, None].to(sam.device)
        sparse, dense = sam.prompt_encoder(
            points=(points, torch.ones(points.shape[:2], dtype=torch.int, device=sam.device)),
            boxes=None, masks=None)
        logits, quality = sam.mask_decoder(
            image_embeddings=feature[None], image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
            multimask_output=True)  # (B, 3, Q, Q), (B, 3)
        part, overlap = _mask_loss(
            logits.float(), quality.float(), torch.from_numpy(targets).to(sam.device),
            torch.from_numpy(real).to(sam.device))
        total = total + part
        overlaps.append(overlap[real].mean())
        background.append(quality.detach()[~real].max())
    return total / len(pictures), {'iou': float(torch.stack(overlaps).mean()),
                                   'background_quality': float(torch.stack(background).mean())}


def fitted(sam: Any, image_rgb: np.ndarray) -> torch.Tensor:
    """A picture as SAM's encoder sees it: long side scaled to S, the rest of the square zero."""
    height, width = image_rgb.shape[:2]
    side = sam.image_encoder.img_size
    scaled = Image.fromarray(image_rgb).resize(
        (side, round(height * side / width)), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.asarray(scaled, np.float32)).permute(2, 0, 1).contiguous()
    pixels = (pixels - sam.pixel_mean.cpu()) / sam.pixel_std.cpu()
    return F.pad(pixels, (0, 0, 0, side - pixels.shape[1]))


def refined(state: dict[str, torch.Tensor], sam: Any) -> dict[str, torch.Tensor]:
    """The weights of a coarser or shallower model of the same widths, in the shapes of `sam`.

    What differs in shape is interpolated. Of an encoder k times as deep, block i k is the old
    block i, and those between add nothing to what they are given until they are trained.
    """
    wanted = sam.state_dict()
    every = len(sam.image_encoder.blocks) // _depth(state)
    taken = {}
    for name, value in state.items():
        if block := _BLOCK.match(name):
            name = f'{_BLOCKS}{int(block[1]) * every}.{block[2]}'
        taken[name] = value if value.shape == wanted[name].shape else _resized(
            value, wanted[name].shape)
    for name in wanted.keys() - taken.keys():
        silent = '.attn.proj.' in name or '.mlp.lin2.' in name
        taken[name] = torch.zeros_like(wanted[name]) if silent else wanted[name]
    return taken


def _depth(state: dict[str, torch.Tensor]) -> int:
    return 1 + max(int(block[1]) for name in state if (block := _BLOCK.match(name)))


def _resized(value: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    if value.ndim == 2:  # relative positions (2 h - 1, width)
        return F.interpolate(value.T[None], shape[0], mode='linear')[0].T
    if value.shape[1] != 3:  # absolute positions (1, h, w, width)
        grid = F.interpolate(value.permute(0, 3, 1, 2), shape[1:3], mode='bicubic')
        return grid.permute(0, 2, 3, 1)
    area = value[0, 0].numel() / (shape[2] * shape[3])  # patches (width, 3, p, p)
    return F.interpolate(value, shape[2:], mode='bilinear', antialias=True) * area


def prompts(
    labels: np.ndarray, rng: np.random.Generator, side: int, count: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of an image, the masks that they ask for, and which of them ask for any.

    Args:
        labels: (H, W), 0 background, n object n.
        rng: draws objects and points.
        side: S of SAM's square.
        count: B.

    Returns:
        (B, 2) float32 x and y in SAM's square, (B, Q, Q) float32 covered share, (B,) bool.
    """
    height, width = labels.shape
    numbers, counts = np.unique(labels, return_counts=True)
    present = numbers[(numbers > 0) & (counts >= _MIN_PIXELS)]
    chosen = []
    if len(present):
        # Thin, small and half hidden things are harder, and asked for more often.
        weights = counts[np.isin(numbers, present)] ** -0.5
        chosen = [int(n) for n in rng.choice(
            present, count - _BACKGROUND, p=weights / weights.sum())]
    chosen += [0] * (count - len(chosen))
    scale = side / width
    points, targets = [], []
    for number in chosen:
        ys, xs = np.nonzero(labels == number)
        pick = int(rng.integers(len(ys)))
        points.append(((xs[pick] + 0.5) * scale, (ys[pick] + 0.5) * scale))
        target = np.zeros((side // 2, side // 2), np.float32)
        if number:
            mask = Image.fromarray((labels == number).astype(np.float32))
            size = (side // 2, round(height * (side // 2) / width))
            target[:size[1]] = np.asarray(mask.resize(size, Image.Resampling.BOX))
        targets.append(target)
    return (np.array(points, np.float32), np.stack(targets), np.array(chosen) > 0)


def _mask_loss(
    logits: torch.Tensor, quality: torch.Tensor, targets: torch.Tensor, real: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Focal, dice and quality loss of the best of three masks, and its IoU (B,)."""
    size = targets.shape[-1]
    logits = F.interpolate(logits, (size, size), mode='bilinear', align_corners=False)
    targets = targets[:, None].expand_as(logits)
    chance = logits.sigmoid()
    plain = F.binary_cross_entropy_with_logits(logits, targets, reduction='none')
    focal = (plain * (chance - targets).abs() ** 2).mean((2, 3))  # (B, 3)
    dice = 1 - (2 * (chance * targets).sum((2, 3)) + 1) / (
        chance.sum((2, 3)) + targets.sum((2, 3)) + 1)
    with torch.no_grad():
        cut, truth = logits > 0, targets > 0.5
        overlap = (cut & truth).sum((2, 3)) / (cut | truth).sum((2, 3)).clamp(min=1)  # (B, 3)
    best = (20 * focal + dice).min(dim=1).values  # (B,)
    # Without a mask to give, every mask's quality is 0.
    wanted = torch.where(real[:, None], overlap, torch.zeros_like(overlap))
    missed = ((quality - wanted) ** 2).mean()
    return (best * real).sum() / real.sum().clamp(min=1) + missed, overlap.max(dim=1).values


if __name__ == '__main__':
    main()
