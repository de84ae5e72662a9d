"""Scenes as one MuJoCo model: MJCF text and the textures it names.

Several scenes share a model, since making a model and its OpenGL context costs more than a
picture. Object `row` of scene `k` is body `thing_<k>_<row>`; `show_scene` makes one of them the
scene that is seen.
"""

from collections.abc import Sequence
import io
import math
from typing import Any

import numpy as np
from PIL import Image

from refdiff_ros.sim.meshes import Mesh
from refdiff_ros.sim.paints import pattern_picture, pattern_places
from refdiff_ros.sim.scene import Scene, TABLE_HALF_XY, Thing, View
from refdiff_ros.sim.shapes import COLOURS, Part
from refdiff_ros.sim.textures import texture

_FLOOR_Z = -0.75


def scenes_xml(
    scenes: Sequence[Scene], size_hw: tuple[int, int],
) -> tuple[str, dict[str, bytes]]:
    """MJCF of `scenes` for pictures of `size_hw`, and the picture files that it refers to."""
    parts = [_scene_parts(number, scene) for number, scene in enumerate(scenes)]
    assets = {name: data for _, _, files in parts for name, data in files.items()}
    xml = f"""<mujoco>
<visual><global offwidth="{size_hw[1]}" offheight="{size_hw[0]}"/><map znear="0.05" zfar="20"/>
<quality shadowsize="{_shadow_size(size_hw)}"/>
<headlight diffuse="0.15 0.15 0.15" specular="0 0 0"/></visual>
<asset>
{''.join(asset for asset, _, _ in parts)}</asset>
<worldbody>
<light name="lamp" specular="0.25 0.25 0.25" castshadow="true" cutoff="70"/>
<geom name="floor" type="plane" size="4 4 0.1" pos="0 0 {_FLOOR_Z}"/>
<geom name="table" type="box" size="{TABLE_HALF_XY[0]} {TABLE_HALF_XY[1]} 0.02" pos="0 0 -0.02"/>
{''.join(bodies for _, bodies, _ in parts)}
</worldbody></mujoco>"""
    return xml, assets


def camera_name(number: int) -> str:
    """The camera of scene `number`."""
    return f'camera_{number}'


def show_scene(mujoco: Any, model: Any, scenes: Sequence[Scene], number: int) -> None:
    """Make scene `number` of `model` the one that is seen: its objects, surfaces and light."""
    scene, kind = scenes[number], mujoco.mjtObj
    for other, things in enumerate(scenes):
        for row in range(len(things.things)):
            body = model.body(f'thing_{other}_{row}')
            first = body.geomadr[0]
            # MuJoCo leaves out what is fully transparent.
            model.geom_rgba[first:first + body.geomnum[0], 3] = float(other == number)
    for name in ('table', 'floor'):
        material = mujoco.mj_name2id(model, kind.mjOBJ_MATERIAL, f'{name}_{number}')
        model.geom_matid[model.geom(name).id] = material
    position = np.array(scene.light.position)
    model.light_pos[0], model.light_dir[0] = position, -position / np.linalg.norm(position)
    tint = np.array(scene.light.tint)
    model.light_diffuse[0] = scene.light.diffuse * tint
    model.light_specular[0] = scene.light.specular
    model.vis.headlight.ambient[:] = scene.light.ambient * tint


