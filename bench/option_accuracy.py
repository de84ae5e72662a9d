"""What options cost in accuracy and save in time: paired, on the same cases.

    python bench/option_accuracy.py --limit 300 \
        --try proposals.points_per_side=10 \
        --try proposals.points_per_side=10 proposals.pad_square=false --out out/options.jsonl

Each case of the validation split is asked as the bundle ships and with each set of options, one
after the other on the same frame, a first expression each time. With `--reuse` what the options
leave alone is computed once: faster where they change the fusion or the decision only, and the CPU
times then mean nothing. Run it again when the weights have changed, and choose the defaults by it.
It prints mIoU of the best region, its mean difference with the 95 % interval (2,000 resamples of
the cases), mIoU of answers, and CPU time of an answer.
"""

import argparse
from collections.abc import Iterator, Sequence
import json
from pathlib import Path
import time

from case_options import case_parser
import numpy as np
import torch

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.evaluation.tabletop.cases import cases
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.presets import override, parse_overrides

_RESAMPLES = 2000


def main() -> None:
    """Measure, print, write."""
    parser = case_parser(__doc__.splitlines()[0])
    parser.add_argument('--try', dest='tried', nargs='+', action='append', required=True,
                        metavar='KEY=VALUE', help='a set of options; may be given again')
    parser.add_argument('--out', type=Path, help='JSON Lines, one a case; a run goes on there')
    parser.add_argument('--reuse', action='store_true', help='compute once what options share')
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = _kept(args.out)
    for row in measure(args, len(rows)):
        rows.append(row)
        if args.out is not None:
            with args.out.open('a') as file:
                file.write(json.dumps(row) + '\n')
    for line in report(rows, args.tried):
        print(line)


def _kept(path: Path | None) -> list[dict]:
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def measure(args: argparse.Namespace, skip: int = 0) -> Iterator[dict]:
    """For each case after the first `skip`, IoU and CPU seconds of each set of options."""
    models = load_bundle(args.bundle, device='cpu')
    shipped = resolve_preset(models, 'onboard')
    presets = [shipped, *(override(shipped, parse_overrides(texts)) for texts in args.tried)]
    engine = Engine(models, shipped)
    for number, (view, said, _) in enumerate(cases(args.split, args.limit, args.half)):
        if number < skip:
            continue
        truth = view.masks[said.row]
        row: dict = {'expression': said.text, 'iou': [], 'answered': [], 'cpu_s': []}
        for preset in presets:
            engine.preset = preset
            if not args.reuse:
                engine.forget_frames()
            began_s = time.process_time()
            answer = engine.segment(view.frame, said.text, check=False)
            row['cpu_s'].append(time.process_time() - began_s)
            best = answer.proposals[answer.index] if answer.index >= 0 else answer.mask
            row['iou'].append(iou(*overlap(best, truth)))
            row['answered'].append(iou(*overlap(answer.mask, truth)))
        yield row


def report(rows: Sequence[dict], tried: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each set of options."""
    scores, answered = (np.array([row[name] for row in rows])  # (cases, sets)
                        for name in ('iou', 'answered'))
    cpu_s = np.median([row['cpu_s'] for row in rows], axis=0)
    draws = np.random.default_rng(0).integers(0, len(rows), (_RESAMPLES, len(rows)))
    for place, name in enumerate(['as shipped', *map(' '.join, tried)]):
        difference = scores[:, place] - scores[:, 0]
        low, high = np.quantile(difference[draws].mean(1), (0.025, 0.975))
        yield (f'{len(rows)} cases, mIoU {scores[:, place].mean():.4f}, '
               f'{difference.mean():+.4f} ({low:+.4f} to {high:+.4f}), with refusals '
               f'{answered[:, place].mean():.4f}, {cpu_s[place] * 1e3:.0f} ms: {name}')


if __name__ == '__main__':
    main()
