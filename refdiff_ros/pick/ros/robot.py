"""An arm with a parallel gripper on a ROS graph, as the skills want it.

A motion is over when the robot reports that it is there, not when some time has passed: the same
code drives a simulation that is slower than the clock, and hardware. What sends the hand and the
fingers is a backend (`pick.ros.arms`, `pick.ros.grippers`).
"""

from collections import deque
from collections.abc import Callable
import math
import threading
import time

from geometry_msgs.msg import PoseStamped
import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import JointState

from refdiff_ros.errors import require
from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.robot import Interrupt, RobotError, StoppedError
from refdiff_ros.pick.ros.arms import Arm, turned_between
from refdiff_ros.pick.ros.frames import Frames, NoTransformError, pose_from
from refdiff_ros.pick.ros.grippers import Gripper
from refdiff_ros.pick.ros.parameters import HandParameters
from refdiff_ros.pick.workspace import Workspace

# Fingers that have come this far have answered a command.
_MOVED_M = 0.001
# Fingers that stay within this are at rest.
_STILL_M = 0.0005
# Reports that must agree, however fast they come.
_AGREE = 3
_LOOK_S = 0.01
_KEPT = 1000


class RosRobot:
    """A `robot.Robot` that sends targets and waits for reports.

    Args:
        node: whose topics `current_pose` and `joint_states` are.
        values: the parameters as they are now.
        arm, gripper: the backends.
        frames: tf, for poses in another frame than the base and for `pose_source` 'tf'.
    """

    def __init__(self, node: Node, values: HandParameters, arm: Arm, gripper: Gripper,
                 frames: Frames):
        self._values, self._fingers = values, values.fingers
        self._arm, self._gripper, self._frames = arm, gripper, frames
        self._frame = values('base_frame')
        self._lock = threading.Condition()
        self._check: Callable[[], None] = lambda: None
        self._finishing = self._gripping = False
        self._pose: Pose | None = None
        self._problem = ''
        # Times in seconds and openings in metres, newest last.
        self._openings: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._poses = self._reports = 0
        group = MutuallyExclusiveCallbackGroup()
        self._clock = node.get_clock()
        if values('pose_source') == 'topic':
            node.create_subscription(
                PoseStamped, 'current_pose', self._pose_came, 10, callback_group=group)
        else:
            frames.listen()
            node.create_timer(_LOOK_S, self._look_up, callback_group=group)
        node.create_subscription(
            JointState, 'joint_states', self._joints_came, 10, callback_group=group)

    @property
    def home(self) -> Pose:
        """Where the hand waits."""
        return self._values.pose('home')

    def start(self, check: Callable[[], None]) -> None:
        """Begin a skill: `check` is called while waiting, and raises to break it off."""
        self._check, self._finishing = check, False

    def let_finish(self) -> None:
        """From here on only a stop interrupts."""
        self._finishing = True

    def pose(self) -> Pose:
        """Where the hand was reported last.

        Raises:
            RobotError: nowhere, within `motion_timeout`.
            StoppedError: as the check says.
        """
        self._wait(lambda: self._pose is not None, self._no_pose)
        return require(self._pose, 'a pose that was reported')

    def opening(self) -> float:
        """The opening as it was reported last; NaN before the first report."""
        return self._openings[-1][1] if self._openings else math.nan

    def move(self, pose: Pose) -> None:
        """Bring the frame between the fingertips to a pose in the base.

        Raises:
            RobotError: the pose lies outside the workspace, the robot does not report, or it is
                not there in time.
            StoppedError: as the check says.
        """
        outside = Workspace.of(self._values('workspace')).outside(pose.position)
        if outside:
            raise RobotError(outside)
        self._arm.send(pose)
        agreed, since_s, seen = 0, 0.0, self._poses

        def there() -> bool:
            nonlocal agreed, since_s, seen
            over = self._arm.look(self._pose)
            if self._poses == seen:
                return False
            seen = self._poses
            if not over or not self._near(pose):
                agreed = 0
                return False
            agreed += 1
            since_s = time.monotonic() if agreed == 1 else since_s
            return agreed >= _AGREE and time.monotonic() - since_s >= self._values('rest_time')
        self._wait(there, lambda: self._not_there(pose))

    def grip(self, opening_m: float) -> float:
        """Open or close; the opening once the fingers stand still, metres.

        Raises:
            RobotError: the robot does not report, or its fingers do not come to rest.
            StoppedError: as the check says.
        """
        self._wait(lambda: bool(self._openings), lambda: self._silent('joint_states'))
        self._gripping = True
        try:
            self._close_or_open(opening_m)
        finally:
            self._gripping = False
        return self.opening()

    def _close_or_open(self, opening_m: float) -> None:
        start, first = self.opening(), self._reports
        self._gripper.send(opening_m)
        sent_s = time.monotonic()

        def done() -> bool:
            at = self.opening()
            arrived = abs(at - opening_m) < self._values('opening_tolerance')
            return (self._gripper.look() and self._rested(first)
                    and (arrived or abs(at - start) > _MOVED_M
                         or math.isfinite(self._gripper.reported_m())
                         or self._gripper.is_heard()
                         and time.monotonic() - sent_s > self._values('stall_time')))
        self._wait(done, lambda: (
            f'expected the fingers to go to {opening_m * 1000:.0f} mm and come to rest, they are '
            f'at {self.opening() * 1000:.0f} mm after {self._values("motion_timeout"):g} s: look '
            'at the gripper, and whether somebody listens to its commands'))

    def wait(self, seconds: float) -> float:
        """Hold still; the opening after that, metres.

        Raises:
            StoppedError: as the check says.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._interrupted()
            time.sleep(_LOOK_S)
        return self.opening()

    def halt(self) -> None:
        """The pose of this moment becomes the target.

        Fingers that open or close stop. Those that hold something go on pressing, though the
        opening that they report may tremble: sent to where they are, they would let go.
        """
        self._arm.halt(self._pose)
        if self._gripping:
            self._gripper.halt(self.opening())

    def _interrupted(self) -> None:
        try:
            self._check()
        except StoppedError as error:
            if not self._finishing or error.kind is Interrupt.STOPPED:
                self.halt()
                raise

    def _wait(self, done: Callable[[], bool], problem: Callable[[], str]) -> None:
        end = time.monotonic() + self._values('motion_timeout')
        while True:
            self._interrupted()
            with self._lock:
                if done():
                    return
                self._lock.wait(_LOOK_S)
            if time.monotonic() > end:
                raise RobotError(self._problem or problem())

    def _near(self, pose: Pose) -> bool:
        here = self._pose
        if here is None:
            return False
        gap_m = np.linalg.norm(np.subtract(here.position, pose.position))
        return bool(gap_m < self._values('position_tolerance')
                    and turned_between(here, pose) < self._values('angle_tolerance'))

    def _rested(self, first: int) -> bool:
        """Whether reports after number `first` agree for the rest time."""
        count = min(self._reports - first, len(self._openings))
        if count < _AGREE:
            return False
        since = list(self._openings)[-count:]
        newest_s = since[-1][0]
        rest_s = self._values('rest_time')
        if newest_s - since[0][0] < rest_s:
            return False
        recent = [at for when, at in since if newest_s - when <= rest_s]
        if len(recent) < _AGREE:
            recent = [at for _, at in since[-_AGREE:]]
        return max(recent) - min(recent) < _STILL_M

    def _not_there(self, pose: Pose) -> str:
        if self._pose is None:
            return self._no_pose()
        at = ', '.join(f'{value:.3f}' for value in self._pose.position)
        wanted = ', '.join(f'{value:.3f}' for value in pose.position)
        return (f'expected the hand at ({wanted}) m, it is at ({at}) after '
                f'{self._values("motion_timeout"):g} s: something is in its way, or it cannot '
                'reach there')

    def _no_pose(self) -> str:
        if self._values('pose_source') == 'topic':
            return self._problem or self._silent('current_pose')
        return self._problem or 'the pose of the hand is not known'

    def _silent(self, topic: str) -> str:
        return (f"expected the robot's reports on '{topic}', none came in "
                f'{self._values("motion_timeout"):g} s: is its driver running, and the topic '
                'remapped?')

    def _pose_came(self, msg: PoseStamped) -> None:
        pose = pose_from(msg.pose)
        frame = msg.header.frame_id
        if frame != self._frame:
            try:
                base = self._frames.pose(self._frame, frame, None, 0.0)
            except NoTransformError as error:
                self._problem = (f"current_pose comes in the frame '{frame}' and not in "
                                 f"base_frame '{self._frame}': {error}")
                return
            pose = base.of(pose)
        self._take_pose(pose)

    def _look_up(self) -> None:
        try:
            self._take_pose(self._frames.pose(
                self._frame, self._values('tool_frame'), None, 0.0))
        except NoTransformError as error:
            self._problem = str(error)

    def _take_pose(self, pose: Pose) -> None:
        with self._lock:
            self._pose, self._poses, self._problem = pose, self._poses + 1, ''
            self._lock.notify_all()

    def _joints_came(self, msg: JointState) -> None:
        rows = [msg.name.index(name) for name in self._fingers.joints if name in msg.name]
        # Drivers of arm and gripper may share the topic, each with its own joints.
        if len(rows) != len(self._fingers.joints) or len(msg.position) < len(msg.name):
            return
        opening = self._fingers.opening_m(tuple(msg.position[row] for row in rows))
        if not math.isfinite(opening):
            return
        stamp_s = msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9
        with self._lock:
            # A driver that stamps nothing, or the same always, is timed by receipt. Velocities
            # are not read: many drivers send 0 or NaN.
            if not self._openings or stamp_s <= self._openings[-1][0]:
                stamp_s = self._received_s()
            self._openings.append((stamp_s, opening))
            self._reports += 1
            self._lock.notify_all()

    def _received_s(self) -> float:
        return self._clock.now().nanoseconds * 1e-9
