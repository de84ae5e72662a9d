"""What every node that moves a robot shares: the robot, its parameters, grounding, and stopping.

`~/stop` (std_srvs/Trigger) and `stop` (std_msgs/Empty) work in every state: the pose of that
moment becomes the target, the running goal ends with STOPPED, and nothing more is driven until
`~/resume` or `~/put_back`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
import math
import threading
import time
from typing import Any

from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.node import Node
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

from refdiff_ros.errors import BadRequestError, require
from refdiff_ros.grasp.results import Pose
from refdiff_ros.masks import mask_pixels
from refdiff_ros.pick.robot import (
    go_home,
    Held,
    Interrupt,
    put_back,
    RobotError,
    StoppedError,
)
from refdiff_ros.pick.ros.arms import Arm, MoveGroupArm, TopicArm
from refdiff_ros.pick.ros.depth import DepthPictures, NoDepthError
from refdiff_ros.pick.ros.frames import Frames, NoTransformError
from refdiff_ros.pick.ros.grippers import ActionGripper, Gripper, TopicGripper
from refdiff_ros.pick.ros.messages import grounding_from
from refdiff_ros.pick.ros.parameters import HandParameters
from refdiff_ros.pick.ros.robot import RosRobot
from refdiff_ros.pick.ros.waiting import Waiting
from refdiff_ros.pick.stages import Grounding
from refdiff_ros.results import Status
from refdiff_ros.ros.paced_replies import STAY_S
from refdiff_ros.ros.parameters import ParameterSpec
from refdiff_ros.srv import ReferSegmentation

# Goals, a goal that waits for them, reports, services, results of actions.
THREADS = 10
_LOOK_S = 0.01
_GRACE_S = 0.3
# A refdiff node that answers this is starting, or its camera is.
_NOT_YET, _ASK_AGAIN_S = (Status.INACTIVE, Status.NO_IMAGE), 0.2


class NotNowError(RuntimeError):
    """A goal cannot be taken up; the message says why."""


class HandNode(Node):
    """A node with a robot.

    Args:
        name: of the node.
        more: parameters of its own.
        kwargs: of `rclpy.node.Node`.

    Raises:
        BadRequestError: a parameter that cannot be, or a backend that is not installed.
    """

    def __init__(self, name: str, more: Sequence[ParameterSpec] = (), **kwargs: Any):
        super().__init__(name, **kwargs)
        self.values = HandParameters(self, more)
        self.frames = Frames(self)
        if self.values.camera_in_base is None:
            self.frames.listen()
        self.depth = DepthPictures(self, lambda: self.values('rectified'))
        self.robot = self._make_robot()
        self.held: Held | None = None
        self._segment: Any = self.create_client(
            ReferSegmentation, 'refdiff/segment',
            callback_group=MutuallyExclusiveCallbackGroup())
        self._busy, self._waiting = threading.Lock(), threading.Lock()
        self._running: ServerGoalHandle | None = None
        self._clock_of = Waiting(0.0, 0.0)
        # When a goal came to its end last; its result leaves a moment later.
        self._goal_end_s = -math.inf
        self._ending, self._stopped = threading.Event(), threading.Event()
        anytime = ReentrantCallbackGroup()
        self.create_subscription(Empty, 'stop', lambda _msg: self.halt(), 10,
                                 callback_group=anytime)
        for name_, answer in (('stop', self._stop_called), ('resume', self._resume_called),
                              ('put_back', self._put_back_called)):
            self.create_service(Trigger, f'~/{name_}', answer, callback_group=anytime)

    def _make_robot(self) -> RosRobot:
        values = self.values
        frame = values('base_frame')

        def limit() -> float:
            return values('speed_limit')
        arm: Arm
        gripper: Gripper
        if values('arm') == 'topic':
            arm = TopicArm(self, frame, limit)
        else:
            arm = MoveGroupArm(
                self, frame, limit, values('move_group'), values('tool_frame'),
                lambda: (values('position_tolerance') / 2, values('angle_tolerance') / 2))
        gripper = TopicGripper(self) if values('gripper') == 'topic' else ActionGripper(
            self, values('gripper'), values.fingers, values('gripper_effort'))
        return RosRobot(self, values, arm, gripper, self.frames)

    def stop(self) -> None:
        """End the goals: the robot is left as it is, and their clients hear of it."""
        self._ending.set()
        with self._waiting, self._busy:
            pass
        time.sleep(max(0.0, self._goal_end_s + STAY_S - time.monotonic()))

    # Stopping

    def halt(self) -> None:
        """Hold the pose of this moment, whatever runs."""
        self._stopped.set()
        self.robot.halt()
        self.get_logger().warning('stopped: the hand holds its pose', throttle_duration_sec=1.0)

    def _stop_called(self, _request: Trigger.Request, response: Trigger.Response,
                     ) -> Trigger.Response:
        self.halt()
        response.success, response.message = True, 'the hand holds its pose'
        return response

    def _resume_called(self, _request: Trigger.Request, response: Trigger.Response,
                       ) -> Trigger.Response:
        was = self._stopped.is_set()
        self._stopped.clear()
        response.success = True
        response.message = 'goals are taken up again' if was else 'nothing was stopped'
        return response

    def _put_back_called(self, _request: Trigger.Request, response: Trigger.Response,
                         ) -> Trigger.Response:
        if not self._busy.acquire(timeout=1.0):
            response.message = 'a goal is running: cancel it, or stop it first'
            return response
        try:
            self._stopped.clear()
            response.success, response.message = self._put_back()
        finally:
            self._busy.release()
        return response

    def _put_back(self) -> tuple[bool, str]:
        held = self.in_hand()
        if held is None:
            return True, 'nothing is held'
        self.robot.start(lambda: self._check(None, None))
        self.robot.let_finish()
        try:
            put_back(self.robot, held)
            self.held = None
            go_home(self.robot, held.clear_z_m)
        except (RobotError, StoppedError) as error:
            self.robot.halt()
            return False, str(error)
        return True, f'the {held.name} is back'

    def in_hand(self) -> Held | None:
        """What the fingers hold; None where their opening says that it is gone."""
        if self.held is not None and not self.held.still_there(
                self.robot.opening(), self.values('min_opening')):
            self.held = None
        return self.held

    # Goals

    @contextmanager
    def taking(self, goal: ServerGoalHandle, limit_s: float) -> Iterator[Callable[[], None]]:
        """Take up a goal, one at a time; gives the check that breaks it off.

        A goal that comes while a cancelled one is on its way back waits for that; any other is
        refused. So is one after a stop.

        Raises:
            NotNowError: it cannot be taken up.
            StoppedError: it was cancelled or timed out while it waited.
        """
        self._clock_of = clock = Waiting(self.values('node_timeout'), limit_s)

        def check() -> None:
            self._check(goal, clock)
        if self._stopped.is_set():
            raise NotNowError(f"stopped: call '{self.get_fully_qualified_name()}/resume' or "
                              "'.../put_back' first")
        self._acquire(check)
        self._running = goal
        try:
            if self._stopped.is_set():
                raise NotNowError('stopped while it waited')
            self.robot.start(check)
            yield check
        finally:
            self._running, self._goal_end_s = None, time.monotonic()
            self._busy.release()

    def _acquire(self, check: Callable[[], None]) -> None:
        if self._busy.acquire(blocking=False):
            return
        # A cancel that was sent before this goal may come after it.
        end_s = time.monotonic() + _GRACE_S
        while not self._leaving() and time.monotonic() < end_s:
            time.sleep(_LOOK_S)
        if not self._leaving() or not self._waiting.acquire(blocking=False):
            raise NotNowError('another goal is running: wait for its result, or cancel it')
        try:
            while not self._busy.acquire(timeout=_LOOK_S):
                check()
        finally:
            self._goal_end_s = time.monotonic()
            self._waiting.release()

    def _leaving(self) -> bool:
        running = self._running
        return running is None or running.is_cancel_requested

    def _check(self, goal: ServerGoalHandle | None, clock: Waiting | None) -> None:
        if self._ending.is_set():
            raise StoppedError(Interrupt.STOPPED, 'the node is ending')
        if self._stopped.is_set():
            raise StoppedError(Interrupt.STOPPED, 'a stop was called')
        if goal is not None and goal.is_cancel_requested:
            raise StoppedError(Interrupt.CANCELLED, 'the client cancelled')
        if clock is not None:
            clock.check()

    # Grounding

    def ground(self, text: str, check: Callable[[], None]) -> Grounding:
        """Ask the refdiff node what a text means.

        Raises:
            StoppedError: as the check says.
            RobotError: the answer cannot be read.
        """
        response = self.ask_refdiff(text, check)
        try:
            return grounding_from(response)
        except (BadRequestError, ValueError) as error:
            raise RobotError(f'the answer of the refdiff node cannot be read: {error}') from error

    def ask_refdiff(self, text: str, check: Callable[[], None]) -> ReferSegmentation.Response:
        """The refdiff node's whole answer, once it is there, active and has seen something.

        Raises:
            StoppedError: as the check says.
        """
        clock = self._clock_of
        if clock.has_begun:
            return self._call(text, clock.limit_s, check)
        name = self.resolve_service_name(self._segment.srv_name)
        clock.reason = (f"the service '{name}' is not there: start the refdiff node, or check "
                        'the remapping')
        while not self._segment.service_is_ready():
            check()
            time.sleep(_LOOK_S)
        while True:
            clock.begin()
            response = self._call(text, clock.limit_s, check)
            if response.status not in _NOT_YET or clock.is_over:
                return response
            clock.go_on(f'{Status(response.status).name}: {response.reason}')
            time.sleep(_ASK_AGAIN_S)

    def _call(self, text: str, limit_s: float, check: Callable[[], None],
              ) -> ReferSegmentation.Response:
        future = self._segment.call_async(
            ReferSegmentation.Request(expression=text, timeout=float(limit_s)))
        while not future.done():
            try:
                check()
            except StoppedError:
                self._segment.remove_pending_request(future)
                raise
            time.sleep(_LOOK_S)
        return require(future.result(), 'an answer of the refdiff node')

    def placed(self, found: Grounding, check: Callable[[], None]) -> Grounding:
        """What was found, with the camera's pose and what the depth picture shows around it.

        Where one of them is not to be had, the answer's `refusal` says why.
        """
        header, image = found.mask.header, found.mask.mask
        try:
            camera = self.camera(header.frame_id, header.stamp, check)
            if not self.values('check_space'):
                return replace(found, camera=camera)
            view = self.depth.view(lambda *_: camera, header.stamp, check)
            return replace(found, camera=camera, space=view.space(mask_pixels(image)))
        except (NoTransformError, NoDepthError, BadRequestError) as error:
            return replace(found, refusal=str(error))

    def camera(self, frame: str, stamp: Any, check: Callable[[], None]) -> Pose:
        """The camera's optical frame in the base: `camera_in_base`, else tf at the stamp.

        Args:
            frame: of the image.
            stamp: of the image.
            check: called while waiting; may raise.

        Raises:
            NoTransformError: neither knows it; the message names both frames.
        """
        values = self.values
        given, base = values.camera_in_base, values('base_frame')
        if given is not None:
            named = values('camera_frame')
            if named and frame != named:
                raise NoTransformError(
                    f"the pose of '{frame}' in '{base}' is not known: camera_in_base is that of "
                    f"camera_frame '{named}'")
            return given
        try:
            return self.frames.pose(base, frame, stamp, values('tf_timeout'), check)
        except NoTransformError as error:
            raise NoTransformError(f'{error}; and camera_in_base is not set') from error
