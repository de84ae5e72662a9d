"""Render a split: `python -m training.tabletop.scenes --split train --out FOLDER --workers 2`.

The folder holds `images.npy` (N, H, W, 3) uint8, `labels.npy` (N, H, W) uint8 (0 background, n
object n), `objects/<block>.json` (for each scene of a block its objects), and `done.npy` with a
flag a block. A run that was stopped goes on with the blocks that are not done.
"""

import argparse
import json
import logging
import multiprocessing
from pathlib import Path

import numpy as np

from refdiff_ros.sim.render import SceneView
from refdiff_ros.sim.splits import get_split, SIZE_HW, split_views, SPLITS

_LOG = logging.getLogger('training.scenes')
BLOCK = 16


def main(arguments: list[str] | None = None) -> None:
    """Render what is missing of a split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--split', required=True, choices=sorted(SPLITS))
    parser.add_argument('--out', required=True, type=Path, help='folder of the split')
    parser.add_argument('--count', type=int, help='scenes (default: all of the split)')
    parser.add_argument('--workers', type=int, default=1)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    count = options.count or get_split(options.split).count
    _make_files(options.out, count)
    workers = [
        multiprocessing.get_context('spawn').Process(
            target=render_blocks, args=(options.split, options.out, count, k, options.workers))
        for k in range(options.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit('a worker ended by itself: start again, and it goes on')


def _make_files(folder: Path, count: int) -> None:
    (folder / 'objects').mkdir(parents=True, exist_ok=True)
    shapes = {'images': (count, *SIZE_HW, 3), 'labels': (count, *SIZE_HW),
              'done': (-(-count // BLOCK),)}
    for name, shape in shapes.items():
        path = folder / f'{name}.npy'
        if path.exists() and np.load(path, mmap_mode='r').shape != shape:
            raise SystemExit(f'{path} is of another count than {count}: name a new folder')
        if not path.exists():
            np.lib.format.open_memmap(path, 'w+', np.uint8, shape)


def render_blocks(split: str, folder: Path, count: int, first: int, step: int) -> None:
    """Render the blocks `first`, `first + step`, ... that are not done."""
    images, labels, done = (
        np.load(folder / f'{name}.npy', mmap_mode='r+') for name in ('images', 'labels', 'done'))
    for block in range(first, len(done), step):
        if done[block]:
            continue
        rows = range(block * BLOCK, min(count, (block + 1) * BLOCK))
        objects = []
        for row, view in zip(rows, split_views(split, rows, depth=False)):
            images[row] = view.frame.image_rgb
            numbers = np.arange(1, len(view.masks) + 1, dtype=np.uint8)
            labels[row] = (view.masks * numbers[:, None, None]).sum(axis=0, dtype=np.uint8)
            objects.append(described(view))
        (folder / 'objects' / f'{block:05d}.json').write_text(json.dumps(objects))
        done[block] = 1


def described(view: SceneView) -> list[dict]:
    """What captions are made of: each object's words and where it stands."""
    return [{'shape': thing.shape, 'colour': thing.colour, 'on': thing.on,
             'base': [round(float(value), 4) for value in thing.base]} for thing in view.objects]


if __name__ == '__main__':
    main()
