"""What tells a segmentor's good masks from its bad ones: its own estimate, or other prompts too.

    python bench/mask_ratings.py --bundle tabletop_wide --split tabletop20_val --half seen \
        --limit 80

Of `--limit` scenes, for both values of `proposals.rated_by`: how often a mask that shows an object
is rated higher than one that shows none, both drawn by lot from one scene, how well the mask that
is rated highest on each object draws it, and how many masks are left.
"""

from case_options import case_parser
import numpy as np
import torch

from refdiff_ros.engine import resolve_preset
from refdiff_ros.evaluation.tabletop.cases import scene_range
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.proposals.sam import propose
from refdiff_ros.sim.sightings import see
from refdiff_ros.sim.splits import split_views

# IoU with an object from which a mask shows it, and below which it shows none.
_SHOWS, _MISSES = 0.8, 0.6
_ON = 0.5  # share of a mask that lies on an object


def main() -> None:
    """Propose, compare with the objects, print."""
    args = case_parser(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    models = load_bundle(args.bundle, device='cpu')
    preset = resolve_preset(models, 'onboard')
    scenes = scene_range(args.split, args.half)[:args.limit]
    configs = {rating: preset.override({'proposals': {'rated_by': rating}}).proposals
               for rating in ('model', 'agreement')}
    told, drawn, counts = ({rating: [] for rating in configs} for _ in range(3))
    for view in split_views(args.split, scenes, depth=False):
        objects = [seen.row for seen in see(view) if seen.clear]
        for rating, config in configs.items():
            found = propose(models.sam, view.frame, config)
            overlap, on = _overlaps(found.masks, view.masks)  # (N, K)
            best = overlap.max(axis=1)
            good, bad = found.quality[best >= _SHOWS], found.quality[best < _MISSES]
            if len(good) and len(bad):
                told[rating].append((good[:, None] > bad).mean())
            for row in objects:
                above = np.flatnonzero(on[:, row] > _ON)  # best rated first
                drawn[rating].append(overlap[above[0], row] if len(above) else 0.0)
            counts[rating].append(len(found.masks))
    for rating in configs:
        print(f'{rating:10s} told apart {np.mean(told[rating]):.3f}, IoU of the best rated '
              f'{np.mean(drawn[rating]):.3f} of {len(drawn[rating])} objects, '
              f'{np.mean(counts[rating]):.1f} masks a scene')


def _overlaps(masks: np.ndarray, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU of masks (N, H, W) with objects (K, H, W), and how much of each mask lies on each."""
    flat, truth = (part.reshape(len(part), -1).astype(np.float32) for part in (masks, objects))
    shared, areas = flat @ truth.T, np.maximum(flat.sum(axis=1), 1)[:, None]
    return shared / np.maximum(areas + truth.sum(axis=1) - shared, 1), shared / areas


if __name__ == '__main__':
    main()
