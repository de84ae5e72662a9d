"""The node `refdiff_pick`: the action `PickReferred`.

It knows the refdiff node by its service alone, and the robot by four topics (see `pick_robot`), so
either may be replaced. tf is not used: where the camera stands in the base is the parameter
`camera_in_base`.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
import math
import threading
import time
from typing import Any

import numpy as np
from rcl_interfaces.msg import SetParametersResult
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter

from refdiff_ros.action import PickReferred
from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.results import Pose
from refdiff_ros.language.valid_text import from_outside
from refdiff_ros.pick.plan import Reach
from refdiff_ros.pick.ros.messages import grounding_from, result_message
from refdiff_ros.pick.ros.robot import TopicRobot
from refdiff_ros.pick.stages import (
    Grounding,
    pick,
    PickOutcome,
    PickSettings,
    PickStatus,
    RobotError,
    Stage,
    StoppedError,
)
from refdiff_ros.results import Status
from refdiff_ros.ros.parameters import ParameterSpec
from refdiff_ros.ros.processes.spin import run
from refdiff_ros.srv import ReferSegmentation

NUMBERS = (
    ParameterSpec('goal_timeout', 60.0, 'A pick may take this long, seconds.',
                  low=0.1, high=3600.0),
    ParameterSpec('node_timeout', 30.0,
                  'A goal waits this long, seconds, for the refdiff node to be there, active and '
                  'with a first image; the time of the goal itself begins after that.',
                  low=0.0, high=3600.0),
    ParameterSpec('motion_timeout', 20.0, 'One motion may take this long, seconds.', 'start',
                  low=0.1, high=600.0),
    ParameterSpec('min_opening', 0.0025, 'Fingers nearer than this hold nothing, m.',
                  low=0.0, high=0.1),
    ParameterSpec('hold', 0.6, 'An object must stay held up this long, seconds.',
                  low=0.0, high=60.0),
    ParameterSpec('accept_ambiguous', False,
                  'Take the best of several regions that fit equally, instead of refusing.'),
    *(ParameterSpec(field.name, field.default, 'Of the gripper, m: see `pick.plan.Reach`.',
                    low=-2.0 if field.name == 'table_z_m' else 0.001, high=2.0)
      for field in fields(Reach)))
_BY_NAME = {spec.name: spec for spec in NUMBERS}
# x, y, z, qx, qy, qz, qw.
_POSES = {'camera_in_base': [0.0] * 7, 'home': [0.0, 0.95, 0.5, 1.0, 0.0, 0.0, 0.0]}
_LOOK_S = 0.02
# A refdiff node that answers this is starting, or its camera is.
_NOT_YET, _ASK_AGAIN_S = (Status.INACTIVE, Status.NO_IMAGE), 0.2


class _Waiting:
    """The time that a goal has: first for the refdiff node to be ready, then its own.

    A node that is only just starting must not eat up the time of the pick.

    Args:
        patience_s: for the node to be ready.
        limit_s: for the pick, from then on.
    """

    def __init__(self, patience_s: float, limit_s: float):
        self.limit_s = limit_s
        self.reason = ''
        self._patience_s = patience_s
        self._until_ready_s = time.monotonic() + patience_s
        self._end_s: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the node has had its time to become ready."""
        return time.monotonic() > self._until_ready_s

    def begin(self) -> None:
        """The node can be asked: the time of the pick begins."""
        self._end_s = time.monotonic() + self.limit_s

    def go_on(self, reason: str) -> None:
        """The node is not ready after all."""
        self._end_s, self.reason = None, reason

    def check(self) -> None:
        """Raise StoppedError when the time is over."""
        if self._end_s is None and self.is_over:
            raise StoppedError(
                PickStatus.TIMEOUT, f'not ready in {self._patience_s:g} s: {self.reason}')
        if self._end_s is not None and time.monotonic() > self._end_s:
            raise StoppedError(PickStatus.TIMEOUT, f'not done in {self.limit_s:g} s')


