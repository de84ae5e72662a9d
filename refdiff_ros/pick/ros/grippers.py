"""What opens and closes the fingers: today's topic, or the two actions of control_msgs."""

from dataclasses import dataclass
import math
import threading
from typing import Any, Protocol

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64

from refdiff_ros.errors import BadRequestError
from refdiff_ros.pick.robot import RobotError
from refdiff_ros.pick.ros.arms import ros_module
from refdiff_ros.ros.action_client import ActionClient

GRIPPERS = ('topic', 'parallel_gripper_command', 'gripper_command')
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Fingers:
    """From joint positions to the opening: offset + sum of factor * position.

    Two prismatic fingers have the factors 1, 1; one that a second mimics has the factor 2; a
    revolute knuckle has metres per radian, and the offset is the opening at its zero.

    Attributes:
        joints: names, as in `joint_states`.
        factors: metres of opening for each metre or radian, one a joint.
        offset_m: the opening where all positions are 0.

    Raises:
        BadRequestError: no joint, another number of factors, or a factor that is 0 or not finite.
    """

    joints: tuple[str, ...]
    factors: tuple[float, ...]
    offset_m: float = 0.0

    def __post_init__(self):
        if not self.joints or len(self.factors) != len(self.joints):
            raise BadRequestError(
                f'expected one of finger_factors for each of finger_joints, got '
                f'{list(self.factors)} for {list(self.joints)}')
        if not all(math.isfinite(f) and f for f in self.factors) or not math.isfinite(
                self.offset_m) or not sum(self.factors):
            raise BadRequestError(
                'expected finger_factors that are finite, not 0 and do not add up to 0, and a '
                f'finite finger_offset, got {list(self.factors)} and {self.offset_m}')

    def opening_m(self, positions: tuple[float, ...]) -> float:
        """The opening at these positions."""
        return self.offset_m + sum(
            factor * at for factor, at in zip(self.factors, positions, strict=True))

    def position(self, opening_m: float) -> float:
        """The position, the same of every joint, at which the opening is that."""
        return (opening_m - self.offset_m) / sum(self.factors)


class Gripper(Protocol):
    """Sends the fingers somewhere; where they are, the joint states say."""

    def send(self, opening_m: float) -> None:
        """Begin to open or close."""

    def look(self) -> bool:
        """Called while waiting: whether the gripper has nothing against the motion being over.

        Raises:
            RobotError: it says that it failed.
        """

    def reported_m(self) -> float:
        """The opening that the gripper gave with its last result; NaN where it gave none."""

    def halt(self, opening_m: float) -> None:
        """Stop the fingers where they are."""

    def is_heard(self) -> bool:
        """Whether somebody listens to the commands."""


class TopicGripper:
    """Publishes the opening in metres on `gripper_command`."""

    def __init__(self, node: Node):
        self._command = node.create_publisher(Float64, 'gripper_command', QoSProfile(depth=5))

    def is_heard(self) -> bool:
        """Whether somebody subscribes."""
        return bool(self._command.get_subscription_count() > 0)

    def send(self, opening_m: float) -> None:
        """Begin to open or close."""
        self._command.publish(Float64(data=float(opening_m)))

    def look(self) -> bool:
        """A topic gives no result."""
        return True

    def reported_m(self) -> float:
        """A topic gives no result."""
        return math.nan

    def halt(self, opening_m: float) -> None:
        """What they are at becomes the command."""
        self.send(opening_m)


class ActionGripper:
    """Sends goals of control_msgs: ParallelGripperCommand, or the older GripperCommand.

    Both say at the end whether they reached the goal or stalled against an object; either is a
    good end, and the opening tells which.

    Args:
        node: on which the client lives.
        kind: 'parallel_gripper_command' or 'gripper_command'; the action's name is the same.
        fingers: what positions mean.
        effort: N, at most; 0 leaves it to the gripper.

    Raises:
        BadRequestError: control_msgs is not installed.
    """

    def __init__(self, node: Node, kind: str, fingers: Fingers, effort: float):
        actions = ros_module('control_msgs.action', f'gripper {kind!r}')
        self._kind, self._fingers, self._effort = kind, fingers, effort
        self._parallel = kind == 'parallel_gripper_command'
        self._type = (actions.ParallelGripperCommand if self._parallel
                      else actions.GripperCommand)
        self._client: Any = ActionClient(node, self._type, kind,
                                         callback_group=ReentrantCallbackGroup())
        self._lock = threading.Lock()
        self._number = 0
        self._handle: Any = None
        self._result: Any = None
        self._failure, self._opening = '', math.nan

    def send(self, opening_m: float) -> None:
        """Send a goal.

        Raises:
            RobotError: nobody serves the action.
        """
        if not self._client.wait_for_server(_PATIENCE_S):
            raise RobotError(f"expected a gripper that serves the action '{self._kind}', nobody "
                             'does: start its controller, or check the remapping')
        with self._lock:
            self._number, self._handle = self._number + 1, None
            self._result, self._failure, self._opening = None, '', math.nan
            number = self._number
        self._client.send_goal_async(self._goal(self._fingers.position(opening_m))
                                     ).add_done_callback(
            lambda future: self._accepted(number, future))

    def is_heard(self) -> bool:
        """The action says itself how a motion ended."""
        return False

    def look(self) -> bool:
        """Whether the gripper has ended the motion.

        Raises:
            RobotError: it refused or gave up.
        """
        with self._lock:
            if self._failure:
                raise RobotError(self._failure)
            return self._result is not None

    def reported_m(self) -> float:
        """The opening of the last result."""
        return self._opening

    def halt(self, opening_m: float) -> None:
        """Cancel the motion: the controller holds the fingers where they are."""
        with self._lock:
            self._number += 1
            handle = self._handle
        if handle is not None:
            handle.cancel_goal_async()

    def _goal(self, position: float) -> Any:
        goal = self._type.Goal()
        if not self._parallel:
            goal.command.position, goal.command.max_effort = position, self._effort
            return goal
        goal.command.name = list(self._fingers.joints)
        goal.command.position = [position] * len(self._fingers.joints)
        if self._effort:
            goal.command.effort = [self._effort] * len(self._fingers.joints)
        return goal

    def _accepted(self, number: int, future: Any) -> None:
        handle = future.result()
        with self._lock:
            late = number != self._number
            if not late:
                self._handle = handle
                if not handle.accepted:
                    self._failure = 'the gripper refuses the command: look at its controller'
        if handle.accepted and late:
            handle.cancel_goal_async()
        elif handle.accepted:
            handle.get_result_async().add_done_callback(
                lambda done: self._ended(number, done.result().result))

    def _ended(self, number: int, result: Any) -> None:
        with self._lock:
            if number != self._number:
                return
            self._result = result
            if not (result.stalled or result.reached_goal):
                self._failure = ('the gripper gave up: it neither reached the opening nor stalled '
                                 'against an object')
            self._opening = self._opening_of(result)

    def _opening_of(self, result: Any) -> float:
        fingers = self._fingers
        if not self._parallel:
            return fingers.opening_m((result.position,) * len(fingers.joints))
        state = dict(zip(result.state.name, result.state.position, strict=False))
        if not all(name in state for name in fingers.joints):
            return math.nan
        return fingers.opening_m(tuple(state[name] for name in fingers.joints))
