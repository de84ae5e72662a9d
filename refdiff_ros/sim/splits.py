"""The tabletop sets: scenes for training, validation and test, each from a seed of its own.

There are two worlds. `tabletop8` has eight shapes, and its training, validation and test scenes
are those of the models that shipped first. `tabletop20` is wider: see `wide_scene`. Some pairs of
shape and colour never occur in training. An unseen half has scenes with one of those pairs each,
which is spoken of; in `tabletop20` validation and test have pairs of their own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.render import render_scenes, SceneView
from refdiff_ros.sim.scene import random_scene, Scene
from refdiff_ros.sim.wide_scene import wide_scene
from refdiff_ros.sim.worlds import WORLD

Pairs = frozenset[tuple[str, str]]

HELD_OUT: Pairs = frozenset({
    ('mug', 'green'), ('mug', 'black'), ('bowl', 'orange'), ('bottle', 'blue'), ('can', 'purple'),
    ('box', 'yellow'), ('plate', 'pink'), ('ball', 'white')})
# Of the wider world: values are chosen on the first, and the second are asked once.
VAL_HELD_OUT: Pairs = frozenset({
    ('mug', 'blue'), ('bowl', 'white'), ('bottle', 'red'), ('can', 'black'),
    ('box', 'turquoise'), ('plate', 'brown'), ('ball', 'green'), ('cup', 'purple'),
    ('jar', 'orange'), ('block', 'pink'), ('book', 'yellow'), ('spoon', 'grey'),
    ('screwdriver', 'white'), ('lid', 'black'), ('teapot', 'green'), ('pan', 'red'),
    ('tape', 'brown'), ('apple', 'green'), ('cup', 'striped'), ('bowl', 'wooden')})
TEST_HELD_OUT: Pairs = HELD_OUT | frozenset({
    ('cup', 'white'), ('jar', 'black'), ('block', 'blue'), ('book', 'turquoise'),
    ('spoon', 'red'), ('screwdriver', 'brown'), ('lid', 'yellow'), ('teapot', 'purple'),
    ('pan', 'grey'), ('tape', 'green'), ('mug', 'two-coloured'), ('ball', 'striped')})

# Camera pictures have this shape; the models were trained on pictures of this size.
SIZE_HW = (192, 256)
_BATCH = 16


@dataclass(frozen=True)
class Split:
    """Scenes `0 .. count - 1`; seeds start at `first_seed`; scenes from `unseen_from` on are
    those with a pair of `held_out` that is spoken of. No other has a pair of `excluded`.
    """

    first_seed: int
    count: int
    unseen_from: int
    held_out: Pairs = HELD_OUT
    excluded: Pairs = HELD_OUT
    make: Callable[..., Scene] = random_scene


def _wide(first_seed: int, count: int, unseen_from: int, held_out: Pairs) -> Split:
    return Split(first_seed, count, unseen_from, held_out, VAL_HELD_OUT | TEST_HELD_OUT,
                 wide_scene)


SPLITS = {
    'tabletop8_train': Split(10_000_000, 26_000, 26_000),
    'tabletop8_val': Split(20_000_000, 1_000, 1_000),
    'tabletop8_test': Split(30_000_000, 1_000, 500),
    'tabletop20_train': _wide(110_000_000, 26_000, 26_000, VAL_HELD_OUT),
    'tabletop20_val': _wide(120_000_000, 1_500, 750, VAL_HELD_OUT),
    'tabletop20_test': _wide(130_000_000, 1_500, 750, TEST_HELD_OUT),
}
# Without a world those of the shipped models are meant.
SPLITS |= {name: SPLITS[f'{WORLD}_{name}'] for name in ('train', 'val', 'test')}


# Those of which questions are asked.
ASKED = tuple(name for name in SPLITS if not name.endswith('train'))


def get_split(name: str) -> Split:
    """The split called `name`: 'val', or with its world 'tabletop20_val'.

    Raises:
        BadRequestError: there is none.
    """
    if name not in SPLITS:
        raise BadRequestError(f'expected a split of {sorted(SPLITS)}, got {name!r}')
    return SPLITS[name]


def held_out_of(scene: Scene) -> Pairs:
    """The pairs that the unseen half of the scene's own split speaks of, told by its seed."""
    return next((split.held_out for split in SPLITS.values()
                 if 0 <= scene.seed - split.first_seed < split.count), HELD_OUT)


def split_scene(name: str, index: int) -> Scene:
    """Scene `index` of a split.

    Raises:
        BadRequestError: no such split or scene.
    """
    split = get_split(name)
    if not 0 <= index < split.count:
        raise BadRequestError(f'expected a scene in 0..{split.count - 1} of {name}, got {index}')
    featured = split.held_out if index >= split.unseen_from else ()
    return split.make(split.first_seed + index, excluded=split.excluded, featured=featured)


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
