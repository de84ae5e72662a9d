"""Render a split: `python -m training.tabletop.scenes --split train --out FOLDER --workers 2`.

With `--greys` all objects of one plain colour are rendered in grey and in black as well, from
which `repaint` makes any other colour: `greys.npy` and `blacks.npy`, as `images.npy`.

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

from refdiff_ros.sim.mjcf import is_patterned
from refdiff_ros.sim.render import render_scenes, SceneView
from refdiff_ros.sim.splits import get_split, SIZE_HW, split_scene, SPLITS
from training.tabletop.repaint import render_greys

_LOG = logging.getLogger('training.scenes')
BLOCK = 16


def main(arguments: list[str] | None = None) -> None:
    """Render what is missing of a split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--split', required=True, choices=sorted(SPLITS))
    parser.add_argument('--out', required=True, type=Path, help='folder of the split')
    parser.add_argument('--count', type=int, help='scenes (default: all of the split)')
    parser.add_argument('--first', type=int, default=0, help='scene of the split to begin with')
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--greys', action='store_true', help='render the pictures to repaint')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    count = options.count or get_split(options.split).count
    _make_files(options.out, count, options.greys)
    workers = [
        multiprocessing.get_context('spawn').Process(
            target=render_blocks, args=(options.split, options.out, count, k, options.workers),
            kwargs={'greys': options.greys, 'offset': options.first})
        for k in range(options.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit('a worker ended by itself: start again, and it goes on')


def _make_files(folder: Path, count: int, greys: bool) -> None:
    (folder / 'objects').mkdir(parents=True, exist_ok=True)
    shapes = {'images': (count, *SIZE_HW, 3), 'labels': (count, *SIZE_HW),
              'done': (-(-count // BLOCK),)}
    if greys:
        shapes |= dict.fromkeys(('greys', 'blacks'), shapes['images'])
    for name, shape in shapes.items():
        path = folder / f'{name}.npy'
        if path.exists() and np.load(path, mmap_mode='r').shape != shape:
            raise SystemExit(f'{path} is of another count than {count}: name a new folder')
        if not path.exists():
            np.lib.format.open_memmap(path, 'w+', np.uint8, shape)


def render_blocks(
    split: str, folder: Path, count: int, first: int, step: int, greys: bool = False,
    offset: int = 0,
) -> None:
    """Render the blocks `first`, `first + step`, ... that are not done; scenes from `offset`."""
    images, labels, done = (
        np.load(folder / f'{name}.npy', mmap_mode='r+') for name in ('images', 'labels', 'done'))
    repainted = [np.load(folder / f'{name}.npy', mmap_mode='r+')
                 for name in (('greys', 'blacks') if greys else ())]
    for block in range(first, len(done), step):
        if done[block]:
            continue
        rows = range(block * BLOCK, min(count, (block + 1) * BLOCK))
        scenes, objects = [split_scene(split, offset + row) for row in rows], []
        views = (render_greys(scenes, SIZE_HW) if greys else
                 ((view,) for view in render_scenes(scenes, SIZE_HW, depth=False)))
        for row, (view, *others) in zip(rows, views):
            for pictures, picture in zip(repainted, others):
                pictures[row] = picture
            images[row] = view.frame.image_rgb
            numbers = np.arange(1, len(view.masks) + 1, dtype=np.uint8)
            labels[row] = (view.masks * numbers[:, None, None]).sum(axis=0, dtype=np.uint8)
            objects.append(described(view))
        (folder / 'objects' / f'{block:05d}.json').write_text(json.dumps(objects))
        done[block] = 1


def described(view: SceneView) -> list[dict]:
    """What captions are made of: each object's words and where it stands."""
    return [{'shape': thing.shape, 'colour': thing.colour, 'on': thing.on,
             'base': [round(float(value), 4) for value in thing.base],
             'plain': not is_patterned(placed)}
            for thing, placed in zip(view.objects, view.scene.things)]


if __name__ == '__main__':
    main()
