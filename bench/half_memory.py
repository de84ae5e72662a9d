"""The most memory that an answer takes in 16 bit, counted on a machine without a GPU.

    python bench/half_memory.py --preset onboard                # the paper's sizes: minutes
    python bench/half_memory.py --segmentor vit_b               # of a lighter bundle
    python bench/half_memory.py --size mini                     # tries the script itself

Models, what is computed and what is kept are in 16 bit, so that tensors are as large as on a GPU,
and prompts come in a GPU's batches. CPUs that multiply 16 bit numbers slowly are spared that:
matrix products, convolutions and attention are computed in float32, from copies that are not
counted. Not counted is also what a GPU's libraries take for themselves and what its allocator
cannot use.

`low_memory` is the same with one model on the device at a time: the other models' weights are
taken off. Seconds mean nothing here, and with random weights neither do answers.
"""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
import json
from pathlib import Path
import time
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from refdiff_ros.benchmark.asked import draw_picture
from refdiff_ros.benchmark.line_up import line_up, load_models
from refdiff_ros.benchmark.measure import counted_pass
from refdiff_ros.models.memory import module_bytes, modules
from refdiff_ros.models.residency import GROUPS
from refdiff_ros.models.sizes import size_text
from refdiff_ros.models.untrained_sizes import LIGHTER, OWN
from refdiff_ros.proposals import sam, sam1
from refdiff_ros.results import Frame

_aten = torch.ops.aten
_PRODUCTS = {
    _aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm, _aten.baddbmm_, _aten.matmul, _aten.linear,
    _aten.conv2d, _aten.convolution, _aten.conv_transpose2d, _aten.scaled_dot_product_attention,
    _aten._scaled_dot_product_flash_attention_for_cpu}
_HALF = (torch.float16, torch.bfloat16)
# Which model works in a stage; a stage that is not here works with what others made.
_STAGES = {
    'diffusion': ('vae', 'prompt', 'unet', 'attention', 'correlation'),
    'sam': ('sam_encoder', 'sam_prompts', 'sam_masks'),
    'clip': ('clip_masked', 'clip_crops', 'clip_text', 'scoring'),
}


class ProductsInFloat(TorchDispatchMode):
    """Inside, products of 16 bit tensors are computed in float32 and rounded."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func._overloadpacket not in _PRODUCTS:
            return func(*args, **kwargs)
        dtype = next((value.dtype for value in args
                      if isinstance(value, torch.Tensor) and value.dtype in _HALF), None)
        if dtype is None:
            return func(*args, **kwargs)
        wide = [_wide(value) for value in args]
        result = func(*wide, **{name: _wide(value) for name, value in kwargs.items()})
        if func._schema.is_mutable:
            return args[0].copy_(wide[0])
        # Attention also gives sums, which are float32 on a GPU too.
        if isinstance(result, tuple):
            return result[0].to(dtype), *result[1:]
        return result.to(dtype)


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.dtype in _HALF else value


@contextmanager
def as_on_a_gpu() -> Iterator[None]:
    """Batches and drawn masks as on a GPU, and products that a CPU can compute."""
    with patch.object(
            sam1, 'prompts_at_once', lambda _seen, config, *_: config.points_per_batch
    ), patch.object(
            sam, 'figures_in_pieces', sam.figures_drawn), ProductsInFloat():
        yield


def one_at_a_time(peaks: Mapping[str, int], weights: dict[str, int]) -> tuple[int, str]:
    """The most with one model on the device, and the stage in which that is."""
    found = {}
    for group, stages in _STAGES.items():
        away = sum(size for name, size in weights.items() if name not in GROUPS[group])
        found.update({stage: peaks[stage] - away for stage in stages if stage in peaks})
    stage = max(found, key=found.get)
    return found[stage], stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--size', choices=('mini', 'medium', 'full'), default='full')
    parser.add_argument('--bundle', help='a real bundle in place of random weights')
    parser.add_argument('--segmentor', choices=(OWN, *LIGHTER), default=OWN)
    parser.add_argument('--preset', nargs='+', default=['onboard'])
    parser.add_argument('--dtype', choices=('bfloat16', 'float32'), default='bfloat16')
    parser.add_argument('--proposals', type=int)
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    options.segmentor = [options.segmentor]
    options.device, options.baseline, options.seed, options.compile = 'cpu', ['none'], 0, False
    frame = Frame(draw_picture((480, 640)))
    results: list[dict[str, Any]] = []
    with as_on_a_gpu():
        models = load_models(options, frame)
        weights = {name: module_bytes(module) for name, module in modules(models).items()}
        print(f'{models.name}, {options.dtype}, picture 640x480; weights '
              f'{size_text(sum(weights.values()))}: '
              + ', '.join(f'{name} {size_text(size)}' for name, size in weights.items()),
              flush=True)
        contestants, _ = line_up(models, frame, options, {}, options.proposals)
        for contestant in contestants:
            for part, text in (('first', 'the red mug'), ('next', 'the blue box on the left')):
                # Called a second time it keeps the frame.
                seconds, counts = counted_pass(
                    partial(contestant.answer, frame, text), models.device, time.perf_counter,
                    numbered=False)
                alone, stage = one_at_a_time(counts.tensor_peaks, weights)
                results.append({
                    'preset': contestant.name, 'part': part, 'dtype': options.dtype,
                    'peak_bytes': counts.tensor_peak, 'stages': counts.tensor_peaks,
                    'weights': weights,
                    'low_memory_bytes': alone, 'low_memory_stage': stage})
                _tell(results[-1], sum(seconds.values()))
                if options.json:
                    options.json.write_text(json.dumps(results, indent=1))
            contestant.forget()


def _tell(found: dict[str, Any], seconds: float) -> None:
    print(f'{found["preset"]}, {found["part"]}: at most {size_text(found["peak_bytes"])}; with '
          f'low_memory {size_text(found["low_memory_bytes"])} (in {found["low_memory_stage"]}); '
          f'{seconds:.0f} s')
    base = sum(found['weights'].values())
    for stage, size in found['stages'].items():
        print(f'  {stage:<13}{size_text(size):>9}, {size_text(size - base):>9} above the weights')
    print(flush=True)


if __name__ == '__main__':
    main()
