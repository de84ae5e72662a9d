"""The robot's reports, the fingers' factors and tf, on nodes of this process."""

from contextlib import contextmanager
import math
import sys
import threading
import time
from types import ModuleType, SimpleNamespace

from geometry_msgs.msg import PoseStamped
import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor
from rclpy.parameter import Parameter
from ros_graph import wait_for
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.robot import RobotError
from refdiff_ros.pick.ros.arms import TopicArm
from refdiff_ros.pick.ros.frames import Frames, NoTransformError
from refdiff_ros.pick.ros.grippers import Fingers, TopicGripper
from refdiff_ros.pick.ros.parameters import HandParameters
from refdiff_ros.pick.ros.robot import RosRobot
from refdiff_ros.pick.workspace import Workspace

HOME = Pose((0.0, 0.95, 0.5), (1.0, 0.0, 0.0, 0.0))


class Driver:
    """Stands where a robot's driver does: fingers that stall, a hand that follows its target."""

    def __init__(self, node, velocity, stamped, frame='base', speed=2.0):
        self._node, self._velocity, self._stamped, self._frame = node, velocity, stamped, frame
        self.opening, self._wanted, self._stall, self._speed = 0.07, 0.07, 0.03, speed
        self.at, self._goal = np.array(HOME.position), np.array(HOME.position)
        self.fastest, self.tremble_m, self.commands = 0.0, 0.0, []
        self._joints = node.create_publisher(JointState, 'joint_states', 10)
        self._pose = node.create_publisher(PoseStamped, 'current_pose', 10)
        node.create_subscription(Float64, 'gripper_command', self._grip, 10)
        node.create_subscription(PoseStamped, 'target_pose', self._aim, 10)
        node.create_timer(0.01, self._step)

    def _grip(self, msg):
        self.commands.append(msg.data)
        self._wanted = max(msg.data, self._stall)

    def _aim(self, msg):
        at = msg.pose.position
        self._goal = np.array([at.x, at.y, at.z])

    def _step(self):
        step = 0.0005
        self.opening += float(np.clip(self._wanted - self.opening, -step, step))
        self.tremble_m = -self.tremble_m
        gap = self._goal - self.at
        before = self.at.copy()
        self.at = self.at + gap * min(self._speed * 0.01 / max(np.linalg.norm(gap), 1e-9), 1.0)
        self.fastest = max(self.fastest, float(np.linalg.norm(self.at - before)) / 0.01)
        joints = JointState(name=['finger_left', 'finger_right'],
                            position=[(self.opening + self.tremble_m) / 2] * 2,
                            velocity=[] if self._velocity is None else [self._velocity] * 2)
        pose = PoseStamped()
        pose.header.frame_id = self._frame
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = map(float, self.at)
        pose.pose.orientation.x, pose.pose.orientation.w = 1.0, 0.0
        if self._stamped:
            joints.header.stamp = pose.header.stamp = self._node.get_clock().now().to_msg()
        self._joints.publish(joints)
        self._pose.publish(pose)


@contextmanager
def _robot(velocity=0.0, stamped=True, frame='base', speed=2.0, **parameters):
    context = Context()
    rclpy.init(context=context, domain_id=None)
    given = [Parameter(name, value=value) for name, value in
             {'motion_timeout': 20.0, **parameters}.items()]
    node = rclpy.create_node('hand', context=context, parameter_overrides=given)
    driver_node = rclpy.create_node('driver', context=context)
    values, frames = HandParameters(node), Frames(node)
    robot = RosRobot(node, values, TopicArm(node, 'base', lambda: values('speed_limit')),
                     TopicGripper(node), frames)
    driver = Driver(driver_node, velocity, stamped, frame, speed)
    executor = MultiThreadedExecutor(4, context=context)
    for each in (node, driver_node):
        executor.add_node(each)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        yield robot, driver
    finally:
        executor.shutdown(1.0)
        rclpy.try_shutdown(context=context)
        thread.join(2.0)


@pytest.mark.parametrize('velocity, stamped', [(0.0, True), (math.nan, True), (None, False)])
def test_rest_is_told_by_positions_whatever_the_velocities_say(velocity, stamped):
    with _robot(velocity, stamped) as (robot, _):
        # From 70 mm the fingers close on 30, where the object stops them.
        assert robot.grip(0.0) == pytest.approx(0.03, abs=0.001)


def test_a_motion_ends_when_the_hand_is_reported_there_and_a_halt_holds_it():
    with _robot() as (robot, driver):
        robot.move(Pose((0.0, 0.8, 0.4), HOME.orientation))
        np.testing.assert_allclose(driver.at, (0.0, 0.8, 0.4), atol=0.004)
        robot.halt()
        assert robot.pose().position == pytest.approx((0.0, 0.8, 0.4), abs=0.004)


