"""What the scripts share that ask of simulated tabletops in motion."""

from collections.abc import Sequence
import json
from pathlib import Path
from typing import Any

from refdiff_ros.sim.expressions import expressions
from refdiff_ros.sim.render import render_scenes, SceneView
from refdiff_ros.sim.scene import Scene

# An object of which less is seen is not asked for.
SHOWN_PX = 60
_BATCH = 15


def rendered(scenes: Sequence[Scene], size_hw: tuple[int, int]) -> list[SceneView]:
    """The views of a sequence, a few at a time."""
    return [view for start in range(0, len(scenes), _BATCH)
            for view in render_scenes(scenes[start:start + _BATCH], size_hw, depth=False)]


def targets(view: SceneView) -> list[tuple[str, int]]:
    """Expressions that stay true when things move, each with the row of its object."""
    return [(said.text, said.row) for said in expressions(view)
            if said.kind in ('attribute', 'plain') and view.masks[said.row].sum() >= SHOWN_PX]


def write_figures(figures: dict[str, Any], path: Path | None) -> None:
    """Write figures as JSON, where a path was given."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1) + '\n')