class PickServer(Node):
    """Callbacks, and the stages of `pick.stages` on the action's thread."""

    def __init__(self, **kwargs: Any):
        super().__init__('refdiff_pick', **kwargs)
        self._values = {
            spec.name: spec.check(
                self.declare_parameter(spec.name, spec.default, spec.descriptor()).value)
            for spec in NUMBERS}
        self._values |= {name: list(self.declare_parameter(name, default).value)
                         for name, default in _POSES.items()}
        self._frame = self.declare_parameter('base_frame', 'base').value
        fingers = self.declare_parameter('finger_joints', ['finger_left', 'finger_right']).value
        self._robot = TopicRobot(self, self._frame, list(fingers),
                                 pose_of('home', self._values['home']),
                                 self._values['motion_timeout'])
        self._segment = self.create_client(ReferSegmentation, 'refdiff/segment',
                                           callback_group=MutuallyExclusiveCallbackGroup())
        self._busy = threading.Lock()
        self._ending = threading.Event()
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self._action = ActionServer(
            self, PickReferred, 'pick_referred', self._execute,
            callback_group=ReentrantCallbackGroup(),
            goal_callback=lambda _goal: GoalResponse.ACCEPT,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT)

    def stop(self) -> None:
        """End a running pick: the robot is left as it is."""
        self._ending.set()
        with self._busy:
            pass

    # Parameters

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        try:
            for parameter in changed:
                if parameter.name in _BY_NAME:
                    _BY_NAME[parameter.name].check(parameter.value)
                elif parameter.name in _POSES:
                    pose_of(parameter.name, parameter.value)
        except BadRequestError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_parameters(self, changed: list[Parameter]) -> None:
        self._values = {**self._values, **{
            p.name: p.value for p in changed if p.name in self._values}}

    def _settings(self) -> PickSettings:
        values = self._values
        reach = Reach(**{field.name: values[field.name] for field in fields(Reach)})
        return PickSettings(reach, pose_of('camera_in_base', values['camera_in_base']),
                            values['min_opening'], values['hold'], values['accept_ambiguous'])

    # The action

    def _execute(self, goal: ServerGoalHandle) -> PickReferred.Result:
        # A goal that is turned down at the door gets no sentence; this way it does.
        if not self._busy.acquire(blocking=False):
            return self._end(goal, PickOutcome(
                PickStatus.REFUSED, 'another pick is running: wait for its result, or cancel it'))
        try:
            return self._end(goal, self._pick(goal))
        finally:
            self._busy.release()

    def _pick(self, goal: ServerGoalHandle) -> PickOutcome:
        text, began_s = from_outside(goal.request.expression), time.monotonic()
        limit_s = goal.request.timeout or self._values['goal_timeout']
        if not text.strip():
            return PickOutcome(PickStatus.REFUSED, 'expected an expression, got an empty one')
        if not 0 < limit_s < math.inf:
            return PickOutcome(PickStatus.REFUSED, 'expected a timeout in seconds, or 0 for the '
                               f'default, got {limit_s}')
        try:
            settings = self._settings()
        except BadRequestError as error:
            return PickOutcome(PickStatus.REFUSED, str(error))

        waiting = _Waiting(self._values['node_timeout'], limit_s)

        def check() -> None:
            if self._ending.is_set():
                raise StoppedError(PickStatus.CANCELLED, 'the server is ending')
            if goal.is_cancel_requested:
                raise StoppedError(PickStatus.CANCELLED, 'the client cancelled')
            waiting.check()

        def tell(stage: Stage, note: str, grounding: Grounding | None) -> None:
            self.get_logger().info(f'{text[:200]!r}: {stage.name.lower()}, {note}')
            feedback = PickReferred.Feedback(
                stage=int(stage), note=note, elapsed=time.monotonic() - began_s)
            if grounding is not None and grounding.mask is not None:
                feedback.mask, feedback.grasp = grounding.mask, grounding.grasp
            goal.publish_feedback(feedback)

        self._robot.start(check)
        return pick(lambda: self._ground_when_ready(text, waiting, check), self._robot, settings,
                    tell)

    def _ground_when_ready(self, text: str, waiting: '_Waiting', check: Callable[[], None],
                           ) -> Grounding:
        """Ask the refdiff node once it is there, active and has seen something."""
        name = self.resolve_service_name(self._segment.srv_name)
        waiting.reason = (f"the service '{name}' is not there: start the refdiff node, or check "
                          'the remapping')
        while not self._segment.service_is_ready():
            check()
            time.sleep(_LOOK_S)
        while True:
            waiting.begin()
            grounding = self._ground(text, waiting.limit_s, check)
            if grounding.status not in _NOT_YET or waiting.is_over:
                return grounding
            waiting.go_on(f'{grounding.status.name}: {grounding.reason}')
            time.sleep(_ASK_AGAIN_S)

    def _ground(self, text: str, limit_s: float, check: Callable[[], None]) -> Grounding:
        future = self._segment.call_async(
            ReferSegmentation.Request(expression=text, timeout=float(limit_s)))
        while not future.done():
            try:
                check()
            except StoppedError:
                self._segment.remove_pending_request(future)
                raise
            time.sleep(_LOOK_S)
        try:
            return grounding_from(future.result())
        except (BadRequestError, ValueError) as error:
            raise RobotError(f'the answer of the refdiff node cannot be read: {error}') from error

    def _end(self, goal: ServerGoalHandle, outcome: PickOutcome) -> PickReferred.Result:
        self.get_logger().info(f'{outcome.status.name}: {outcome.reason}')
        if outcome.status is PickStatus.LIFTED:
            goal.succeed()
        elif outcome.status is PickStatus.CANCELLED and goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result_message(outcome, self._frame)


def pose_of(name: str, values: Sequence[float]) -> Pose:
    """A pose from a parameter's seven numbers: x, y, z in metres, then a quaternion x, y, z, w.

    Raises:
        BadRequestError: they are not seven finite numbers with a quaternion that is not 0.
    """
    numbers = np.array(list(values), dtype=np.float64)
    if numbers.shape != (7,) or not np.isfinite(numbers).all() \
            or np.linalg.norm(numbers[3:]) < 1e-6:
        raise BadRequestError(
            f'expected {name} as x, y, z, qx, qy, qz, qw with a quaternion that is not 0, got '
            f'{numbers.tolist()}: set where it is in the base')
    turn = numbers[3:] / np.linalg.norm(numbers[3:])
    return Pose(tuple(numbers[:3].tolist()), tuple(turn.tolist()))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT; the process' exit status."""
    return run(PickServer, args)
