"""What each saving gives by itself: an answer with it against the same answer without it.

    python bench/levers.py                                # tabletop_mini, in a few minutes
    python bench/levers.py --bundle sd15_vit_h --device cuda

Both are asked in turn on the same frames, and the medians are compared. With `untrained_mini`,
whose weights are random, no mask is ever poor, so that drawing good masks alone gives nothing.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
import json
from pathlib import Path
import statistics
import time
from typing import Any
from unittest.mock import patch

import torch

from refdiff_ros import caches
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.tabletop.cases import cases
from refdiff_ros.generative import attention, correlation
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.models.model_set import ModelSet
from refdiff_ros.presets import Mode
from refdiff_ros.proposals import sam, sam1, sam_embedding
from refdiff_ros.results import Frame


@dataclass(frozen=True)
class Lever:
    """A saving, and how to do without it.

    Attributes:
        name: what is saved.
        asks: 'first' (a frame never seen), 'next' (another expression on it), 'stream' (the same
            expression on a new frame) or 'four' (four expressions on a new frame).
        without: a context in which answers are given without the saving.
        exact: whether answers are the same with it, but for rounding.
        values: of the preset, with it; and those without it in `other_values`.
    """

    name: str
    asks: str
    without: Callable[[], Any] = nullcontext
    exact: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)
    other_values: Mapping[str, Any] = field(default_factory=dict)


def whole_pass(unet: Any, layers: Any, *args: Any, **kwargs: Any) -> Any:
    with attention.capture(unet, layers) as found:
        unet(*args, **kwargs)
    return found


def plain_decode(decoder: Any, seen: Any, sparse: Any, threshold: float) -> Any:
    """segment-anything's own decoder."""
    def grid(values: torch.Tensor) -> torch.Tensor:
        return values.T.unflatten(1, seen.size_hw)[None]
    nothing = torch.zeros_like(grid(seen.places))
    masks, quality = decoder.predict_masks(
        image_embeddings=grid(seen.places), image_pe=grid(seen.positions),
        sparse_prompt_embeddings=sparse, dense_prompt_embeddings=nothing)
    return masks[:, 1:].flatten(0, 1), quality[:, 1:].flatten().float()


def every_mask_drawn(decode: Callable[..., Any]) -> Callable[..., Any]:
    return lambda decoder, seen, sparse, threshold: decode(decoder, seen, sparse, 0.0)


@contextmanager
def nothing_shared(*_: Any, **__: Any) -> Iterator[None]:
    yield


def whole_batches(_seen: Any, config: Any, *_: Any) -> int:
    return config.points_per_batch


class Forgetful(caches.RecentCache):
    """Keeps nothing."""

    def get(self, key: Any, compute: Callable[[], Any]) -> Any:
        return compute()


LEVERS = (
    Lever('the diffusion pass ends at the last layer that is read', 'next',
          lambda: patch.object(attention, 'run_until_captured', whole_pass)),
    Lever('what precedes the text in the UNet is kept', 'next',
          lambda: patch.object(correlation, 'shared_prefix', nothing_shared)),
    Lever("SAM's encoder with fused attention", 'first',
          lambda: patch.object(sam_embedding.sam_encoder, 'encode',
                               lambda encoder, image, side: encoder(image)),
          values={'proposals': {'pad_square': True}},
          other_values={'proposals': {'pad_square': True}}),
    Lever("SAM's decoder with its products reordered", 'first',
          lambda: patch.object(sam1, '_decode', plain_decode)),
    Lever('masks drawn for good prompts alone', 'first',
          lambda: patch.object(sam1, '_decode',
                               every_mask_drawn(sam1._decode))),
    Lever("prompts in batches that a CPU's cache holds", 'first',
          lambda: patch.object(sam1, 'prompts_at_once', whole_batches)),
    Lever('masks judged on a CPU without drawing them whole', 'first',
          lambda: patch.object(sam, 'figures_in_pieces',
                               sam.figures_drawn)),
    Lever('texts kept from frame to frame', 'stream',
          lambda: patch.object(caches.RecentCache, 'get', Forgetful.get)),
    Lever('four expressions in one batch', 'four'),
    Lever('what belongs to the frame is kept', 'next'),
    Lever('SAM sees the picture without its padding', 'first', exact=False,
          values={'proposals': {'pad_square': False}},
          other_values={'proposals': {'pad_square': True}}),
    Lever('SAM sees four fifths of its side', 'first', exact=False,
          values={'proposals': {'pad_square': False, 'image_side': 190}},
          other_values={'proposals': {'pad_square': False}}),
    Lever('the diffusion model sees the picture without its padding', 'first', exact=False,
          values={'generative': {'pad_square': False}},
          other_values={'generative': {'pad_square': True}}),
    Lever("CLIP sees a crop's patches of the object alone", 'first', exact=False,
          values={'discriminative': {'crop_tokens': 'object'}},
          other_values={'discriminative': {'crop_tokens': 'all'}}),
    Lever('one diffusion step in place of two', 'next', exact=False,
          values={'generative': {'unet_steps': 1}},
          other_values={'generative': {'unet_steps': 2}}),
)

