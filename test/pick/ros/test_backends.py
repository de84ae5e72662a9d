"""Gripper, arm and tf against the real packages; skipped where those are not installed."""

from contextlib import contextmanager
import math
import threading

import pytest
from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.time import Time
from ros_graph import spun_nodes, wait_for

from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.robot import RobotError
from refdiff_ros.pick.ros import arms
from refdiff_ros.pick.ros.arms import MoveGroupArm
from refdiff_ros.pick.ros.frames import Frames, NoTransformError
from refdiff_ros.pick.ros.grippers import ActionGripper, Fingers

FINGERS = Fingers(('left', 'right'), (1.0, 1.0))
POSE = Pose((0.3, 0.1, 0.4), (1.0, 0.0, 0.0, 0.0))


class Controller:
    """Keeps the goals that come, and ends each with `answer(goal, result)` once it may."""

    def __init__(self, node, kind, name, answer):
        self.goals, self.cancelled = [], 0
        self.may_end = threading.Event()
        self._kind, self._answer = kind, answer
        self._server = ActionServer(
            node, kind, name, self._run, callback_group=ReentrantCallbackGroup(),
            cancel_callback=lambda _: CancelResponse.ACCEPT)

    def _run(self, handle):
        self.goals.append(handle.request)
        while not self.may_end.wait(0.005):
            if handle.is_cancel_requested:
                self.cancelled += 1
                handle.canceled()
                return self._kind.Result()
        result = self._kind.Result()
        self._answer(handle.request, result)
        handle.succeed()
        return result


def _parallel(result, left, right, stalled):
    result.state.name, result.state.position = ['right', 'left'], [right, left]
    result.stalled, result.reached_goal = stalled, not stalled


def _single(result, position, stalled):
    result.position, result.stalled, result.reached_goal = position, stalled, not stalled


@contextmanager
def _gripper(kind, answer):
    actions = pytest.importorskip('control_msgs.action', reason='control_msgs is not installed')
    action = (actions.ParallelGripperCommand if kind == 'parallel_gripper_command'
              else actions.GripperCommand)
    with spun_nodes('hand', 'controller') as (node, other):
        controller = Controller(other, action, kind, answer)
        yield ActionGripper(node, kind, FINGERS, 12.0), controller


def test_a_parallel_gripper_is_sent_every_joint_and_a_stall_is_a_good_end():
    def stall(_goal, result):
        _parallel(result, 0.014, 0.016, stalled=True)
    with _gripper('parallel_gripper_command', stall) as (gripper, controller):
        gripper.send(0.02)
        wait_for(lambda: controller.goals)
        command = controller.goals[0].command
        assert list(command.name) == ['left', 'right']
        assert list(command.position) == [0.01, 0.01] and list(command.effort) == [12.0, 12.0]
        assert not gripper.look() and math.isnan(gripper.reported_m())
        controller.may_end.set()
        wait_for(gripper.look)
        assert gripper.reported_m() == pytest.approx(0.03)


def test_the_older_gripper_has_one_position():
    def reach(goal, result):
        _single(result, goal.command.position, stalled=False)
    with _gripper('gripper_command', reach) as (gripper, controller):
        controller.may_end.set()
        gripper.send(0.05)
        wait_for(gripper.look)
        assert controller.goals[0].command.position == pytest.approx(0.025)
        assert controller.goals[0].command.max_effort == 12.0
        assert gripper.reported_m() == pytest.approx(0.05)


def test_a_gripper_that_gives_up_says_so():
    with _gripper('gripper_command', lambda goal, result: None) as (gripper, controller):
        controller.may_end.set()
        gripper.send(0.05)
        with pytest.raises(RobotError, match='gave up'):
            wait_for(gripper.look)


def test_a_halt_cancels_the_fingers():
    with _gripper('gripper_command', lambda goal, result: None) as (gripper, controller):
        gripper.send(0.0)
        wait_for(lambda: controller.goals)
        gripper.halt(0.04)
        wait_for(lambda: controller.cancelled == 1)


@contextmanager
def _move_group(code_name):
    msgs = pytest.importorskip('moveit_msgs.msg', reason='moveit_msgs is not installed')
    from moveit_msgs.action import MoveGroup

    def answer(_goal, result):
        result.error_code.val = getattr(msgs.MoveItErrorCodes, code_name)
    with spun_nodes('hand', 'controller') as (node, other):
        controller = Controller(other, MoveGroup, 'move_action', answer)
        yield MoveGroupArm(node, 'base', lambda: 0.1, 'manipulator', 'tool',
                           lambda: (0.004, 0.05)), controller


