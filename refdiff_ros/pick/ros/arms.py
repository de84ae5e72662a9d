"""What moves the hand: today's topic, or MoveIt. Each is imported when it is asked for."""

from collections.abc import Callable
import importlib
import math
import threading
import time
from typing import Any, Protocol

from geometry_msgs.msg import PoseStamped
import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.robot import RobotError
from refdiff_ros.ros.action_client import ActionClient
from refdiff_ros.ros.messages import pose_message

ARMS = ('topic', 'move_group')
# A streamed target runs at most this long ahead of the hand.
_LEAD_S = 0.15
_LEAST_LEAD_M = 0.005
_MOVE_GROUP_SUCCESS = 1
_PATIENCE_S = 5.0


class Arm(Protocol):
    """Sends the hand somewhere; whether it is there, the robot's reports say."""

    def send(self, pose: Pose) -> None:
        """Begin to move to a pose in the base, in place of whatever was wanted before."""

    def look(self, here: Pose | None) -> bool:
        """Called while waiting: whether the arm has nothing against the motion being over.

        Raises:
            RobotError: the arm says that it cannot get there.
        """

    def halt(self, here: Pose | None) -> None:
        """Stop at once, where the hand is."""


class TopicArm:
    """Publishes `target_pose`.

    Args:
        node: whose topic it is.
        frame: of the poses.
        speed_limit: metres per second; the target is then led along the line, never far ahead
            of the hand. 0 sends the end alone, and leaves the speed to the robot.
    """

    def __init__(self, node: Node, frame: str, speed_limit: Callable[[], float]):
        self._frame, self._limit, self._clock = frame, speed_limit, node.get_clock()
        self._target = node.create_publisher(PoseStamped, 'target_pose', QoSProfile(depth=5))
        self._goal: Pose | None = None
        self._led: np.ndarray | None = None
        self._led_s = 0.0

    def send(self, pose: Pose) -> None:
        """Begin to move to a pose."""
        self._goal, self._led = pose, None
        if not self._limit():
            self._publish(pose)

    def look(self, here: Pose | None) -> bool:
        """Lead the target on; True once it is at its end."""
        goal, limit = self._goal, self._limit()
        if goal is None or not limit or here is None:
            return True
        now_s = time.monotonic()
        if self._led is None:
            self._led, self._led_s = np.array(here.position), now_s
        gap = np.array(goal.position) - self._led
        left_m = float(np.linalg.norm(gap))
        step_m = min(limit * (now_s - self._led_s), left_m)
        ahead_m = float(np.linalg.norm(self._led + _along(gap, step_m) - here.position))
        self._led_s = now_s
        if ahead_m <= max(limit * _LEAD_S, _LEAST_LEAD_M) or ahead_m < float(
                np.linalg.norm(self._led - here.position)):
            self._led = self._led + _along(gap, step_m)
            self._publish(Pose(tuple(self._led.tolist()), goal.orientation))
        return bool(np.linalg.norm(np.array(goal.position) - self._led) < 1e-6)

    def halt(self, here: Pose | None) -> None:
        """The current pose becomes the target."""
        self._goal = None
        if here is not None:
            self._publish(here)

    def _publish(self, pose: Pose) -> None:
        header = Header(stamp=self._clock.now().to_msg(), frame_id=self._frame)
        self._target.publish(PoseStamped(header=header, pose=pose_message(pose)))


def _along(gap: np.ndarray, step_m: float) -> np.ndarray:
    return gap * (step_m / max(float(np.linalg.norm(gap)), 1e-12))