EXPRESSIONS = ('the red mug', 'the blue box on the left', 'the largest bowl', 'the green plate')


def ask(engine: Engine, frame: Frame, lever: Lever, saving: bool) -> float:
    """Seconds of what the lever is about."""
    if lever.asks == 'next':
        engine.forget_frames()
        engine.segment(frame, EXPRESSIONS[0])
        if not saving and lever.without is nullcontext and not lever.values:
            engine.forget_frames()
    elif lever.asks == 'stream':
        engine.segment(frame, EXPRESSIONS[0])
        engine.forget_frames()
    else:
        engine.forget_frames()
    began = time.perf_counter()
    if lever.asks == 'four' and saving:
        engine.segment_all(frame, EXPRESSIONS)
    elif lever.asks == 'four':
        for text in EXPRESSIONS:
            engine.segment(frame, text)
    else:
        engine.segment(frame, EXPRESSIONS[1] if lever.asks == 'next' else EXPRESSIONS[0])
    if engine.models.device.type == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - began


def measure(models: ModelSet, frames: list[Frame], lever: Lever, preset: str) -> dict[str, Any]:
    """Median seconds with and without a lever, and whether the masks are the same."""
    chosen = resolve_preset(models, preset)
    engines = {True: Engine(models, chosen.override(lever.values), Mode.FULL),
               False: Engine(models, chosen.override(lever.other_values), Mode.FULL)}
    seconds, same = {True: [], False: []}, []
    for number, frame in enumerate(frames):
        masks = {}
        for saving in ((True, False) if number % 2 else (False, True)):
            with nullcontext() if saving else lever.without():
                taken = ask(engines[saving], frame, lever, saving)
                masks[saving] = engines[saving].segment(frame, EXPRESSIONS[0]).mask
            if number:  # the first frame warms up
                seconds[saving].append(taken)
        same.append(bool((masks[True] == masks[False]).all()))
    with_it, without = (statistics.median(seconds[saving]) for saving in (True, False))
    return {'lever': lever.name, 'asks': lever.asks, 'exact': lever.exact, 'with_s': with_it,
            'without_s': without, 'ratio': without / with_it, 'same_masks': sum(same),
            'frames': len(same)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--bundle', default='tabletop_mini')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--preset', default='onboard')
    parser.add_argument('--frames', type=int, default=9)
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    models = load_bundle(options.bundle, device=options.device)
    frames = [asked[0].frame for asked in cases('val', 2 * options.frames)][::2]
    print(f'{models.name} on {models.device}, {models.dtype}, preset {options.preset}, '
          f'{len(frames) - 1} frames, {torch.get_num_threads()} threads')
    print(f'{"saving":<52}{"asks":>7}{"with, ms":>10}{"without":>10}{"ratio":>7}  same masks')
    results = []
    for lever in LEVERS:
        found = measure(models, frames, lever, options.preset)
        results.append(found)
        print(f'{lever.name:<52}{lever.asks:>7}{1e3 * found["with_s"]:>10.0f}'
              f'{1e3 * found["without_s"]:>10.0f}{found["ratio"]:>7.2f}  '
              f'{found["same_masks"]}/{found["frames"]}'
              f'{"" if lever.exact else " (approximation)"}', flush=True)
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))


if __name__ == '__main__':
    main()
