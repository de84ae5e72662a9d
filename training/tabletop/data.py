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
        plain: whether it is of one colour, so that it can be repainted.
    """

    shape: str
    colour: str
    on: int | None
    box_xyxy: tuple[float, float, float, float]
    pixels: int
    depth_m: float
    plain: bool = True

    @property
    def name(self) -> str:
        """'red mug'."""
        return f'{self.colour} {self.shape}'


class SceneSet:
    """The scenes of a folder that are rendered so far.

    Attributes:
        images: (N, H, W, 3) uint8.
        labels: (N, H, W) uint8, 0 background, n object n.
        greys, blacks: as `images` with its objects in grey and in black, or None.
        rows: the scenes that are there.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self.images, self.labels, done = (
            np.load(folder / f'{name}.npy', mmap_mode='r')
            for name in ('images', 'labels', 'done'))
        self.greys, self.blacks = (
            np.load(folder / f'{name}.npy', mmap_mode='r')
            if (folder / f'{name}.npy').exists() else None for name in ('greys', 'blacks'))
        count = len(self.images)
        self.rows = np.concatenate([
            np.arange(block * BLOCK, min(count, (block + 1) * BLOCK))
            for block in np.flatnonzero(done)] or [np.zeros(0, int)])
        self._blocks: dict[int, list] = {}
        self._things: dict[int, tuple[Thing, ...]] = {}

    def things(self, row: int) -> tuple[Thing, ...]:
        """The objects of a scene; those that are hidden have no pixels."""
        if row not in self._things:
            self._things[row] = tuple(
                _thing(entry, self.labels[row] == number)
                for number, entry in enumerate(self.described(row), start=1))
        return self._things[row]

    def described(self, row: int) -> list[dict]:
        """The objects of a scene as `scenes.described` wrote them."""
        block = row // BLOCK
        if block not in self._blocks:
            path = self._folder / 'objects' / f'{block:05d}.json'
            self._blocks[block] = json.loads(path.read_text())
        return self._blocks[block][row % BLOCK]


def _thing(entry: dict, mask: np.ndarray) -> Thing:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    box = (0.0, 0.0, 0.0, 0.0)
    if len(columns):
        height, width = mask.shape
        box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width,
               (rows[-1] + 1) / height)
    return Thing(entry['shape'], entry['colour'], entry['on'], box,
                 int(np.count_nonzero(mask)), entry['base'][2], entry.get('plain', True))