def test_a_halt_leaves_fingers_that_hold_something_pressing():
    with _robot() as (robot, driver):
        robot.grip(0.0)
        driver.tremble_m = 0.0007  # as of something that is carried
        time.sleep(0.3)
        robot.halt()
        time.sleep(0.3)
        assert driver.commands == [0.0]


def test_a_halt_stops_fingers_that_are_closing():
    with _robot() as (robot, driver):
        closing = threading.Thread(target=robot.grip, args=(0.0,))
        closing.start()
        wait_for(lambda: driver.opening < 0.06)
        robot.halt()
        closing.join(20.0)
        assert not closing.is_alive()
        assert driver.opening > 0.04 and driver.commands[1:] == [
            pytest.approx(driver.opening, abs=0.001)]


def test_a_speed_limit_leads_the_target():
    with _robot(speed_limit=0.1) as (robot, driver):
        began_s = time.monotonic()
        robot.move(Pose((0.0, 0.85, 0.5), HOME.orientation))
        assert time.monotonic() - began_s > 0.8
        np.testing.assert_allclose(driver.at, (0.0, 0.85, 0.5), atol=0.004)


def test_nothing_is_driven_out_of_the_workspace():
    with _robot() as (robot, driver), pytest.raises(RobotError, match='outside of the workspace'):
        robot.move(Pose((0.0, 0.8, 5.0), HOME.orientation))
    np.testing.assert_allclose(driver.at, HOME.position)


def test_a_pose_in_another_frame_is_not_compared():
    with _robot(frame='world', motion_timeout=1.0) as (robot, _), pytest.raises(
            RobotError, match="frame 'world' and not in base_frame 'base'"):
        robot.pose()


def test_openings_of_mimic_and_revolute_fingers():
    assert Fingers(('a', 'b'), (1.0, 1.0)).opening_m((0.02, 0.03)) == pytest.approx(0.05)
    assert Fingers(('a',), (2.0,)).position(0.08) == pytest.approx(0.04)
    knuckle = Fingers(('knuckle',), (-0.10625,), 0.085)
    assert knuckle.opening_m((0.8,)) == pytest.approx(0.0)
    assert knuckle.position(0.085) == pytest.approx(0.0)


@pytest.mark.parametrize('factors', [(1.0,), (1.0, 0.0), (1.0, math.nan), (1.0, -1.0)])
def test_factors_that_cannot_be_are_refused(factors):
    with pytest.raises(BadRequestError, match='finger_factors'):
        Fingers(('a', 'b'), factors)


@pytest.mark.parametrize('values', [[0, 1, 0, 1, 0], [1, 0, 0, 1, 0, 1],
                                    [0, math.nan, 0, 1, 0, 1]])
def test_a_workspace_is_a_box(values):
    with pytest.raises(BadRequestError, match='workspace'):
        Workspace.of(values)
    assert Workspace.of([0, 1, 0, 1, 0, 1]).outside((0.5, 2.0, 0.5)).startswith('y 2.000')


@pytest.fixture
def tf(monkeypatch):
    """A stand-in for tf2_ros with one transform, by stamp."""
    module = ModuleType('tf2_ros')
    module.TransformException = type('TransformException', (Exception,), {})
    known = {}

    class Buffer:
        def __init__(self, node=None):
            pass

        def lookup_transform(self, target, source, when):
            key = target, source, when.nanoseconds
            if key not in known:
                raise module.TransformException(f'{source} does not exist at {when.nanoseconds}')
            x, y, z = known[key]
            return SimpleNamespace(transform=SimpleNamespace(
                translation=SimpleNamespace(x=x, y=y, z=z),
                rotation=SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0)))
    module.Buffer = Buffer
    module.TransformListener = lambda _buffer, _node: None
    monkeypatch.setitem(sys.modules, 'tf2_ros', module)
    return known


def test_the_cameras_pose_is_that_of_the_images_stamp(tf):
    stamp = SimpleNamespace(sec=3, nanosec=5)
    tf['base', 'camera', 3_000_000_005] = (0.1, 0.2, 0.3)
    tf['base', 'camera', 0] = (9.0, 9.0, 9.0)
    frames = Frames(None)
    from builtin_interfaces.msg import Time as Stamp
    assert frames.pose('base', 'camera', Stamp(sec=stamp.sec, nanosec=stamp.nanosec),
                       0.0).position == (0.1, 0.2, 0.3)
    with pytest.raises(NoTransformError, match="'lens' in 'base'"):
        frames.pose('base', 'lens', None, 0.05)


def test_without_tf_both_frames_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    with pytest.raises(NoTransformError, match="'camera' in 'base'.*tf2_ros cannot be imported"):
        Frames(None).pose('base', 'camera', None, 0.0)
