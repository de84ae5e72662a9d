"""The simulated gripper driven directly, without ROS and without waiting for the clock."""

import numpy as np

from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.stages import RobotError
from refdiff_ros.sim.gripper_sim import GripperSim, HOME

_LOOK_S = 0.02
_SETTLE_S = 0.15
_PATIENCE_S = 15.0
_NEAR_M = 0.004  # as in `ros.pick_robot`
# A joint slower than this stands still.
_STILL = 0.005


class SimRobot:
    """A `stages.Robot` on a `GripperSim`; time is simulated time.

    Attributes:
        home: where the hand waits.
        peak_m: (N,) how far each object has been raised at most so far.
    """

    home = HOME

    def __init__(self, sim: GripperSim):
        self._sim = sim
        self.peak_m = np.zeros(len(sim.scene.things))

    def move(self, pose: Pose) -> None:
        """Bring the frame between the fingertips to a pose in the base.

        Raises:
            RobotError: it has not arrived after 15 s, or something is in its way.
        """
        self._sim.aim(pose)
        for _ in range(round(_PATIENCE_S / _LOOK_S)):
            self._run(_LOOK_S)
            if self._sim.arrived or self._sim.blocked:
                self._run(_SETTLE_S)
                break
        gap_m = np.linalg.norm(np.subtract(self._sim.hand_pose().position, pose.position))
        if gap_m < _NEAR_M:
            return
        raise RobotError(f'the hand stands {gap_m * 1000:.0f} mm from where it was sent: '
                         'something is in its way')

    def grip(self, opening_m: float) -> float:
        """Open or close; what the opening is once the fingers stand still, metres."""
        self._sim.grip(opening_m)
        for _ in range(round(_PATIENCE_S / _LOOK_S)):
            self._run(_LOOK_S)
            joints = self._sim.joints()
            if max(map(abs, joints.velocity[3:])) < _STILL and self._sim.gripped:
                break
        self._run(_SETTLE_S)
        return self._sim.joints().opening_m

    def wait(self, seconds: float) -> float:
        """Hold still; the opening after that, metres."""
        self._run(seconds)
        return self._sim.joints().opening_m

    def let_finish(self) -> None:
        """Nothing interrupts this robot."""

    def _run(self, seconds: float) -> None:
        self._sim.run(seconds)
        self.peak_m = np.maximum(self.peak_m, self._sim.raised_m())
