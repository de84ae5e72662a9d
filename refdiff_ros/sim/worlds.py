"""Which world the simulation shows where none is named: the one that the shipped models know."""

from refdiff_ros.sim.scene import random_scene, Scene
from refdiff_ros.sim.wide_scene import wide_scene

# The one switch: 'tabletop8' has eight shapes, 'tabletop20' is wider (see `wide_scene`).
WORLD = 'tabletop8'
MAKERS = {'tabletop8': random_scene, 'tabletop20': wide_scene}


def table_scene(seed: int, world: str = WORLD) -> Scene:
    """The tabletop of `seed` in a world; errors as of `random_scene`."""
    return MAKERS[world](seed)