def _scene_parts(number: int, scene: Scene) -> tuple[str, str, dict[str, bytes]]:
    """Asset elements, world elements and picture files of one scene."""
    rng = np.random.default_rng([scene.seed, 1])
    files = {f'{name}_{number}.png': _png(texture(kind, rng))
             for name, kind in (('table', scene.table), ('floor', scene.floor))}
    assets = [_material(f'table_{number}', 2, 0.1), _material(f'floor_{number}', 6, 0)]
    bodies = []
    for row, thing in enumerate(scene.things):
        geoms, pattern = [], ''
        if thing.paint is not None and is_patterned(thing):
            pattern = f'pattern_{number}_{row}'
            files[f'{pattern}.png'] = _png(pattern_picture(rng, thing.paint))
            assets.append(_material(pattern, 1, 0.1))
        for part_number, part in enumerate(thing.form.parts):
            name = f'mesh_{number}_{row}_{part_number}'
            covered = pattern if part.rgb is None else ''
            if part.mesh is not None:
                assets.append(_mesh(name, part.mesh, thing if covered else None))
            geoms.append(_geom(part, name, thing, covered))
        x, y = thing.xy
        bodies.append(
            f'<body name="thing_{number}_{row}" pos="{x:.6f} {y:.6f} {thing.z:.6f}" '
            f'quat="{math.cos(thing.yaw / 2):.6f} 0 0 {math.sin(thing.yaw / 2):.6f}">'
            + ''.join(geoms) + '</body>')
    return ''.join(assets), ''.join(bodies) + _camera(number, scene.view), files


def is_patterned(thing: Thing) -> bool:
    """Whether the object is covered with a picture, and not with one colour."""
    return thing.paint is not None and thing.paint.pattern != ''


def _material(name: str, repeat: int, specular: float) -> str:
    return (f'<texture name="{name}" type="2d" file="{name}.png"/>'
            f'<material name="{name}" texture="{name}" '
            f'texrepeat="{repeat} {repeat}" specular="{specular}" reflectance="0"/>')


def _shadow_size(size_hw: tuple[int, int]) -> int:
    # Software OpenGL draws the whole shadow map for every picture.
    return 1024 if max(size_hw) <= 320 else 2048


def camera_pose(view: View) -> tuple[np.ndarray, np.ndarray]:
    """The camera in the world: position (3,) and rotation (3, 3) from the optical frame.

    Optical frame (REP-103): x right, y down, z forward.
    """
    target = np.array([*view.target_xy, 0.0])
    back = np.array([
        math.sin(view.azimuth) * math.cos(view.elevation),
        -math.cos(view.azimuth) * math.cos(view.elevation), math.sin(view.elevation)])
    forward = -back
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return target + view.distance * back, np.column_stack(
        [right, np.cross(forward, right), forward])


def _camera(number: int, view: View) -> str:
    position, rotation = camera_pose(view)
    return (f'<camera name="{camera_name(number)}" pos="{_vector(position)}" '
            f'fovy="{math.degrees(view.fovy)}" '
            f'xyaxes="{_vector(rotation[:, 0])} {_vector(-rotation[:, 1])}"/>')


def _mesh(name: str, mesh: Mesh, covered: Thing | None = None) -> str:
    """A mesh, with places in the pattern that covers it if there is one."""
    # inertia="shell": a hollow body's volume is of no use here and may be refused.
    vertices = ' '.join(f'{value:.5f}' for value in mesh.vertices.ravel())
    faces = ' '.join(str(value) for value in mesh.faces.ravel())
    places = ''
    if covered is not None and covered.paint is not None:
        uv = pattern_places(mesh.vertices, covered.paint, covered.form.extents)
        places = f'texcoord="{" ".join(f"{value:.4f}" for value in uv.ravel())}" '
    return f'<mesh name="{name}" inertia="shell" vertex="{vertices}" {places}face="{faces}"/>'


def plain_rgb(thing: Thing) -> tuple[float, float, float]:
    """The colour of those parts of an object that have none of their own."""
    return COLOURS[thing.colour] if thing.paint is None else thing.paint.rgb


def _geom(part: Part, mesh_name: str, thing: Thing, material: str = '') -> str:
    rgb = (1.0, 1.0, 1.0) if material else part.rgb or plain_rgb(thing)
    shape = (f'type="mesh" mesh="{mesh_name}"' if part.kind == 'mesh' else
             f'type="{part.kind}" size="{_vector(part.half_sizes)}" '
             f'pos="{_vector(part.position)}"')
    covered = f'material="{material}" ' if material else ''
    return f'<geom {shape} {covered}rgba="{_vector(rgb)} 1"/>'


def _vector(values: np.ndarray | tuple[float, ...]) -> str:
    return ' '.join(f'{value:.6f}' for value in values)


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'png', compress_level=1)
    return buffer.getvalue()
