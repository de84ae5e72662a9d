"""What `refdiff demo` answers over many seeds: right, refused, asked about, wrong.

    python bench/demo_seeds.py --seeds 50
    python bench/demo_seeds.py --seeds 50 --bundle tabletop_wide --world tabletop20

The scenes, sizes and expressions of the demo, and its node's models, without the graph. A row is
right where it is FOUND and its mask has an IoU of 0.5 or more with the object that is meant.
Prints counts and shares.
"""

import argparse
from collections import Counter

import torch

from refdiff_ros.demo.cli import scene
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.results import Status
from refdiff_ros.sim.worlds import add_world_option

_EXPRESSIONS = 6  # as the demo asks through the service; one more comes through the topic
_RIGHT_IOU = 0.5


def main() -> None:
    """Ask, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bundle', default='tabletop_mini', help='name or folder')
    parser.add_argument('--seeds', type=int, default=50, help='from 0 on')
    add_world_option(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = load_bundle(args.bundle, device='cpu')
    preset = resolve_preset(models, 'onboard')
    counts: Counter[str] = Counter()
    for seed in range(args.seeds):
        engine = Engine(models, preset, seed=seed)  # of the noise, as the demo's node has it
        view, asked = scene(seed, args.world, _EXPRESSIONS)
        for text, row in asked:
            answer = engine.segment(view.frame, text)
            if answer.status is not Status.FOUND:
                counts[answer.status.name] += 1
                continue
            right = iou(*overlap(answer.mask, view.masks[row])) >= _RIGHT_IOU
            counts['right' if right else 'wrong'] += 1
    total = sum(counts.values())
    for name, count in counts.most_common():
        print(f'{name:10s} {count:5d} of {total} {count / total:6.1%}')


if __name__ == '__main__':
    main()
