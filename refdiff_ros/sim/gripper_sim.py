"""The gripper and the objects as they move: one object that is stepped, asked and looked at.

World frame, which is also the robot's base: metres, z up, the table's top is z = 0.
"""

import copy
from dataclasses import dataclass, replace
import math
from typing import Any

import numpy as np

from refdiff_ros.errors import RefDiffError
from refdiff_ros.grasp.results import Pose, quaternion
from refdiff_ros.sim.gripper_model import gripper_model, HOME_POSITION, MAX_OPENING_M, TIMESTEP_S
from refdiff_ros.sim.mjcf import camera_pose, show_scene
from refdiff_ros.sim.render import load_mujoco, picture, SceneView
from refdiff_ros.sim.scene import Scene, View

# Fingers down, closing along the base's x.
HOME = Pose(HOME_POSITION, (1.0, 0.0, 0.0, 0.0))
# The mocap body is moved once in this many steps.
_STEPS = 2
TICK_S = _STEPS * TIMESTEP_S
_SPEED, _ACCELERATION, _TURN_SPEED = 0.6, 2.5, 3.0  # m/s, m/s^2, rad/s
_CLOSING_SPEED = 0.25  # of the opening, m/s
# A hand that hangs further behind its guide than this has met something: it is not pushed on.
_LAG_M, _LAG_S = 0.005, 0.025  # at rest, and for each m/s more
_BLOCKED_S = 0.5
_SETTLE_S = 0.6
_ROUND = ('ball', 'apple', 'lemon')
_UP = np.array([0.0, 0.0, 1.0])
# What leans or has shifted more than this after settling was not laid well.
_LEAN, _SHIFT_M = math.radians(15), 0.02
JOINTS = ('hand_x', 'hand_y', 'hand_z', 'finger_left', 'finger_right')


@dataclass(frozen=True)
class JointReading:
    """What the joints report: positions in metres, speeds in m/s, forces in N, by `JOINTS`."""

    position: tuple[float, ...]
    velocity: tuple[float, ...]
    effort: tuple[float, ...]

    @property
    def opening_m(self) -> float:
        """Distance between the fingers."""
        return self.position[3] + self.position[4]


