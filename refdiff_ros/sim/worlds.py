"""The worlds of the simulation: which things lie on its tables."""

import argparse

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.scene import random_scene, Scene
from refdiff_ros.sim.shapes import COLOURS, COLOURS_OF, SHAPES
from refdiff_ros.sim.wide_scene import names_of, wide_scene
from refdiff_ros.sim.wide_shapes import WIDE_SHAPES

# 'tabletop8' has eight shapes, 'tabletop20' is wider (see `wide_scene`).
MAKERS = {'tabletop8': random_scene, 'tabletop20': wide_scene}
# What is shown where none is named: the one that the default bundle knows.
WORLD = 'tabletop8'
# Every shape with every colour or surface in which it occurs.
PAIRS = {
    'tabletop8': tuple((shape, colour) for shape in SHAPES
                       for colour in COLOURS_OF.get(shape, COLOURS)),
    'tabletop20': tuple((shape, name) for shape in WIDE_SHAPES for name in names_of(shape)),
}


def add_world_option(parser: argparse.ArgumentParser) -> None:
    """Register `--world`."""
    parser.add_argument('--world', default=WORLD, choices=tuple(MAKERS),
                        help=f'which things lie on the table (default {WORLD})')


def table_scene(seed: int, world: str = WORLD) -> Scene:
    """The tabletop of `seed` in a world.

    Raises:
        BadRequestError: there is no such world, or the seed is negative.
    """
    if world not in MAKERS:
        raise BadRequestError(f'expected a world of {list(MAKERS)}, got {world!r}')
    return MAKERS[world](seed)
