"""The worlds of the simulation: which things lie on its tables."""

from refdiff_ros.errors import BadRequestError
from refdiff_ros.sim.scene import random_scene, Scene
from refdiff_ros.sim.wide_scene import wide_scene

# 'tabletop8' has eight shapes, 'tabletop20' is wider (see `wide_scene`).
MAKERS = {'tabletop8': random_scene, 'tabletop20': wide_scene}
# What is shown where none is named: the one that the default bundle knows.
WORLD = 'tabletop8'


def table_scene(seed: int, world: str = WORLD) -> Scene:
    """The tabletop of `seed` in a world.

    Raises:
        BadRequestError: there is no such world, or the seed is negative.
    """
    if world not in MAKERS:
        raise BadRequestError(f'expected a world of {list(MAKERS)}, got {world!r}')
    return MAKERS[world](seed)
