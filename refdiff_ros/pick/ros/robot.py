"""An arm with a parallel gripper behind topics, as `pick.stages` wants it.

A motion is over when the robot reports that it is there, not when some time has passed: the same
code drives a simulation that is slower than the clock, and hardware.
"""

from collections.abc import Callable
import math
import threading
import time
from typing import Any

from geometry_msgs.msg import PoseStamped
import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64, Header

from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.stages import RobotError
from refdiff_ros.ros.messages import pose_message

_NEAR_M, _TURNED = 0.004, math.radians(3)
_OPENING_NEAR_M, _MOVED_M, _STILL_M_S = 0.002, 0.001, 0.005
# Reports in a row that must agree before a motion counts as over.
_AGREE = 6
_LOOK_S = 0.01


class TopicRobot:
    """A `stages.Robot` that publishes targets and waits for reports.

    Args:
        node: whose topics these are: `target_pose` and `gripper_command` out, `current_pose` and
            `joint_states` in.
        base_frame: the frame of the poses.
        finger_joints: names of the joints whose positions add up to the opening.
        home: where the hand waits.
        patience_s: how long one motion may take.
    """

    def __init__(self, node: Node, base_frame: str, finger_joints: list[str], home: Pose,
                 patience_s: float):
        self.home = home
        self._frame, self._fingers, self._patience_s = base_frame, finger_joints, patience_s
        self._clock = node.get_clock()
        self._target = node.create_publisher(PoseStamped, 'target_pose', QoSProfile(depth=5))
        self._command = node.create_publisher(Float64, 'gripper_command', QoSProfile(depth=5))
        group = MutuallyExclusiveCallbackGroup()
        node.create_subscription(
            PoseStamped, 'current_pose', self._pose_came, 10, callback_group=group)
        node.create_subscription(
            JointState, 'joint_states', self._joints_came, 10, callback_group=group)
        self._lock = threading.Condition()
        self._pose: PoseStamped | None = None
        self._opening, self._speed = math.nan, math.nan
        self._poses = self._reports = 0
        self._check: Callable[[], None] = lambda: None

    def start(self, check: Callable[[], None]) -> None:
        """Begin a pick: `check` is called while waiting, and raises to stop it."""
        self._check = check

    def let_finish(self) -> None:
        """From here on nothing interrupts."""
        self._check = lambda: None

    @property
    def opening_m(self) -> float:
        """The opening as it was reported last; NaN before the first report."""
        return self._opening

    def move(self, pose: Pose) -> None:
        """Bring the frame between the fingertips to a pose in the base.

        Raises:
            RobotError: the robot does not report, or is not there in time.
            StoppedError: as the check says.
        """
        header = Header(stamp=self._clock.now().to_msg(), frame_id=self._frame)
        self._target.publish(PoseStamped(header=header, pose=pose_message(pose)))
        agreed, seen = 0, self._poses

        def there() -> bool:
            nonlocal agreed, seen
            if self._poses == seen:
                return False
            seen = self._poses
            agreed = agreed + 1 if _close(self._pose.pose, pose) else 0
            return agreed >= _AGREE
        self._wait(there, lambda: self._not_there(pose, seen))

    def grip(self, opening_m: float) -> float:
        """Open or close; the opening once the fingers stand still, metres.

        Raises:
            RobotError: the robot does not report, or its fingers do not come to rest.
            StoppedError: as the check says.
        """
        self._wait(lambda: self._reports > 0, lambda: self._silent('joint_states'))
        start, agreed, seen = self._opening, 0, self._reports
        self._command.publish(Float64(data=float(opening_m)))

        def done() -> bool:
            nonlocal agreed, seen
            if self._reports == seen:
                return False
            seen = self._reports
            arrived = abs(self._opening - opening_m) < _OPENING_NEAR_M
            moved = abs(self._opening - start) > _MOVED_M
            agreed = agreed + 1 if self._speed < _STILL_M_S and (arrived or moved) else 0
            return agreed >= _AGREE
        self._wait(done, lambda: (
            f'expected the fingers to go to {opening_m * 1000:.0f} mm and come to rest, they are '
            f'at {self._opening * 1000:.0f} mm after {self._patience_s:g} s: look at the '
            "gripper, and whether somebody listens to 'gripper_command'"))
        return self._opening

    def wait(self, seconds: float) -> float:
        """Hold still; the opening after that, metres.

        Raises:
            StoppedError: as the check says.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check()
            time.sleep(_LOOK_S)
        return self._opening

    def _wait(self, done: Callable[[], bool], problem: Callable[[], str]) -> None:
        end = time.monotonic() + self._patience_s
        while True:
            self._check()
            with self._lock:
                if done():
                    return
                self._lock.wait(0.1)
            if time.monotonic() > end:
                raise RobotError(problem())

    def _not_there(self, pose: Pose, _seen: int) -> str:
        if self._pose is None:
            return self._silent('current_pose')
        at = self._pose.pose.position
        wanted = ', '.join(f'{value:.3f}' for value in pose.position)
        return (f'expected the hand at ({wanted}) m, it is at ({at.x:.3f}, {at.y:.3f}, '
                f'{at.z:.3f}) after {self._patience_s:g} s: something is in its way, or it cannot '
                'reach there')

    def _silent(self, topic: str) -> str:
        return (f"expected the robot's reports on '{topic}', none came in {self._patience_s:g} s:"
                ' is its driver running, and the topic remapped?')

    def _pose_came(self, msg: PoseStamped) -> None:
        with self._lock:
            self._pose, self._poses = msg, self._poses + 1
            self._lock.notify_all()

    def _joints_came(self, msg: JointState) -> None:
        rows = [msg.name.index(name) for name in self._fingers if name in msg.name]
        # Drivers of arm and gripper may share the topic, each with its own joints.
        if len(rows) != len(self._fingers) or len(msg.position) < len(msg.name):
            return
        with self._lock:
            before, self._opening = self._opening, float(sum(msg.position[k] for k in rows))
            self._speed = (sum(abs(msg.velocity[k]) for k in rows)
                           if len(msg.velocity) == len(msg.name)
                           else abs(self._opening - before) / 0.02)
            self._reports += 1
            self._lock.notify_all()


def _close(at: Any, pose: Pose) -> bool:
    here = np.array([at.position.x, at.position.y, at.position.z])
    turn = np.array([at.orientation.x, at.orientation.y, at.orientation.z, at.orientation.w])
    cosine = abs(float(turn @ np.array(pose.orientation)))
    return (float(np.linalg.norm(here - pose.position)) < _NEAR_M
            and 2 * math.acos(min(cosine, 1.0)) < _TURNED)