def test_moveit_is_sent_the_pose_and_told_that_the_scene_stays():
    with _move_group('SUCCESS') as (arm, controller):
        controller.may_end.set()
        arm.send(POSE)
        wait_for(lambda: arm.look(None))
        request, options = controller.goals[0].request, controller.goals[0].planning_options
        (goal,) = request.goal_constraints
        region = goal.position_constraints[0].constraint_region
        at, turn = region.primitive_poses[0].position, goal.orientation_constraints[0].orientation
        assert (at.x, at.y, at.z) == POSE.position and turn.x == 1.0
        assert list(region.primitives[0].dimensions) == [0.004]
        assert goal.position_constraints[0].link_name == 'tool'
        assert (request.group_name, request.max_cartesian_speed) == ('manipulator', 0.1)
        # Else MoveIt drops what is attached to the hand, and every object of its scene.
        assert request.start_state.is_diff and options.planning_scene_diff.is_diff
        assert options.planning_scene_diff.robot_state.is_diff and not options.plan_only


class Fields:
    """Stands where a message does: fields come into being as they are used."""

    def __init__(self, **values):
        vars(self).update(values)

    def __getattr__(self, name):
        vars(self)[name] = Fields()
        return vars(self)[name]

    def __call__(self, **values):
        return Fields(**values)


def test_without_moveit_s_messages_a_goal_still_leaves_the_scene_as_it_is(monkeypatch):
    monkeypatch.setattr(arms, 'ros_module', lambda name, what: Fields())
    monkeypatch.setattr(arms, 'ActionClient', lambda *_, **__: None)
    arm = MoveGroupArm(None, 'base', lambda: 0.1, 'manipulator', 'tool', lambda: (0.004, 0.05))
    goal = arm._goal(POSE)
    scene = goal.planning_options.planning_scene_diff
    assert (goal.request.start_state.is_diff, scene.is_diff, scene.robot_state.is_diff) == (
        True, True, True)


def test_what_moveit_cannot_do_has_its_name():
    with _move_group('PLANNING_FAILED') as (arm, controller):
        controller.may_end.set()
        arm.send(POSE)
        with pytest.raises(RobotError, match='PLANNING_FAILED'):
            wait_for(lambda: arm.look(None))


def test_a_halt_cancels_moveit():
    with _move_group('SUCCESS') as (arm, controller):
        arm.send(POSE)
        wait_for(lambda: controller.goals)
        arm.halt(None)
        wait_for(lambda: controller.cancelled == 1)


def _transform(parent, child, stamp, *position):
    from geometry_msgs.msg import TransformStamped

    transform = TransformStamped(child_frame_id=child)
    transform.header.frame_id, transform.header.stamp = parent, stamp
    at = transform.transform.translation
    at.x, at.y, at.z = position
    transform.transform.rotation.w = 1.0
    return transform


def test_a_camera_on_the_hand_is_where_it_was_at_the_stamp_of_the_image():
    tf2_ros = pytest.importorskip('tf2_ros', reason='tf2_ros is not installed')
    with spun_nodes('hand', 'controller') as (node, other):
        frames = Frames(node)
        assert frames.listen()
        moving = tf2_ros.TransformBroadcaster(other)
        fixed = tf2_ros.StaticTransformBroadcaster(other)
        fixed.sendTransform(_transform('tool', 'camera', Time().to_msg(), 0.0, 0.0, -0.1))
        stamps = [Time(seconds=100 + second).to_msg() for second in range(4)]

        def send():
            # The hand rises by 10 cm a second.
            for number, stamp in enumerate(stamps):
                moving.sendTransform(_transform('base', 'tool', stamp, 0.3, 0.0, 0.1 * number))
            return other.count_subscribers('/tf') and other.count_subscribers('/tf_static')
        wait_for(send)

        def at(stamp):
            send()
            return frames.pose('base', 'camera', stamp, 10.0, send).position
        assert at(stamps[1]) == pytest.approx((0.3, 0.0, 0.0))
        assert at(Time(seconds=102.5).to_msg()) == pytest.approx((0.3, 0.0, 0.15))
        assert at(None) == pytest.approx((0.3, 0.0, 0.2))
        with pytest.raises(NoTransformError, match="'camera' in 'base'.*extrapolation"):
            frames.pose('base', 'camera', Time(seconds=200).to_msg(), 0.1)
        with pytest.raises(NoTransformError, match="'lens' in 'base'.*does not exist"):
            frames.pose('base', 'lens', stamps[0], 0.1)
