"""Rendering a scene without a display: colour, depth, true instance masks, true poses.

Letters: N objects, H W image height and width.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import importlib.util
import math
import os
import platform
from types import ModuleType
from typing import Any

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.optional import require_package
from refdiff_ros.results import Camera, Frame
from refdiff_ros.sim.mjcf import camera_name, camera_pose, scenes_xml, show_scene
from refdiff_ros.sim.scene import Scene, View
from refdiff_ros.sim.worlds import table_scene, WORLD

FRAME_ID = 'camera_color_optical_frame'


@dataclass(frozen=True)
class SceneObject:
    """The truth about one object, in the camera's optical frame (REP-103), metres.

    Attributes:
        name: 'red mug'.
        shape, colour: its words.
        centre: (3,) middle of the part a gripper closes on.
        rotation: (3, 3) from the object's frame (x main axis, z up from the table).
        extents: of that part along the object's x, y and z.
        round: whether it has no main horizontal axis.
        base: (3,) where its vertical axis meets what it stands on.
        on: row of the object that it stands on or lies in, or None for the table.
        also: colours that some would say of it besides its own word: those of its stripes.
    """

    name: str
    shape: str
    colour: str
    centre: np.ndarray
    rotation: np.ndarray
    extents: tuple[float, float, float]
    round: bool
    base: np.ndarray
    on: int | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class SceneView:
    """A rendered scene.

    Attributes:
        frame: colour, depth and intrinsics.
        masks: (N, H, W) bool, the visible pixels of each object; disjoint.
        objects: the N objects, in the order of `masks`.
        scene: what was rendered.
    """

    frame: Frame
    masks: np.ndarray
    objects: tuple[SceneObject, ...]
    scene: Scene


def generate(
    seed: int, size_hw: tuple[int, int] = (480, 640), world: str = WORLD,
) -> SceneView:
    """The tabletop of `seed` in a world; the same three give the same bytes on one machine.

    Raises:
        BadRequestError: there is no such world, or the seed is negative.
        MissingPackageError: MuJoCo is not installed.
        RefDiffError: no headless OpenGL can be had.
    """
    return render(table_scene(seed, world), size_hw)


def render(scene: Scene, size_hw: tuple[int, int] = (480, 640)) -> SceneView:
    """Render `scene`; call it always from the same thread, to which OpenGL belongs.

    Raises:
        MissingPackageError: MuJoCo is not installed.
        RefDiffError: no headless OpenGL can be had.
    """
    return next(render_scenes([scene], size_hw))


def render_scenes(
    scenes: Sequence[Scene], size_hw: tuple[int, int], depth: bool = True,
) -> Iterator[SceneView]:
    """Render several scenes with one model and one OpenGL context, several times as fast.

    Args:
        scenes: best 8 to 32 of them; each gives the picture that `render` gives.
        size_hw: height and width of the pictures.
        depth: whether frames carry depth.

    Raises:
        MissingPackageError: MuJoCo is not installed.
        RefDiffError: no headless OpenGL can be had.
    """
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(*scenes_xml(scenes, size_hw))
    data = mujoco.MjData(model)
    with open_renderer(mujoco, model, size_hw) as renderer:
        for number, scene in enumerate(scenes):
            show_scene(mujoco, model, scenes, number)
            mujoco.mj_forward(model, data)
            yield picture(mujoco, model, data, renderer, scene, number, depth)


# MuJoCo's model, data and renderer go together but have no common object.
def picture(  # noqa: PLR0913
    mujoco: ModuleType, model: Any, data: Any, renderer: Any, scene: Scene, number: int = 0,
    depth: bool = True,
) -> SceneView:
    """What the camera of `scene`, which is scene `number` of `model`, sees of `data`.

    Args:
        mujoco: the module.
        model, data: of MuJoCo; forward kinematics must have run on `data`.
        renderer: of `model`.
        scene: with its objects where they are in `data`: the truth is taken from it.
        number: of the scene in the model.
        depth: whether the frame carries depth.
    """
    renderer.update_scene(data, camera_name(number))
    image = renderer.render().copy()
    depth_m = _depth(renderer) if depth else None
    bodies = _bodies(mujoco, model, renderer)  # (H, W)
    rows = [model.body(f'thing_{number}_{row}').id for row in range(len(scene.things))]
    masks = np.zeros((len(rows), *bodies.shape), bool)
    for row, body in enumerate(rows):
        masks[row] = bodies == body
    frame = Frame(image, depth_m, intrinsics(scene.view, bodies.shape), frame_id=FRAME_ID)
    return SceneView(frame, masks, _objects(scene), scene)


def _depth(renderer: Any) -> np.ndarray:
    """(H, W) float32, metres along the optical axis."""
    renderer.enable_depth_rendering()
    depth = _without_shadows(renderer)
    renderer.disable_depth_rendering()
    return depth.astype(np.float32)


def _without_shadows(renderer: Any) -> np.ndarray:
    shadow = int(load_mujoco().mjtRndFlag.mjRND_SHADOW)
    flags, kept = renderer.scene.flags, renderer.scene.flags[shadow]
    flags[shadow] = 0
    rendered = renderer.render().copy()
    flags[shadow] = kept
    return rendered


def _bodies(mujoco: ModuleType, model: Any, renderer: Any) -> np.ndarray:
    """(H, W) the body seen at each pixel; 0, the world, for none."""
    renderer.enable_segmentation_rendering()
    segments = _without_shadows(renderer)  # (H, W, 2): geom id, object type
    renderer.disable_segmentation_rendering()
    # As a number: NumPy would compare with the enumeration's member one pixel at a time.
    is_geom = segments[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM)
    geoms = np.where(is_geom, segments[..., 0], -1)
    return np.where(geoms >= 0, model.geom_bodyid[geoms], 0)


def intrinsics(view: View, size_hw: tuple[int, int]) -> Camera:
    """Pinhole intrinsics with square pixels; the first pixel's centre is (0, 0)."""
    height, width = size_hw
    focal = height / 2 / math.tan(view.fovy / 2)
    return Camera(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)


