"""The objects of a rendered scene as a viewer sees them: where, how large, how far, how well."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from refdiff_ros.sim.render import SceneObject, SceneView

# Share of the image's pixels that must be seen of an object that is spoken of (307 at 640x480):
# of a smaller piece nobody could tell what it is.
MIN_VISIBLE = 1 / 1000


@dataclass(frozen=True)
class Seen:
    """An object as it is seen.

    Attributes:
        row: its row in the view.
        thing: the truth about it.
        column, line: middle of its mask's columns and rows from the upper left, both in shares
            of the image's width; None for a hidden object, of which nobody can say where it is.
        pixels: how many are seen of it.
        depth_m: how far it stands from the viewer over the ground, metres.
        clear: whether enough is seen of it to speak of it.
    """

    row: int
    thing: SceneObject
    column: float | None
    line: float | None
    pixels: int
    depth_m: float
    clear: bool


def see(view: SceneView) -> list[Seen]:
    """Every object of `view`, in its order; the hidden ones too."""
    width = view.masks.shape[2]
    enough = view.masks.shape[1] * width * MIN_VISIBLE
    found = []
    for row, (thing, mask) in enumerate(zip(view.objects, view.masks, strict=True)):
        pixels = int(mask.sum())
        column, line = (
            (float(np.nonzero(mask.any(axis=axis))[0].mean()) / width for axis in (0, 1))
            if pixels else (None, None))
        found.append(Seen(row, thing, column, line, pixels, _depth_m(thing), pixels >= enough))
    return found


def _depth_m(thing: SceneObject) -> float:
    # The optical axis looks down, and along it what is raised would be nearer than what it
    # stands on, so distance is taken along the axis' shadow on the table.
    up = thing.rotation[:, 2]
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    return float(thing.base @ forward / np.linalg.norm(forward))


def grouped(things: Iterable[Seen], key: Callable[[SceneObject], str]) -> dict[str, list[Seen]]:
    """Objects by `key` of the truth about them, in the order of their first."""
    groups: dict[str, list[Seen]] = {}
    for seen in things:
        groups.setdefault(key(seen.thing), []).append(seen)
    return groups
