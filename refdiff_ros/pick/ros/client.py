"""What watches a pick: an action client that also keeps pictures, stages and the truth."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
import json
import math
import threading
import time
from typing import Any

from geometry_msgs.msg import PoseArray
from lifecycle_msgs.srv import GetState
import numpy as np
from rcl_interfaces.srv import GetParameters, SetParameters
import rclpy
from rclpy.action.client import ClientGoalHandle
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Empty, String
from std_srvs.srv import Trigger

from refdiff_ros.action import PickReferred
from refdiff_ros.errors import RefDiffError, require
from refdiff_ros.masks import mask_pixels
from refdiff_ros.pick.ros.frames import pose_from
from refdiff_ros.pick.stages import Stage
from refdiff_ros.pick.verdict import disturbed
from refdiff_ros.ros.action_client import ActionClient
from refdiff_ros.ros.conversions import rgb_from_image

_LOOK_S = 0.02
# Frames after a new scene's first, until the refdiff node has one of them for certain.
_FRESH = 3
_STILL_REPORTS = 10
# What may be asked twice is asked again after so long without an answer.
_AGAIN_S = 2.0


_POSES = 'poses of the objects'


@dataclass(frozen=True)
class Event:
    """One feedback.

    Attributes:
        at_s: seconds since the goal was sent.
        stage, note: what is done, and a sentence on it.
        mask: (H, W) bool, of what is meant; None where that is not told.
        marks: texts with boxes x1, y1, x2, y2, pixels: what a question is about.
    """

    at_s: float
    stage: IntEnum
    note: str
    mask: np.ndarray | None = None
    marks: tuple[tuple[str, tuple[int, int, int, int]], ...] = ()


@dataclass(frozen=True)
class Watched:
    """One pick as it was seen.

    Attributes:
        result: the action's result.
        events: its feedback in order.
        frames: pictures (H, W, 3) uint8 with seconds since the goal was sent.
        raised_m: (N,) how far each object is above where it stood, at the end.
        peak_m: (N,) the same, the most at any time.
        disturbed: rows of the objects that were moved or tilted.
        seconds: from goal to result.
    """

    result: PickReferred.Result
    events: tuple[Event, ...]
    frames: tuple[tuple[float, np.ndarray], ...]
    raised_m: np.ndarray
    peak_m: np.ndarray
    disturbed: tuple[int, ...]
    seconds: float


class PickClient:
    """A node of its own context, spun on a thread.

    Attributes:
        server: name of the action server's node.

    Args:
        gripper: namespace of the simulated gripper's topics.
        watch: called while waiting; raises when a process has ended.
    """

    server = 'refdiff_pick'

    def __init__(self, gripper: str, watch: Callable[[], None] = lambda: None):
        self._watch = watch
        self._context = Context()
        rclpy.init(context=self._context)
        node = self._node = rclpy.create_node('pick_client', context=self._context)
        self._state: Any = node.create_client(GetState, 'refdiff/get_state')
        self._set: dict[str, Any] = {
            name: node.create_client(SetParameters, f'{target}/set_parameters')
            for name, target in (('gripper', f'{gripper}/tabletop_gripper'),
                                 ('server', self.server))}
        self._action: Any = ActionClient(node, PickReferred, 'pick_referred')
        self._triggers: dict[str, Any] = {
            name: node.create_client(Trigger, f'{self.server}/{name}')
            for name in ('stop', 'resume', 'put_back')}
        self._stop = node.create_publisher(Empty, 'stop', 10)
        latched = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                             durability=DurabilityPolicy.TRANSIENT_LOCAL)
        truth = f'{gripper}/tabletop_gripper'
        node.create_subscription(String, f'{truth}/objects', self._objects_came, latched)
        node.create_subscription(PoseArray, f'{truth}/object_poses', self._poses_came, 10)
        node.create_subscription(Image, f'{gripper}/color/image_raw', self._image_came,
                                 qos_profile_sensor_data)
        self.scene: dict[str, Any] = {}
        self._frames_since_scene = 0
        self._heights: np.ndarray | None = None
        self._start: np.ndarray | None = None
        self._laid: np.ndarray | None = None
        self._peak: np.ndarray | None = None
        # Positions (N, 3) and upright axes (N, 3), now and when the goal was sent.
        self._poses: tuple[np.ndarray, np.ndarray] | None = None
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self._disturbed = np.zeros(0, bool)
        self._began_s = 0.0
        self._frames: list[tuple[float, np.ndarray]] = []
        self.events: list[Event] = []
        self.join(node)
        # Made last: a node that knows these knows all the others.
        self._introductions: dict[str, Any] = {
            name: node.create_client(GetParameters, f'{target}/get_parameters')
            for name, target in (('gripper', truth), ('server', self.server))}
        self._met: set[str] = set()
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> 'PickClient':
        return self

    def __exit__(self, *_: object) -> None:
        # The thread first: it must not wait on what is taken apart.
        self._stopping.set()
        self._thread.join(5.0)
        self.leave()
        self._action.destroy()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def join(self, node: Any) -> None:
        """Make what a client of another server has beside this, before anything spins."""

    def leave(self) -> None:
        """Take apart what `join` has made."""

    def wait_until_active(self, timeout_s: float) -> None:
        """Until the refdiff node is active.

        Raises:
            RefDiffError: it is not in time.
        """
        def active() -> bool:
            if not self._state.service_is_ready():
                return False
            answer = self._ask(
                self._state, GetState.Request(), timeout_s, 'an answer of the refdiff node')
            return answer.current_state.label == 'active'
        self._wait(active, timeout_s, 'the refdiff node to be active')
        # It has subscribed just now: what came before, it has not heard.
        self._frames_since_scene = 0

    def set_parameter(self, target: str, name: str, value: Any, timeout_s: float = 60.0) -> None:
        """Set a parameter of the 'gripper' or the 'server'.

        Raises:
            RefDiffError: it does not answer, or refuses.
        """
        client = self._set[target]
        self.meet(target, timeout_s)
        self._wait(client.service_is_ready, timeout_s, f'the {target} to be there')
        future = client.call_async(SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]))
        self._wait(future.done, timeout_s, f'the {target} to take {name}')
        result = future.result().results[0]
        if not result.successful:
            raise RefDiffError(f'the {target} refuses {name}={value}: {result.reason}')

    def meet(self, target: str, timeout_s: float) -> None:
        """Until the 'gripper' or the 'server' knows this node.

        A server has discovered a caller a little later than the caller the server, and rclpy's
        services drop the answer to one whom they do not know after 0.1 s.

        Raises:
            RefDiffError: it does not answer.
        """
        if target not in self._met:
            client = self._introductions[target]
            self._wait(client.service_is_ready, timeout_s, f'the {target} to be there')
            self._ask(client, GetParameters.Request(names=['use_sim_time']), timeout_s,
                      f'the {target} to answer')
            self._met.add(target)

    def wait_for_scene(self, seed: int, timeout_s: float) -> None:
        """Until the scene of that seed is laid and seen.

        Raises:
            RefDiffError: it is not in time.
        """
        self._wait(lambda: self.scene.get('seed') == seed and self._frames_since_scene > _FRESH,
                   timeout_s, f'the scene of seed {seed}')

    def pick(self, text: str, timeout_s: float) -> Watched:
        """Send a goal and watch it to its end.

        Raises:
            RefDiffError: the server is not there, or gives no result.
        """
        result = self.finish(self.send(text, timeout_s), timeout_s).result
        seconds = time.monotonic() - self._began_s
        # One more picture shows how it ended.
        shown = len(self._frames)
        self._wait(lambda: len(self._frames) > shown, 60.0, 'a last picture')
        return Watched(result, tuple(self.events), tuple(self._frames),
                       require(self._heights, _POSES) - require(self._start, _POSES),
                       require(self._peak, _POSES),
                       tuple(np.flatnonzero(self._disturbed).tolist()), seconds)

    def send(self, text: str, timeout_s: float) -> ClientGoalHandle:
        """Send a goal, and begin to watch.

        Raises:
            RefDiffError: the server is not there.
        """
        self.meet('server', timeout_s)
        self._wait(self._action.server_is_ready, timeout_s, 'the action server')
        self._watch_from_now()
        sent = self._action.send_goal_async(
            PickReferred.Goal(expression=text, timeout=float(timeout_s)), self._feedback_came)
        self._wait(sent.done, 30.0, 'the goal to be accepted')
        return sent.result()

    def _watch_from_now(self) -> None:
        heights = require(self._heights, _POSES)
        self._before, self._disturbed = self._poses, np.zeros(len(heights), bool)
        self._start, self._peak = heights, np.zeros_like(heights)
        self._frames, self.events, self._began_s = [], [], time.monotonic()

    def finish(self, goal: ClientGoalHandle, timeout_s: float) -> Any:
        """Wait for a goal's end: its `status` (of `action_msgs/GoalStatus`) and `result`.

        Raises:
            RefDiffError: none comes.
        """
        result = goal.get_result_async()
        self._wait(result.done, timeout_s + 60.0, 'the result of the pick')
        return result.result()

    def trigger(self, name: str, timeout_s: float) -> Trigger.Response:
        """Call 'stop', 'resume' or 'put_back' of the server.

        Raises:
            RefDiffError: it does not answer.
        """
        client = self._triggers[name]
        self.meet('server', timeout_s)
        self._wait(client.service_is_ready, timeout_s, f"the service '{client.srv_name}'")
        future = client.call_async(Trigger.Request())
        self._wait(future.done, timeout_s, f"an answer of '{client.srv_name}'")
        return future.result()

    def wait_until_still(self, timeout_s: float) -> None:
        """Until no object moves: reports on a busy machine come late.

        Raises:
            RefDiffError: they do not come to rest.
        """
        last, agreed = None, 0

        def still() -> bool:
            nonlocal last, agreed
            if self._heights is last:
                return False
            same = last is not None and np.abs(self._heights - last).max() < 1e-4
            last, agreed = self._heights, agreed + 1 if same else 0
            return agreed >= _STILL_REPORTS
        self._wait(still, timeout_s, 'the objects to come to rest')

    def shout_stop(self) -> None:
        """Publish on the topic `stop`."""
        self._stop.publish(Empty())

    @property
    def places_m(self) -> np.ndarray:
        """(N, 3) where the objects are now, in the base."""
        return require(self._poses, _POSES)[0]

    @property
    def upright(self) -> np.ndarray:
        """(N,) 1 for an object that stands as it was made, 0 on its side, -1 upside down."""
        found: np.ndarray = require(self._poses, _POSES)[1][:, 2]
        return found

    @property
    def raised_m(self) -> np.ndarray:
        """(N,) how far each object is above where it was laid."""
        return require(self._heights, _POSES) - require(self._laid, _POSES)

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            while not self._stopping.is_set():
                self._executor.spin_once(0.1)

    def _ask(self, client: Any, request: Any, timeout_s: float, what: str) -> Any:
        """The answer to what may be asked twice."""
        asked: list[Any] = []
        asked_s = -math.inf

        def answered() -> bool:
            nonlocal asked_s
            if time.monotonic() > asked_s + _AGAIN_S:
                asked.append(client.call_async(request))
                asked_s = time.monotonic()
            return any(future.done() for future in asked)
        self._wait(answered, timeout_s, what)
        return next(future for future in asked if future.done()).result()

    def _wait(self, ready: Callable[[], Any], timeout_s: float, what: str) -> None:
        end = time.monotonic() + timeout_s
        while not ready():
            self._watch()
            if not self._thread.is_alive():
                raise RefDiffError(f'expected {what}, and the thread that spins the client has '
                                   'ended: what it printed says why')
            if time.monotonic() > end:
                raise RefDiffError(f'expected {what}, nothing came in {timeout_s:g} s: raise '
                                   '--timeout, or see the logs')
            time.sleep(_LOOK_S)

    def _objects_came(self, msg: String) -> None:
        self.scene, self._frames_since_scene = json.loads(msg.data), 0
        self._start = self._laid = None

    def _poses_came(self, msg: PoseArray) -> None:
        heights = np.array([pose.position.z for pose in msg.poses])
        places = np.array([[p.position.x, p.position.y, p.position.z] for p in msg.poses])
        upright = np.array([pose_from(p).rotation[:, 2] for p in msg.poses])
        self._heights, self._poses = heights, (places, upright)
        start, peak, before = self._start, self._peak, self._before
        if self._laid is None and len(heights) == len(self.scene.get('objects', ())):
            self._laid = heights
        if start is not None and peak is not None and before is not None and (
                len(start) == len(heights)):
            self._peak = np.maximum(peak, heights - start)
            balls = np.array([thing['shape'] == 'ball' for thing in self.scene['objects']])
            self._disturbed = self._disturbed | disturbed(
                before[0], places, before[1], upright, balls)

    def _image_came(self, msg: Image) -> None:
        self._frames_since_scene += 1
        if self._began_s:
            self._frames.append((time.monotonic() - self._began_s, rgb_from_image(msg)))

    def _feedback_came(self, msg: Any) -> None:
        feedback = msg.feedback
        # The mask is sent once, and holds for the stages that follow.
        mask = self.events[-1].mask if self.events else None
        if feedback.mask.mask.height:
            mask = mask_pixels(feedback.mask.mask)
        self.events.append(Event(time.monotonic() - self._began_s, Stage(feedback.stage),
                                  feedback.note, mask))
