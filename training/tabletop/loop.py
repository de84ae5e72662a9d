"""A training loop that can be stopped at any moment and goes on where it was.

Each step draws its data from a generator seeded by (seed, step), so that a run in pieces sees
what an unbroken one sees.
"""

import argparse
from collections.abc import Callable
import copy
import json
import logging
import math
from pathlib import Path
import time

import numpy as np
import torch
from torch import nn

_LOG = logging.getLogger('training')
_WARM_UP = 200


def add_arguments(parser: argparse.ArgumentParser, steps: int, batch: int, rate: float) -> None:
    """The options that all trainings have."""
    parser.add_argument('--scenes', required=True, type=Path, help='folder of the train split')
    parser.add_argument('--out', required=True, type=Path, help='folder of checkpoints and curve')
    parser.add_argument('--steps', type=int, default=steps)
    parser.add_argument('--batch', type=int, default=batch)
    parser.add_argument('--rate', type=float, default=rate, help='peak learning rate')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--bfloat16', action='store_true', help=(
        'compute in bfloat16 where it does no harm: 1.3 times as fast on a CPU that has it'))
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    if step < _WARM_UP:
        return peak * (step + 1) / _WARM_UP
    share = (step - _WARM_UP) / max(1, steps - _WARM_UP)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


# The options of one loop that all trainings share.
def train(
    model: nn.Module,
    loss: Callable[[np.random.Generator], tuple[torch.Tensor, dict[str, float]]],
    options: argparse.Namespace,
    average: float = 0.998,
    check: Callable[[nn.Module], dict[str, float]] | None = None,
    every: int = 500,
    save_seconds: float = 120.0,
) -> nn.Module:
    """Minimise `loss` over the weights of `model`.

    Args:
        model: trained in place.
        loss: from a step's generator to the loss and figures to log.
        options: of `add_arguments`.
        average: decay of the running average of the weights.
        check: figures of the averaged model, logged every `every` steps.
        every: steps between checks and lines of the log.
        save_seconds: seconds between checkpoints.

    Returns:
        A copy of `model` with averaged weights.
    """
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{'params': decayed, 'weight_decay': 0.01}, {'params': others, 'weight_decay': 0.0}],
        lr=options.rate, betas=(0.9, 0.98))
    averaged = copy.deepcopy(model).requires_grad_(False)
    path = options.out / 'checkpoint.pt'
    step, seconds = 0, 0.0
    if path.exists():
        state = torch.load(path, map_location=options.device, weights_only=True)
        model.load_state_dict(state['model'])
        averaged.load_state_dict(state['averaged'])
        optimizer.load_state_dict(state['optimizer'])
        step, seconds = state['step'], state['seconds']
        _LOG.info('going on at step %d', step)

    def save() -> None:
        state = {'model': model.state_dict(), 'averaged': averaged.state_dict(),
                 'optimizer': optimizer.state_dict(), 'step': step, 'seconds': seconds}
        torch.save(state, path.with_suffix('.part'))
        path.with_suffix('.part').replace(path)

    started = saved = time.monotonic()
    sums: dict[str, float] = {}
    counted = 0  # steps in `sums`: fewer than `every` after a stop
    while step < options.steps:
        for group in optimizer.param_groups:
            group['lr'] = learning_rate(step, options.steps, options.rate)
        torch.manual_seed(options.seed * 1_000_003 + step)
        with torch.autocast(options.device, torch.bfloat16, enabled=options.bfloat16):
            value, figures = loss(np.random.default_rng([options.seed, step]))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        _follow(averaged, model, min(average, (step + 1) / (step + 10)))
        step += 1
        for name, figure in {'loss': float(value.detach()), **figures}.items():
            sums[name] = sums.get(name, 0.0) + figure
        counted += 1
        now = time.monotonic()
        if step % every == 0 or step == options.steps:
            line = {'step': step, 'seconds': round(seconds + now - started, 1),
                    **{name: round(total / counted, 5) for name, total in sums.items()}}
            sums, counted = {}, 0
            if check is not None:
                averaged.eval()
                line |= check(averaged)
            with (options.out / 'curve.jsonl').open('a') as file:
                file.write(json.dumps(line) + '\n')
            _LOG.info('%s', line)
        if now - saved > save_seconds or step == options.steps:
            seconds, started, saved = seconds + now - started, now, now
            save()
    return averaged.eval()


@torch.no_grad()
def _follow(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    for kept, new in zip(averaged.parameters(), model.parameters()):
        kept.lerp_(new, 1 - decay)
    for kept, new in zip(averaged.buffers(), model.buffers()):
        kept.copy_(new)
