"""Objects in any other colour, exactly: light adds up, so two renderings tell all the others.

Where an object is grey (.5) in one picture and black in another, its picture in the colour c is
black + c (grey - black) / .5 in each channel, up to half a level of rounding.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from refdiff_ros.sim.mjcf import camera_name, is_patterned, scenes_xml, show_scene
from refdiff_ros.sim.render import load_mujoco, open_renderer, picture, SceneView
from refdiff_ros.sim.scene import Scene

GREY = 0.5


def render_greys(
    scenes: Sequence[Scene], size_hw: tuple[int, int],
) -> Iterator[tuple[SceneView, np.ndarray, np.ndarray]]:
    """Each scene as it is, with all plain objects grey, and with all of them black.

    Parts with a colour of their own and patterned objects stay as they are.

    Args:
        scenes: best 8 to 32 of them.
        size_hw: height and width of the pictures.

    Raises:
        MissingPackageError, RefDiffError: as in `render_scenes`.
    """
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(*scenes_xml(scenes, size_hw))
    data = mujoco.MjData(model)
    with open_renderer(mujoco, model, size_hw) as renderer:
        for number, scene in enumerate(scenes):
            show_scene(mujoco, model, scenes, number)
            mujoco.mj_forward(model, data)
            view = picture(mujoco, model, data, renderer, scene, number, depth=False)
            painted = _painted_geoms(model, scene, number)
            kept, both = model.geom_rgba[painted].copy(), []
            for level in (GREY, 0.0):
                model.geom_rgba[painted, :3] = level
                renderer.update_scene(data, camera_name(number))
                both.append(renderer.render().copy())
            model.geom_rgba[painted] = kept
            yield view, *both


def _painted_geoms(model: object, scene: Scene, number: int) -> list[int]:
    """The geoms that have their object's plain colour."""
    found = []
    for row, thing in enumerate(scene.things):
        first = int(model.body(f'thing_{number}_{row}').geomadr[0])
        found += [first + place for place, part in enumerate(thing.form.parts)
                  if part.rgb is None and not is_patterned(thing)]
    return found


def repaint(
    image: np.ndarray, grey: np.ndarray, black: np.ndarray, mask: np.ndarray,
    rgb: Sequence[float],
) -> np.ndarray:
    """The picture (H, W, 3) uint8 with the object under `mask` in another colour.

    Args:
        image, grey, black: (H, W, 3) uint8, as `render_greys` gives them.
        mask: (H, W) bool.
        rgb: three values in 0..1.
    """
    painted = image.copy()
    low = black[mask].astype(np.float32)
    slope = (grey[mask].astype(np.float32) - low) / GREY
    painted[mask] = np.clip(np.round(low + slope * np.float32(rgb)), 0, 255).astype(np.uint8)
    return painted
