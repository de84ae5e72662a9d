"""The tabletop set: scenes for training, validation and test, each from a seed of its own.

Some pairs of shape and colour never occur in training. The test set has two halves: 'seen'
without those pairs, and 'unseen', in which each scene has one of them that is spoken of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.render import render_scenes, SceneView
from refdiff_ros.sim.scene import random_scene, Scene

HELD_OUT = frozenset({
    ('mug', 'green'), ('mug', 'black'), ('bowl', 'orange'), ('bottle', 'blue'), ('can', 'purple'),
    ('box', 'yellow'), ('plate', 'pink'), ('ball', 'white')})

# Camera pictures have this shape; the models were trained on pictures of this size.
SIZE_HW = (192, 256)
_BATCH = 16


@dataclass(frozen=True)
class Split:
    """Scenes `0 .. count - 1`; seeds start at `first_seed`; scenes from `unseen_from` on are
    those with a pair that training lacks.
    """

    first_seed: int
    count: int
    unseen_from: int


SPLITS = {
    'train': Split(10_000_000, 26_000, 26_000),
    'val': Split(20_000_000, 1_000, 1_000),
    'test': Split(30_000_000, 1_000, 500),
}


def get_split(name: str) -> Split:
    """The split called `name`.

    Raises:
        BadRequestError: there is none.
    """
    if name not in SPLITS:
        raise BadRequestError(f'expected a split of {sorted(SPLITS)}, got {name!r}')
    return SPLITS[name]


def split_scene(name: str, index: int) -> Scene:
    """Scene `index` of a split.

    Raises:
        BadRequestError: no such split or scene.
    """
    split = get_split(name)
    if not 0 <= index < split.count:
        raise BadRequestError(f'expected a scene in 0..{split.count - 1} of {name}, got {index}')
    featured = HELD_OUT if index >= split.unseen_from else ()
    return random_scene(split.first_seed + index, excluded=HELD_OUT, featured=featured)


def split_views(
    name: str, indices: Sequence[int], size_hw: tuple[int, int] = SIZE_HW, depth: bool = True,
) -> Iterator[SceneView]:
    """The rendered scenes `indices` of a split, in that order.

    Raises:
        BadRequestError: no such split or scene.
        MissingPackageError, RefDiffError: as in `render_scenes`.
    """
    for start in range(0, len(indices), _BATCH):
        batch = [split_scene(name, index) for index in indices[start:start + _BATCH]]
        yield from render_scenes(batch, size_hw, depth)
