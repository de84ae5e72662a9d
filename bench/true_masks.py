"""How often the right one of the true masks is chosen: what is lost beside is the segmentor's.

    python bench/true_masks.py --bundle tabletop_wide --split tabletop20_val --half seen \
        --limit 420

The objects' own masks stand in the place of SAM's proposals, everything else is as shipped.
Prints the share of cases by kind whose choice is the object meant.
"""

from collections import defaultdict

from case_options import case_parser
import numpy as np
import torch

from refdiff_ros.answering import Answering
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.tabletop.cases import cases
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.prepared import PreparedFrames
from refdiff_ros.presets import parse_overrides
from refdiff_ros.results import Proposals

_QUALITY = 0.9  # as SAM rates a good mask


def main() -> None:
    """Ask, and print."""
    parser = case_parser(__doc__.splitlines()[0])
    parser.add_argument('--set', nargs='+', default=[], metavar='KEY=VALUE', dest='options',
                        help='options, such as selection.alpha=0')
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = load_bundle(args.bundle, device='cpu')
    engine = Engine(models, resolve_preset(models, 'onboard').override(
        parse_overrides(args.options)))
    frames = PreparedFrames(models)
    right = defaultdict(list)
    for view, said, _ in cases(args.split, args.limit, args.half):
        seen = np.flatnonzero(view.masks.any(axis=(1, 2)))
        masks = view.masks[seen]
        proposals = Proposals(
            masks, np.arange(len(masks)), np.full(len(masks), _QUALITY, np.float32))
        ask = engine.ask(view.frame, said.text, check=False)
        answer = Answering(ask, frames, proposals).result
        right[said.kind].append(seen[answer.index] == said.row)
    right['all'] = [one for found in right.values() for one in found]
    for kind, found in right.items():
        print(f'{kind:12s} {len(found):5d} {np.mean(found):6.1%}')


if __name__ == '__main__':
    main()
