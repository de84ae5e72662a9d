"""The rendered scenes of a split as arrays, and what is seen of each object.

Letters: N scenes, M objects of a scene, H W image height and width.
"""

from dataclasses import dataclass
import json
from pathlib import Path

import numpy as np

from training.tabletop.scenes import BLOCK


@dataclass(frozen=True)
class Thing:
    """An object as a caption speaks of it.

    Attributes:
        shape, colour: its words.
        on: number of the object that it stands on in the same list, or None.
        box_xyxy: its visible part, (x0, y0, x1, y1) in 0..1 of the image, the far side excluded.
        pixels: how many are visible.
        depth_m: along the optical axis.
    """

    shape: str
    colour: str
    on: int | None
    box_xyxy: tuple[float, float, float, float]
    pixels: int
    depth_m: float

    @property
    def name(self) -> str:
        """'red mug'."""
        return f'{self.colour} {self.shape}'


class SceneSet:
    """The scenes of a folder that are rendered so far.

    Attributes:
        images: (N, H, W, 3) uint8.
        labels: (N, H, W) uint8, 0 background, n object n.
        rows: the scenes that are there.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self.images, self.labels, done = (
            np.load(folder / f'{name}.npy', mmap_mode='r')
            for name in ('images', 'labels', 'done'))
        count = len(self.images)
        self.rows = np.concatenate([
            np.arange(block * BLOCK, min(count, (block + 1) * BLOCK))
            for block in np.flatnonzero(done)] or [np.zeros(0, int)])
        self._blocks: dict[int, list] = {}
        self._things: dict[int, tuple[Thing, ...]] = {}

    def things(self, row: int) -> tuple[Thing, ...]:
        """The objects of a scene; those that are hidden have no pixels."""
        if row not in self._things:
            block = row // BLOCK
            if block not in self._blocks:
                path = self._folder / 'objects' / f'{block:05d}.json'
                self._blocks[block] = json.loads(path.read_text())
            described = self._blocks[block][row % BLOCK]
            self._things[row] = tuple(
                _thing(entry, self.labels[row] == number)
                for number, entry in enumerate(described, start=1))
        return self._things[row]


def _thing(entry: dict, mask: np.ndarray) -> Thing:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    box = (0.0, 0.0, 0.0, 0.0)
    if len(columns):
        height, width = mask.shape
        box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width,
               (rows[-1] + 1) / height)
    return Thing(entry['shape'], entry['colour'], entry['on'], box,
                 int(np.count_nonzero(mask)), entry['base'][2])
