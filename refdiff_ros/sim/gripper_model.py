"""A scene with physics and a floating parallel gripper, as a MuJoCo model.

What is seen is what `mjcf.scenes_xml` draws; what collides is `collision.solids`. The hand hangs
on a point without mass that is moved from outside (a mocap body), by a weld that gives way when
the hand meets something. World frame: metres, z up, the table's top is z = 0.
"""

from types import ModuleType
from typing import Any

import numpy as np

from refdiff_ros.sim.collision import Solid, solids
from refdiff_ros.sim.mjcf import scenes_xml
from refdiff_ros.sim.scene import Scene, Thing

MAX_OPENING_M = 0.11
# From the fingertips back to the palm: how tall what is gripped from above may reach.
FINGER_LENGTH_M = 0.12
FINGER_HALF_WIDTH_M, FINGER_HALF_THICKNESS_M = 0.011, 0.004
# Beyond the table's far edge: out of the camera's sight, its shadow off the table.
HOME_POSITION = (0.0, 0.95, 0.5)
TIMESTEP_S = 0.002
_GRIP_FORCE_N = 20.0
_MASS_KG = {'mug': 0.3, 'bowl': 0.3, 'bottle': 0.4, 'can': 0.35, 'box': 0.3, 'plate': 0.4,
            'ball': 0.12, 'banana': 0.12, 'cup': 0.15, 'jar': 0.35, 'block': 0.08, 'book': 0.35,
            'apple': 0.16, 'lemon': 0.1, 'spoon': 0.05, 'screwdriver': 0.12, 'tape': 0.15,
            'lid': 0.2, 'teapot': 0.5, 'pan': 0.4}
# As stiff as the time step allows: a soft pad would sink through the wall of a mug.
_STIFF, _PAD_SOLIMP = (0.004, 1.0), (0.95, 0.99, 0.001, 0.5, 2.0)
# Groups 0 to 2 are rendered.
_SEEN, _HIDDEN = 1, 3
# Sliding, torsional, rolling: without the last a ball would roll off a level table.
_FRICTION = (0.8, 0.005, 0.0005)
_PAD_FRICTION = (1.2, 0.01, 0.0005)


def gripper_model(mujoco: ModuleType, scene: Scene, size_hw: tuple[int, int]) -> Any:
    """An `MjModel` of `scene` and the gripper, for pictures of `size_hw`.

    Names: body `thing_0_<row>` of an object and its free joint `free_<row>`; mocap body `target`,
    body `hand` with free joint `hand`, finger joints `finger_left` and `finger_right`, whose
    position is half the opening, and the actuator `grip`, whose control is the same.
    """
    xml, assets = scenes_xml([scene], size_hw)
    spec = mujoco.MjSpec.from_string(xml, assets=assets)
    option = spec.option
    option.timestep = TIMESTEP_S
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Without these two what is held creeps out of the fingers.
    option.cone, option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 10
    for row, thing in enumerate(scene.things):
        _make_free(mujoco, spec.body(f'thing_0_{row}'), thing, row)
    table = spec.geom('table')
    table.friction, table.condim = _FRICTION, 6
    _add_hand(mujoco, spec)
    return spec.compile()


def _make_free(mujoco: ModuleType, body: Any, thing: Thing, row: int) -> None:
    body.add_freejoint(name=f'free_{row}')
    for geom in body.geoms:
        geom.contype = geom.conaffinity = 0
        geom.group, geom.mass = _SEEN, 0.0
    parts = solids(thing.shape, thing.form)
    total = sum(part.share for part in parts)
    for part in parts:
        _add_solid(mujoco, body, part, _MASS_KG[thing.shape] * part.share / total)


def _add_solid(mujoco: ModuleType, body: Any, part: Solid, mass_kg: float) -> None:
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(part.rotation).ravel())
    size = [*part.size, 0.0, 0.0][:3]
    body.add_geom(
        type=getattr(mujoco.mjtGeom, f'mjGEOM_{part.kind.upper()}'), size=size,
        pos=part.position, quat=quat, mass=mass_kg, group=_HIDDEN, friction=_FRICTION, condim=6)


def _add_hand(mujoco: ModuleType, spec: Any) -> None:
    """The body's frame: origin between the fingertips, x closes, z points the way it goes."""
    down = [0.0, 1.0, 0.0, 0.0]  # turned about x: z down
    world = spec.worldbody
    world.add_body(name='target', mocap=True, pos=HOME_POSITION, quat=down)
    hand = world.add_body(name='hand', pos=HOME_POSITION, quat=down, gravcomp=1)
    hand.add_freejoint(name='hand')
    box = mujoco.mjtGeom.mjGEOM_BOX
    hand.add_geom(type=box, size=[0.07, 0.02, 0.015], pos=[0, 0, -FINGER_LENGTH_M - 0.015],
                  rgba=[0.25, 0.25, 0.28, 1], mass=0.5, group=_SEEN)
    hand.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[0.028, 0.05, 0],
                  pos=[0, 0, -FINGER_LENGTH_M - 0.08], rgba=[0.8, 0.8, 0.82, 1], mass=0.3,
                  group=_SEEN)
    for name, sign in (('left', -1.0), ('right', 1.0)):
        finger = hand.add_body(name=f'finger_{name}', gravcomp=1)
        finger.add_joint(name=f'finger_{name}', type=mujoco.mjtJoint.mjJNT_SLIDE,
                         axis=[sign, 0, 0], range=[0, MAX_OPENING_M / 2], limited=True,
                         damping=5.0, solref_limit=_STIFF)
        finger.add_geom(
            type=box, mass=0.08, group=_SEEN, friction=_PAD_FRICTION, condim=4, priority=1,
            size=[FINGER_HALF_THICKNESS_M, FINGER_HALF_WIDTH_M, FINGER_LENGTH_M / 2],
            pos=[sign * FINGER_HALF_THICKNESS_M, 0, -FINGER_LENGTH_M / 2],
            solref=_STIFF, solimp=_PAD_SOLIMP, rgba=[0.1, 0.1, 0.1, 1])
    for body in ('finger_left', 'finger_right'):
        spec.add_exclude(bodyname1='hand', bodyname2=body)
    spec.add_exclude(bodyname1='finger_left', bodyname2='finger_right')
    _couple(mujoco, spec)


def _couple(mujoco: ModuleType, spec: Any) -> None:
    weld = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, name1='hand',
        name2='target', solref=[0.01, 1.0])
    # Anchor, relative position, relative turn, and how turning weighs against shifting.
    weld.data[:11] = [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    # Both fingers move alike, or an object off the middle would be pushed aside for ever.
    coupling = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT, name1='finger_left',
        name2='finger_right', solref=_STIFF)
    coupling.data[:2] = 0.0, 1.0
    grip = spec.add_actuator(
        name='grip', target='finger_left', trntype=mujoco.mjtTrn.mjTRN_JOINT)
    grip.set_to_position(kp=2000.0, kv=60.0)
    grip.forcelimited, grip.forcerange = True, [-_GRIP_FORCE_N, _GRIP_FORCE_N]
    grip.ctrllimited, grip.ctrlrange = True, [0.0, MAX_OPENING_M / 2]
