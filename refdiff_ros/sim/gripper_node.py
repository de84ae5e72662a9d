"""The node `tabletop_gripper`: a simulated parallel gripper over a random tabletop.

It stands where hardware can: poses of the fingertips come in on `target_pose`, openings in metres
on `gripper_command`, and `current_pose` and `joint_states` go out. Beside that it is a simulated
RGB-D camera (see `camera_topics`) over the same state, and tells the truth: `~/objects` and
`~/instances` as the camera does, `~/object_poses` (geometry_msgs/PoseArray, in the base) while
things move. The base frame is `FRAME_ID`: z up, the table's top is z = 0.
"""

from collections.abc import Sequence
import threading
import time
import traceback
from typing import Any

from geometry_msgs.msg import PoseArray, PoseStamped
import numpy as np
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64, Header

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.grasp.results import Pose
from refdiff_ros.ros.messages import pose_message
from refdiff_ros.ros.parameters import ParameterSpec
from refdiff_ros.ros.processes.spin import run
from refdiff_ros.sim.camera_topics import CameraTopics, VIEW_PARAMETERS
from refdiff_ros.sim.gripper_sim import GripperSim, JOINTS, TICK_S
from refdiff_ros.sim.render import open_renderer
from refdiff_ros.sim.worlds import table_scene

BASE_FRAME = 'base'
_PERIOD_S = 0.02
_PERIODS_S = (TICK_S, 0.1)  # of simulated time between two words about the joints, at any speed
PARAMETERS = (
    ParameterSpec('seed', 0, 'Seed of the scene; a new value lays a new scene.',
                  low=0, high=2**31 - 1),
    *VIEW_PARAMETERS,
    ParameterSpec('rate', 5.0, 'Frames per second, Hz.', low=0.05, high=120.0),
    ParameterSpec('speed', 1.0, 'Simulated seconds per second, as far as the machine can.',
                  low=0.1, high=100.0),
    ParameterSpec('lockstep', False,
                  'Let no more than 1/rate of simulated time pass between two pictures: a smooth '
                  'film where drawing is slower than that.', 'start'),
)

_BY_NAME = {spec.name: spec for spec in PARAMETERS}


class TabletopGripper(Node):
    """Callbacks only; one thread steps the physics, one lays scenes and draws."""

    def __init__(self, **kwargs: Any):
        super().__init__('tabletop_gripper', **kwargs)
        self._values: dict[str, Any] = {
            spec.name: spec.check(
                self.declare_parameter(spec.name, spec.default, spec.descriptor()).value)
            for spec in PARAMETERS}
        self._camera = CameraTopics(self, reliable=True)
        self._pose = self.create_publisher(PoseStamped, 'current_pose', 10)
        self._joints = self.create_publisher(JointState, 'joint_states', 10)
        self._truth = self.create_publisher(PoseArray, '~/object_poses', 10)
        self.create_subscription(PoseStamped, 'target_pose', self._aim, QoSProfile(depth=5))
        self.create_subscription(Float64, 'gripper_command', self._grip, QoSProfile(depth=5))
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self._sim: GripperSim | None = None
        self._lock = threading.Lock()
        self._since_picture_s = 0.0
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True)
                         for work in (self._step, self._look)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _aim(self, msg: PoseStamped) -> None:
        if msg.header.frame_id not in ('', BASE_FRAME):
            self.get_logger().error(
                f"expected a target in the frame '{BASE_FRAME}', got one in "
                f"'{msg.header.frame_id}': it is not driven to", throttle_duration_sec=5.0)
            return
        at, turn = msg.pose.position, msg.pose.orientation
        with self._lock:
            if self._sim is not None:
                self._sim.aim(Pose((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w)))

    def _grip(self, msg: Float64) -> None:
        with self._lock:
            if self._sim is not None:
                self._sim.grip(msg.data)

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        try:
            for parameter in changed:
                if parameter.name in _BY_NAME:
                    _BY_NAME[parameter.name].check(parameter.value)
        except BadRequestError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_parameters(self, changed: list[Parameter]) -> None:
        self._values = {**self._values, **{p.name: p.value for p in changed
                                           if p.name in _BY_NAME}}

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except Exception:  # a thread's end must not go unseen
            self.get_logger().fatal(f'the simulation ended\n{traceback.format_exc()}')

    def _step(self) -> None:
        """Physics, at most `speed` times as fast as the clock."""
        due = time.monotonic()
        while not self._stopping.is_set():
            speed = self._values['speed']
            period_s = float(np.clip(_PERIOD_S * speed, *_PERIODS_S))  # of simulated time
            with self._lock:
                left_s = self._until_picture_s() if self._values['lockstep'] else period_s
                sim = self._sim if left_s > 1e-9 else None
                if sim is not None:
                    step_s = min(period_s, left_s)
                    sim.run(step_s)
                    self._since_picture_s += step_s
                    told = sim.joints(), sim.hand_pose(), sim.poses()
            if sim is not None:
                self._tell(*told)
            # A machine that is too slow falls behind; it does not hurry afterwards.
            due = max(due + period_s / speed, time.monotonic() - _PERIOD_S)
            # At least a moment, or the other threads would wait for the lock for ever.
            self._stopping.wait(max(due - time.monotonic(), 0.001))

    def _until_picture_s(self) -> float:
        """Simulated time from now to the next picture, where the two are in step."""
        return 1.0 / self._values['rate'] - self._since_picture_s

    def _tell(self, joints: Any, hand: Pose, objects: list[Pose]) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=BASE_FRAME)
        self._pose.publish(PoseStamped(header=header, pose=pose_message(hand)))
        self._joints.publish(JointState(
            header=header, name=list(JOINTS), position=list(joints.position),
            velocity=list(joints.velocity), effort=list(joints.effort)))
        self._truth.publish(PoseArray(header=header, poses=[pose_message(p) for p in objects]))

    def _look(self) -> None:
        """Scenes and pictures: OpenGL belongs to this thread."""
        sim, renderer = None, None
        laid, refused = None, None
        try:
            while not self._stopping.is_set():
                began, seed = time.monotonic(), self._values['seed']
                if seed not in (laid, refused):
                    if renderer is not None:
                        renderer.close()
                    sim, renderer = self._lay(seed)
                    laid, refused = (seed, None) if sim is not None else (None, seed)
                if sim is not None:
                    self._publish(sim, renderer)
                spent = time.monotonic() - began
                self._stopping.wait(max(1.0 / self._values['rate'] - spent, 0.001))
        finally:
            if renderer is not None:
                renderer.close()

    def _lay(self, seed: int) -> tuple[GripperSim | None, Any]:
        size_hw = (self._values['height'], self._values['width'])
        with self._lock:
            self._sim = None
        try:
            sim = GripperSim(table_scene(seed, self._values['world']), size_hw)
            renderer = open_renderer(sim.mujoco, sim.model, size_hw)
        except RefDiffError as error:
            self.get_logger().error(f'no scene: {error}')
            return None, None
        self._camera.publish_truth(sim.look(renderer))
        with self._lock:
            self._sim = sim
        names = ', '.join(thing.name for thing in sim.scene.things)
        self.get_logger().info(f'scene {seed}: {names}')
        return sim, renderer

    def _publish(self, sim: GripperSim, renderer: Any) -> None:
        now = self.get_clock().now()
        with self._lock:
            seen, self._since_picture_s = sim.copy_state(), 0.0
        self._camera.publish(sim.look(renderer, seen), now.to_msg(), now.nanoseconds)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT; the process' exit status."""
    return run(TabletopGripper, args)