class GripperSim:
    """Physics of one scene; not safe to use from two threads at once.

    Args:
        scene: what lies on the table.
        size_hw: of the pictures that will be taken.

    Raises:
        MissingPackageError, RefDiffError: as in `render.load_mujoco`.
        RefDiffError: an object fell over or off the table while the scene settled.
    """

    def __init__(self, scene: Scene, size_hw: tuple[int, int] = (480, 640)):
        self.mujoco = load_mujoco()
        self.model = gripper_model(self.mujoco, scene, size_hw)
        show_scene(self.mujoco, self.model, [scene], 0)
        self.data = self.mujoco.MjData(self.model)
        self._things = [self.data.body(f'thing_0_{row}') for row in range(len(scene.things))]
        # A body's own origin is where it stood at first: a ball that rolls turns it upwards.
        self._radii = [0.5 * thing.form.extents[2] if thing.shape in _ROUND else 0.0
                       for thing in scene.things]
        self._hand, self._grip = self.data.body('hand'), self.data.actuator('grip')
        self._fingers = [self.data.joint(f'finger_{side}') for side in ('left', 'right')]
        self.target, self._speed, self._halted_s = HOME, 0.0, 0.0
        self._position, self._quat = np.array(HOME.position), np.array([0.0, 1.0, 0.0, 0.0])
        self.grip(MAX_OPENING_M)
        self.run(_SETTLE_S)
        self.scene = self._settled(scene)
        self.start_m = self.positions()

    def aim(self, pose: Pose) -> None:
        """Where the hand goes from now on: the frame between the fingertips, z the approach."""
        self.target, self._halted_s = pose, 0.0

    def halt(self) -> None:
        """Stop the hand where it is: its guide comes to it at once."""
        self.aim(self.hand_pose())
        self._position, self._speed = np.array(self.target.position), 0.0
        x, y, z, w = self.target.orientation
        self._quat = np.array([w, x, y, z])

    def grip(self, opening_m: float) -> None:
        """Distance that the fingers go to, metres; what is between them stops them."""
        self._opening = float(np.clip(opening_m, 0.0, MAX_OPENING_M))

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        for _ in range(max(round(seconds / TICK_S), 1)):
            self._drive()
            self.mujoco.mj_step(self.model, self.data, _STEPS)

    def look(self, renderer: Any, data: Any = None) -> SceneView:
        """What the camera sees; the truth beside it is that of the settled scene.

        Args:
            renderer: of this simulation's model.
            data: from `copy_state`; None looks at the present.
        """
        return picture(self.mujoco, self.model, data or self.data, renderer, self.scene)

    def copy_state(self) -> Any:
        """A copy of the present that may be looked at while time goes on."""
        return copy.copy(self.data)

    @property
    def arrived(self) -> bool:
        """Whether the hand's guide is at its target; the hand follows it closely."""
        return self._speed == 0.0 and np.allclose(self._position, self.target.position)

    @property
    def blocked(self) -> bool:
        """Whether the hand has met something and has given up pushing."""
        return self._halted_s > _BLOCKED_S

    @property
    def gripped(self) -> bool:
        """Whether the fingers have been driven all the way, be it against an object."""
        return abs(float(self._grip.ctrl[0]) * 2 - self._opening) < 1e-6

    def joints(self) -> JointReading:
        """What the joints report."""
        velocity = self.data.joint('hand').qvel
        fingers = self._fingers
        return JointReading(
            (*self._hand.xpos.tolist(), *(float(f.qpos[0]) for f in fingers)),
            (*velocity[:3].tolist(), *(float(f.qvel[0]) for f in fingers)),
            (0.0, 0.0, 0.0, *(float(self._grip.force[0]) / 2,) * 2))

    def hand_pose(self) -> Pose:
        """Where the hand is."""
        return Pose(tuple(self._hand.xpos.tolist()),
                    quaternion(self._hand.xmat.reshape(3, 3)))

    def poses(self) -> list[Pose]:
        """Where the N objects' bases are, and how they are turned."""
        return [Pose(tuple(base.tolist()), quaternion(thing.xmat.reshape(3, 3)))
                for base, thing in zip(self.positions(), self._things, strict=True)]

    def positions(self) -> np.ndarray:
        """(N, 3) where the objects' bases are; of a ball, which rolls, the lowest point."""
        return np.array([thing.xpos + over * (thing.xmat.reshape(3, 3)[:, 2] - _UP)
                         for thing, over in zip(self._things, self._radii, strict=True)])

    def upright(self) -> np.ndarray:
        """(N, 3) unit vectors in the base, upright in each object."""
        return np.array([thing.xmat.reshape(3, 3)[:, 2] for thing in self._things])

    def raised_m(self) -> np.ndarray:
        """(N,) how far each object's base has risen since the start."""
        return self.positions()[:, 2] - self.start_m[:, 2]

    def snapshot(self) -> tuple[Any, ...]:
        """The present moment, for `restore`."""
        part = self.mujoco.mjtState.mjSTATE_INTEGRATION
        state = np.zeros(self.mujoco.mj_stateSize(self.model, part))
        self.mujoco.mj_getState(self.model, self.data, state, part)
        return state, self.target, self._speed, self._position, self._quat, self._opening

    def restore(self, moment: tuple[Any, ...]) -> None:
        """Go back to a moment of this simulation."""
        state, self.target, self._speed, self._position, self._quat, self._opening = moment
        self.mujoco.mj_setState(
            self.model, self.data, state, self.mujoco.mjtState.mjSTATE_INTEGRATION)
        self.mujoco.mj_forward(self.model, self.data)
        self._halted_s = 0.0

    def _drive(self) -> None:
        """Move the mocap body one tick towards the target, along a line, without a jerk."""
        last, most = float(self._grip.ctrl[0]) * 2, _CLOSING_SPEED * TICK_S
        self._grip.ctrl = (last + float(np.clip(self._opening - last, -most, most))) / 2
        lag = float(np.linalg.norm(self._hand.xpos - self._position))
        if lag > _LAG_M + _LAG_S * self._speed:
            self._speed, self._halted_s = 0.0, self._halted_s + TICK_S
            return
        gap = np.array(self.target.position) - self._position
        distance = float(np.linalg.norm(gap))
        brake = math.sqrt(2 * _ACCELERATION * distance)
        self._speed = min(self._speed + _ACCELERATION * TICK_S, _SPEED, brake)
        step = self._speed * TICK_S
        if distance <= max(step, 1e-4):
            self._position, self._speed = np.array(self.target.position), 0.0
        else:
            self._position = self._position + gap * (step / distance)
        self._quat = self._turned()
        self._halted_s = max(self._halted_s - TICK_S, 0.0)
        self.data.mocap_pos[0], self.data.mocap_quat[0] = self._position, self._quat

    def _turned(self) -> np.ndarray:
        x, y, z, w = self.target.orientation
        goal, turn = np.array([w, x, y, z]), np.zeros(3)
        self.mujoco.mju_subQuat(turn, goal, self._quat)
        angle = float(np.linalg.norm(turn))
        share = min(_TURN_SPEED * TICK_S / max(angle, 1e-9), 1.0)
        result = self._quat.copy()
        self.mujoco.mju_quatIntegrate(result, turn * share, 1.0)
        return result

    def _settled(self, scene: Scene) -> Scene:
        """The scene with its objects where they came to rest."""
        things = []
        for thing, body in zip(scene.things, self._things, strict=True):
            rotation, shift = body.xmat.reshape(3, 3), body.xpos[:2] - thing.xy
            if math.acos(np.clip(rotation[2, 2], -1, 1)) > _LEAN or np.hypot(*shift) > _SHIFT_M:
                raise RefDiffError(
                    f'expected every object of scene {scene.seed} to stay where it was laid, '
                    f'the {thing.name} moved: take another seed')
            things.append(replace(
                thing, xy=tuple(body.xpos[:2].tolist()), z=float(body.xpos[2]),
                yaw=math.atan2(rotation[1, 0], rotation[0, 0])))
        return replace(scene, things=tuple(things))


def camera_in_base(view: View) -> Pose:
    """The camera's optical frame in the base."""
    position, rotation = camera_pose(view)
    return Pose(tuple(position.tolist()), quaternion(rotation))
