"""Seeded episodes: a cluttered table, and a sentence about an object that is there or is not."""

from dataclasses import dataclass

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.gripper_sim import GripperSim
from refdiff_ros.sim.render import SceneView
from refdiff_ros.sim.worlds import PAIRS, table_scene, WORLD

# No gripper of this kind lifts them from above: a plate is flat and wide, a book 8 to 14 cm wide
# where the fingers open to 11. They are scenery, and never asked for.
NEVER_ASKED = ('plate', 'book')
# Far from the seeds of the training, validation and test scenes.
_FIRST_SEED = 60_000_000
_TRIES = 10
ABSENT_SHARE = 0.2


@dataclass(frozen=True)
class Task:
    """What is asked in an episode.

    Attributes:
        text: the referring expression.
        row: the object that is meant; None where no object is.
        kind: of the expression; 'absent' where no object is meant.
    """

    text: str
    row: int | None
    kind: str


def lay(seed: int, size_hw: tuple[int, int], world: str = WORLD) -> GripperSim:
    """The settled table of episode `seed`.

    A scene in which something fell over is replaced by the next of ten that belong to the
    episode.

    Args:
        seed: of the episode.
        size_hw: of the pictures.
        world: a name of `worlds.MAKERS`.

    Raises:
        RefDiffError: something fell over in all of them, or there is no such world.
    """
    for attempt in range(_TRIES):
        try:
            return GripperSim(table_scene(scene_seed(seed, attempt), world), size_hw)
        except RefDiffError as error:
            last = error
    raise RefDiffError(f'expected one of {_TRIES} scenes of episode {seed} to settle: {last}')


def scene_seed(episode: int, attempt: int = 0) -> int:
    """The seed of an episode's scene."""
    return _FIRST_SEED + episode * _TRIES + attempt


def task(view: SceneView, seed: int, world: str = WORLD) -> Task:
    """What is asked about the table that `view` shows; the same seed asks the same.

    One in five asks for what is not there: half of those for a shape that is there in another
    colour, as far as the scene allows it.

    Args:
        view: of a table of `world`.
        seed: of the episode.
        world: whose things are asked for.

    Raises:
        RefDiffError: nothing on the table can be spoken of.
    """
    rng = np.random.default_rng([seed, 7])
    if rng.random() < ABSENT_SHARE:
        return Task(_absent(view, rng, world), None, 'absent')
    found = [said for said in expressions(view)
             if view.objects[said.row].shape not in NEVER_ASKED]
    if not found:
        raise RefDiffError('expected an object to speak of, the scene has none')
    kinds = sorted({said.kind for said in found})
    kind = kinds[int(rng.integers(len(kinds)))]
    of_kind = [said for said in found if said.kind == kind]
    said = of_kind[int(rng.integers(len(of_kind)))]
    return Task(said.text, said.row, kind)


def _absent(view: SceneView, rng: np.random.Generator, world: str) -> str:
    """'the green mug' where there is no green mug."""
    present = {(thing.shape, thing.colour) for thing in view.objects}
    shapes = {shape for shape, _ in present}
    names = [pair for pair in PAIRS[world]
             if pair[0] not in NEVER_ASKED and pair not in present]
    wanted = rng.random() < 0.5
    shape, colour = _pick([n for n in names if (n[0] in shapes) == wanted] or names, rng)
    return f'the {colour} {shape}'


def _pick(names: list[tuple[str, str]], rng: np.random.Generator) -> tuple[str, str]:
    return names[int(rng.integers(len(names)))]