def _objects(scene: Scene) -> tuple[SceneObject, ...]:
    position, optical = camera_pose(scene.view)
    found = []
    for thing in scene.things:
        cos, sin = math.cos(thing.yaw), math.sin(thing.yaw)
        turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        base = np.array([*thing.xy, thing.z])
        centre = base + np.array([0.0, 0.0, thing.form.extents[2] / 2])
        found.append(SceneObject(
            thing.name, thing.shape, thing.colour, optical.T @ (centre - position),
            optical.T @ turn, thing.form.extents, thing.form.round,
            optical.T @ (base - position), thing.on,
            () if thing.paint is None else thing.paint.also))
    return tuple(found)


def load_mujoco() -> ModuleType:
    """MuJoCo, set to draw without a display.

    Raises:
        MissingPackageError: it is not installed.
        RefDiffError: no headless OpenGL can be had.
    """
    # MuJoCo reads the choice once, when it is imported. A DISPLAY may be set and dead (ssh), and
    # no window is wanted, so it does not count.
    if platform.system() == 'Linux':
        os.environ.setdefault('MUJOCO_GL', 'egl')
    # Mesa's cache of shaders has a thread of idle priority: a process cannot end before it runs,
    # on a busy machine for many seconds.
    os.environ.setdefault('MESA_SHADER_CACHE_DISABLE', 'true')
    # Mesa and triton, which torch loads behind the models, each bring an LLVM: whoever loads
    # triton after Mesa in one process gets a segmentation fault. The other order works.
    if importlib.util.find_spec('triton') is not None:
        importlib.import_module('triton')
    try:
        return require_package('mujoco', 'sim')
    except (AttributeError, OSError, RuntimeError) as error:  # as PyOpenGL fails without EGL
        raise _no_opengl(error) from error


def open_renderer(mujoco: ModuleType, model: object, size_hw: tuple[int, int]) -> Any:
    """A renderer of `model`; it belongs to the thread that makes it.

    Raises:
        RefDiffError: no headless OpenGL can be had.
    """
    try:
        return mujoco.Renderer(model, *size_hw)
    except (RuntimeError, AttributeError, ImportError, mujoco.FatalError) as error:
        raise _no_opengl(error) from error


def _no_opengl(error: Exception) -> RefDiffError:
    return RefDiffError(
        'expected headless OpenGL for the simulated camera, found none: install Mesa '
        "('apt-get install libegl1 libegl-mesa0 libgl1') and leave MUJOCO_GL unset "
        f'(MUJOCO_GL={os.environ.get("MUJOCO_GL", "")}: {error})')
