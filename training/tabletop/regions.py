"""What a segmentor proposes: `python -m training.tabletop.regions --bundle NAME --scenes FOLDER`.

Asks the segmentor of a bundle about rendered scenes and writes `regions.npz` into their folder:
which of its masks show an object, and which show none (parts of one, two at once, the table). CLIP
learns from the latter what no text is about.

Letters: R regions, H W image height and width.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from refdiff_ros.engine import resolve_preset
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.prepared import PreparedFrames
from refdiff_ros.results import Frame
from training.tabletop.data import SceneSet

_NAME = 'regions.npz'
# IoU with an object from which a mask shows it, and up to which it shows none; what lies between
# teaches nothing.
_SHOWS, _MISSES = 0.8, 0.5
_QUALITY = 0.3  # as the segmentor itself rates a mask, at least
_FALSE_PER_SCENE = 12


class Regions:
    """The masks of a folder's `regions.npz`, of pictures of `size_hw`."""

    def __init__(self, folder: Path, size_hw: tuple[int, int]):
        with np.load(folder / _NAME) as kept:
            self._rows, self._numbers, self._packed = (
                kept[name] for name in ('rows', 'numbers', 'masks'))
        self._size_hw = size_hw
        self._false = np.flatnonzero(self._numbers == 0)
        self._shown: dict[tuple[int, int], list[int]] = {}
        for region in np.flatnonzero(self._numbers):
            key = int(self._rows[region]), int(self._numbers[region])
            self._shown.setdefault(key, []).append(int(region))

    def false(self, rng: np.random.Generator) -> tuple[int, np.ndarray]:
        """A scene, and a mask (H, W) of it that shows no object."""
        region = int(rng.choice(self._false))
        return int(self._rows[region]), self._mask(region)

    def of(self, rng: np.random.Generator, row: int, number: int) -> np.ndarray | None:
        """A mask (H, W) that shows object `number` of scene `row`, if there is one."""
        regions = self._shown.get((row, number))
        return None if regions is None else self._mask(regions[int(rng.integers(len(regions)))])

    def _mask(self, region: int) -> np.ndarray:
        height, width = self._size_hw
        flat = np.unpackbits(self._packed[region], count=height * width)
        return flat.reshape(height, width).astype(bool)


def main(arguments: list[str] | None = None) -> None:
    """Propose, compare with the objects, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bundle', required=True, help='name or folder')
    parser.add_argument('--scenes', required=True, type=Path)
    parser.add_argument('--count', type=int, default=1500, help='scenes (default 1500)')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    scenes = SceneSet(options.scenes)
    models = load_bundle(options.bundle, device='cpu')
    preset = resolve_preset(models, 'onboard').override(
        {'proposals': {'pred_iou_thresh': _QUALITY}})
    frames = PreparedFrames(models)
    rng = np.random.default_rng(0)
    kept: dict[str, list[np.ndarray]] = {'rows': [], 'numbers': [], 'masks': []}
    for row in scenes.rows[:options.count]:
        proposals = frames.proposals(Frame(np.ascontiguousarray(scenes.images[row])), preset)
        masks = proposals.masks[proposals.rows]
        numbers = shown(masks, scenes.labels[row])
        false = np.flatnonzero(numbers == 0)
        chosen = np.concatenate([
            np.flatnonzero(numbers > 0),
            rng.permutation(false)[:_FALSE_PER_SCENE]]).astype(int)
        kept['rows'].append(np.full(len(chosen), row, np.int32))
        kept['numbers'].append(numbers[chosen])
        kept['masks'].append(np.packbits(masks[chosen].reshape(len(chosen), -1), axis=1))
    np.savez(options.scenes / _NAME, **{
        name: np.concatenate(parts) for name, parts in kept.items()})


def shown(masks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which object each mask (R, H, W) shows: (R,) int16; 0 for none, -1 where it is unclear.

    Args:
        masks: of one scene.
        labels: (H, W), 0 background, n object n.
    """
    count = int(labels.max()) + 1
    numbers = np.zeros(len(masks), np.int16)
    areas = np.bincount(labels.ravel(), minlength=count)
    for region, mask in enumerate(masks):
        shared = np.bincount(labels[mask], minlength=count)
        overlap = shared / np.maximum(1, areas + np.count_nonzero(mask) - shared)
        overlap[0] = 0.0
        best = int(overlap.argmax())
        if overlap[best] >= _SHOWS:
            numbers[region] = best
        elif overlap[best] >= _MISSES:
            numbers[region] = -1
    return numbers


if __name__ == '__main__':
    main()
