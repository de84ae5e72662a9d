"""A scene as a MuJoCo model: MJCF text and the textures it names."""

import io
import math

import numpy as np
from PIL import Image

from refdiff_ros.sim.meshes import Mesh
from refdiff_ros.sim.scene import Scene, TABLE_HALF_XY, Thing, View
from refdiff_ros.sim.shapes import COLOURS, Part
from refdiff_ros.sim.textures import texture

CAMERA = 'camera'
_FLOOR_Z = -0.75


def scene_xml(scene: Scene, size_hw: tuple[int, int]) -> tuple[str, dict[str, bytes]]:
    """MJCF of `scene` for pictures of `size_hw`, and the picture files that it refers to.

    Body `thing_<row>` is object `row` of the scene.
    """
    rng = np.random.default_rng([scene.seed, 1])
    assets = {f'{name}.png': _png(texture(kind, rng))
              for name, kind in (('table', scene.table), ('floor', scene.floor))}
    meshes, bodies = [], []
    for row, thing in enumerate(scene.things):
        geoms = []
        for number, part in enumerate(thing.form.parts):
            name = f'mesh_{row}_{number}'
            if part.mesh is not None:
                meshes.append(_mesh(name, part.mesh))
            geoms.append(_geom(part, name, thing))
        x, y = thing.xy
        bodies.append(
            f'<body name="thing_{row}" pos="{x:.6f} {y:.6f} 0" '
            f'quat="{math.cos(thing.yaw / 2):.6f} 0 0 {math.sin(thing.yaw / 2):.6f}">'
            + ''.join(geoms) + '</body>')
    light = scene.light
    xml = f"""<mujoco>
<visual><global offwidth="{size_hw[1]}" offheight="{size_hw[0]}"/><map znear="0.05" zfar="20"/>
<quality shadowsize="{_shadow_size(size_hw)}"/>
<headlight ambient="{_grey(light.ambient)}" diffuse="0.15 0.15 0.15" specular="0 0 0"/></visual>
<asset>
<texture name="table" type="2d" file="table.png"/>
<texture name="floor" type="2d" file="floor.png"/>
<material name="table" texture="table" texrepeat="2 2" specular="0.1" reflectance="0"/>
<material name="floor" texture="floor" texrepeat="6 6" specular="0" reflectance="0"/>
{''.join(meshes)}</asset>
<worldbody>
<light pos="{_vector(light.position)}" dir="{_vector(-np.array(light.position))}"
 diffuse="{_grey(light.diffuse)}" specular="0.25 0.25 0.25" castshadow="true" cutoff="70"/>
<geom type="plane" size="4 4 0.1" pos="0 0 {_FLOOR_Z}" material="floor"/>
<geom type="box" size="{TABLE_HALF_XY[0]} {TABLE_HALF_XY[1]} 0.02" pos="0 0 -0.02"
 material="table"/>
{''.join(bodies)}
{_camera(scene.view)}
</worldbody></mujoco>"""
    return xml, assets


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


def _camera(view: View) -> str:
    position, rotation = camera_pose(view)
    return (f'<camera name="{CAMERA}" pos="{_vector(position)}" fovy="{math.degrees(view.fovy)}" '
            f'xyaxes="{_vector(rotation[:, 0])} {_vector(-rotation[:, 1])}"/>')


def _mesh(name: str, mesh: Mesh) -> str:
    # inertia="shell": a hollow body's volume is of no use here and may be refused.
    vertices = ' '.join(f'{value:.5f}' for value in mesh.vertices.ravel())
    faces = ' '.join(str(value) for value in mesh.faces.ravel())
    return f'<mesh name="{name}" inertia="shell" vertex="{vertices}" face="{faces}"/>'


def _geom(part: Part, mesh_name: str, thing: Thing) -> str:
    rgb = part.rgb or COLOURS[thing.colour]
    shape = (f'type="mesh" mesh="{mesh_name}"' if part.kind == 'mesh' else
             f'type="{part.kind}" size="{_vector(part.half_sizes)}" '
             f'pos="{_vector(part.position)}"')
    return f'<geom {shape} rgba="{_vector(rgb)} 1"/>'


def _vector(values: np.ndarray | tuple[float, ...]) -> str:
    return ' '.join(f'{value:.6f}' for value in values)


def _grey(value: float) -> str:
    return _vector((value, value, value))


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'png')
    return buffer.getvalue()
