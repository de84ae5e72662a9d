"""The simulated gripper driven directly, without ROS and without waiting for the clock."""

from collections.abc import Callable

import numpy as np

from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.robot import Interrupt, RobotError, StoppedError
from refdiff_ros.pick.verdict import disturbed
from refdiff_ros.sim.gripper_sim import GripperSim, HOME

_LOOK_S = 0.02
_SETTLE_S = 0.15
_PATIENCE_S = 15.0
_NEAR_M = 0.004  # as the default of the action server
# A joint slower than this stands still.
_STILL = 0.005


class SimRobot:
    """A `robot.Robot` on a `GripperSim`; time is simulated time.

    Attributes:
        home: where the hand waits.
        peak_m: (N,) how far each object has been raised at most so far.
        disturbed: (N,) bool, which have been moved or tilted so far.
        time_s: simulated time that has passed in motions.
    """

    home = HOME

    def __init__(self, sim: GripperSim):
        self._sim = sim
        self._check: Callable[[], None] = lambda: None
        self._finishing = False
        things = sim.scene.things
        self.peak_m = np.zeros(len(things))
        self.disturbed = np.zeros(len(things), bool)
        self._start = sim.positions(), sim.upright()
        self._balls = np.array([thing.shape == 'ball' for thing in things])
        self.time_s = 0.0

    def start(self, check: Callable[[], None]) -> None:
        """Begin a skill: `check` is called while time passes, and raises to break it off."""
        self._check, self._finishing = check, False

    def pose(self) -> Pose:
        """Where the hand is."""
        return self._sim.hand_pose()

    def opening(self) -> float:
        """How far apart the fingers are."""
        return self._sim.joints().opening_m

    def move(self, pose: Pose) -> None:
        """Bring the frame between the fingertips to a pose in the base.

        Raises:
            RobotError: it has not arrived after 15 s, or something is in its way.
            StoppedError: as the check says.
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
            if not self._fingers_move() and self._sim.gripped:
                break
        self._run(_SETTLE_S)
        return self.opening()

    def wait(self, seconds: float) -> float:
        """Hold still; the opening after that, metres."""
        self._run(seconds)
        return self.opening()

    def halt(self) -> None:
        """The pose of this moment becomes the target; fingers that still move stop."""
        self._sim.halt()
        if not self._sim.gripped:
            self._sim.grip(self.opening())

    def let_finish(self) -> None:
        """From here on only a stop interrupts."""
        self._finishing = True

    def _fingers_move(self) -> bool:
        return max(map(abs, self._sim.joints().velocity[3:])) >= _STILL

    def _run(self, seconds: float) -> None:
        for _ in range(max(round(seconds / _LOOK_S), 1)):
            try:
                self._check()
            except StoppedError as error:
                if not self._finishing or error.kind is Interrupt.STOPPED:
                    self.halt()
                    raise
            step_s = min(seconds, _LOOK_S)
            self._sim.run(step_s)
            self.time_s += step_s
            self.peak_m = np.maximum(self.peak_m, self._sim.raised_m())
            start_m, start_up = self._start
            self.disturbed |= disturbed(start_m, self._sim.positions(), start_up,
                                        self._sim.upright(), self._balls)