class MoveGroupArm:
    """Sends goals to MoveIt's action `move_action` (moveit_msgs/MoveGroup).

    Args:
        node: on which the client lives.
        frame: of the poses.
        speed_limit: metres per second of the tool; 0 leaves it to MoveIt.
        group: planning group.
        link: whose pose is meant: the frame between the fingertips.
        tolerances: metres and radians of the goal's constraints.

    Raises:
        BadRequestError: moveit_msgs is not installed, or the group or the link has no name.
    """

    def __init__(self, node: Node, frame: str, speed_limit: Callable[[], float], group: str,
                 link: str, tolerances: Callable[[], tuple[float, float]]):
        if not group or not link:
            raise BadRequestError("expected move_group and tool_frame with arm 'move_group', got "
                                  f'{group!r} and {link!r}')
        self._msgs = ros_module('moveit_msgs.msg', "arm 'move_group'")
        self._shapes = ros_module('shape_msgs.msg', "arm 'move_group'")
        self._action = ros_module('moveit_msgs.action', "arm 'move_group'").MoveGroup
        self._frame, self._limit, self._tolerances = frame, speed_limit, tolerances
        self._group, self._link = group, link
        self._client: Any = ActionClient(node, self._action, 'move_action',
                                         callback_group=ReentrantCallbackGroup())
        self._lock = threading.Lock()
        self._number = 0
        self._handle: Any = None
        self._result: int | None = None

    def send(self, pose: Pose) -> None:
        """Send a goal.

        Raises:
            RobotError: nobody serves the action.
        """
        if not self._client.wait_for_server(_PATIENCE_S):
            raise RobotError("expected MoveIt's action 'move_action', nobody serves it: start "
                             'move_group, or check the remapping')
        with self._lock:
            self._number, self._handle, self._result = self._number + 1, None, None
            number = self._number
        self._client.send_goal_async(self._goal(pose)).add_done_callback(
            lambda future: self._accepted(number, future))

    def look(self, here: Pose | None) -> bool:
        """Whether MoveIt has reached the goal.

        Raises:
            RobotError: it says that it could not.
        """
        with self._lock:
            result = self._result
        if result is None:
            return False
        if result != _MOVE_GROUP_SUCCESS:
            raise RobotError(f'MoveIt could not move the hand there: {self._named(result)}')
        return True

    def halt(self, here: Pose | None) -> None:
        """Cancel the goal: MoveIt stops the trajectory."""
        with self._lock:
            self._number += 1
            handle = self._handle
        if handle is not None:
            handle.cancel_goal_async()

    def _accepted(self, number: int, future: Any) -> None:
        handle = future.result()
        with self._lock:
            if number != self._number:
                late = True
            else:
                late, self._handle = False, handle
                if not handle.accepted:
                    self._result = self._msgs.MoveItErrorCodes.FAILURE
        if not handle.accepted:
            return
        if late:  # halted before it was accepted
            handle.cancel_goal_async()
            return
        handle.get_result_async().add_done_callback(
            lambda done: self._ended(number, done.result().result.error_code.val))

    def _ended(self, number: int, code: int) -> None:
        with self._lock:
            if number == self._number:
                self._result = code

    def _named(self, code: int) -> str:
        kind = self._msgs.MoveItErrorCodes
        names = [name for name in dir(kind) if name.isupper() and getattr(kind, name) == code]
        return names[0] if names else f'error code {code}'

    def _goal(self, pose: Pose) -> Any:
        near_m, turned = self._tolerances()
        header = Header(frame_id=self._frame)
        region = self._msgs.BoundingVolume(
            primitives=[self._shapes.SolidPrimitive(
                type=self._shapes.SolidPrimitive.SPHERE, dimensions=[near_m])],
            primitive_poses=[pose_message(Pose(pose.position))])
        position = self._msgs.PositionConstraint(
            header=header, link_name=self._link, constraint_region=region, weight=1.0)
        turn = self._msgs.OrientationConstraint(
            header=header, link_name=self._link, orientation=pose_message(pose).orientation,
            absolute_x_axis_tolerance=turned, absolute_y_axis_tolerance=turned,
            absolute_z_axis_tolerance=turned, weight=1.0)
        goal = self._action.Goal()
        request = goal.request
        request.group_name, request.num_planning_attempts = self._group, 5
        request.allowed_planning_time = 5.0
        request.max_velocity_scaling_factor = request.max_acceleration_scaling_factor = 0.3
        if self._limit():
            request.max_cartesian_speed = self._limit()
            request.cartesian_speed_limited_link = self._link
        request.goal_constraints = [self._msgs.Constraints(
            position_constraints=[position], orientation_constraints=[turn])]
        # Changes to what MoveIt knows, and none are given. A whole state or scene would say that
        # the hand holds nothing and the table is empty.
        scene = goal.planning_options.planning_scene_diff
        request.start_state.is_diff = scene.is_diff = scene.robot_state.is_diff = True
        return goal


def ros_module(name: str, what: str) -> Any:
    """Import a module of an optional ROS package.

    Raises:
        BadRequestError: it is not installed; the message says for what it is needed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.split('.')[0]
        raise BadRequestError(
            f"expected the ROS package '{package}' for {what}, it cannot be imported: install "
            f'ros-$ROS_DISTRO-{package.replace("_", "-")}, or choose another backend') from error


def turned_between(one: Pose, other: Pose) -> float:
    """The angle between two orientations, radians."""
    cosine = abs(float(np.dot(one.orientation, other.orientation)))
    return 2 * math.acos(min(cosine, 1.0))
