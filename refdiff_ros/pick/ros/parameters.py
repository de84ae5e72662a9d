"""The parameters of the nodes that move a robot: one table, read once or at each goal.

What is read once ('start') is read-only: `ros2 param set` of it is refused. All are checked when
the node starts, and again at each change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
import math
from typing import Any

import numpy as np
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from refdiff_ros.errors import BadRequestError
from refdiff_ros.grasp.results import Pose
from refdiff_ros.pick.reach import Reach
from refdiff_ros.pick.robot import OnCancel
from refdiff_ros.pick.ros.arms import ARMS
from refdiff_ros.pick.ros.grippers import Fingers, GRIPPERS
from refdiff_ros.pick.workspace import EVERYWHERE, Workspace
from refdiff_ros.ros.parameters import ParameterSpec

_REACH = {
    'max_opening_m': 'Between the opened fingers, m.',
    'finger_length_m': 'From the fingertips to the palm, m.',
    'table_z_m': "Height of the table's top in the base, m.",
    'clearance_m': 'Fingertips stay this far above the table, m.',
    'margin_m': 'The fingers open this much wider than the object, m.',
    'tip_depth_m': 'The fingertips go this far below the contacts, m.',
    'standoff_m': 'Height over the grasp at which the approach begins, m.',
    'lift_m': 'How high the object is lifted, m.',
    'finger_width_m': 'Of a finger, across the closing direction, m.',
    'finger_thickness_m': 'Of a finger, along the closing direction, m.',
    'palm_width_m': 'Of the palm, along the closing direction, m.',
}
NUMBERS = (
    ParameterSpec('goal_timeout', 60.0, 'A pick may take this long, seconds.',
                  low=0.1, high=3600.0),
    ParameterSpec('node_timeout', 30.0,
                  'A goal waits this long, seconds, for the refdiff node to be there, active and '
                  'with a first image; the time of the goal itself begins after that.',
                  low=0.0, high=3600.0),
    ParameterSpec('motion_timeout', 20.0, 'One motion may take this long, seconds.',
                  low=0.1, high=600.0),
    ParameterSpec('min_opening', 0.0025, 'Fingers nearer than this hold nothing, m.',
                  low=0.0, high=0.1),
    ParameterSpec('hold', 0.6, 'An object must stay held up this long, seconds.',
                  low=0.0, high=60.0),
    ParameterSpec('accept_ambiguous', False,
                  'Take the best of several regions that fit equally, instead of refusing.'),
    ParameterSpec('on_cancel', 'put_back',
                  'What becomes of the object in hand after a cancel or a timeout: hold keeps it '
                  'where the hand is, put_back brings it to where it was taken, lower sets it '
                  'down below the hand where there is room.',
                  choices=tuple(mode.value for mode in OnCancel)),
    ParameterSpec('position_tolerance', 0.004,
                  'The hand is there when it is reported this near, m.', low=0.0001, high=0.1),
    ParameterSpec('angle_tolerance', math.radians(3),
                  'The hand is there when it is turned by less than this, rad.',
                  low=0.001, high=1.0),
    ParameterSpec('opening_tolerance', 0.002,
                  'The fingers are where they were sent when reported this near, m.',
                  low=0.0001, high=0.05),
    ParameterSpec('rest_time', 0.1,
                  'Reports must agree for this long before a motion counts as over, seconds.',
                  low=0.0, high=10.0),
    ParameterSpec('stall_time', 2.0,
                  'Fingers that do not move for this long after a command stand against '
                  'something, and count as closed, seconds.', low=0.1, high=60.0),
    ParameterSpec('speed_limit', 0.0,
                  'The hand moves at most this fast, m/s: the topic target_pose is led along the '
                  'line, MoveIt is asked for it. 0 leaves the speed to the robot.',
                  low=0.0, high=10.0),
    ParameterSpec('tf_timeout', 1.0, 'How long to wait for a transform, seconds.',
                  low=0.0, high=60.0),
    ParameterSpec('check_space', True,
                  "Check the way of the fingers against the picture on 'depth'; without a depth "
                  'picture nothing is touched. false goes without.'),
    ParameterSpec('rectified', False,
                  'The depth picture is rectified: as the parameter of the refdiff node.'),
    *(ParameterSpec(field.name, getattr(Reach(), field.name), _REACH[field.name],
                    low=-2.0 if field.name == 'table_z_m' else 0.001, high=2.0)
      for field in fields(Reach)),
    ParameterSpec('base_frame', 'base', 'Frame of all poses that are driven to.', 'start'),
    ParameterSpec('camera_frame', '',
                  'The optical frame that camera_in_base is of: images of another frame are '
                  'refused. Empty takes any.'),
    ParameterSpec('tool_frame', '',
                  "Frame between the fingertips: with pose_source 'tf', and with MoveIt.",
                  'start'),
    ParameterSpec('pose_source', 'topic',
                  "Where the hand's pose comes from: the topic current_pose, or tf.", 'start',
                  choices=('topic', 'tf')),
    ParameterSpec('arm', 'topic',
                  "What moves the hand: the topic target_pose, or MoveIt's action move_action.",
                  'start', choices=ARMS),
    ParameterSpec('move_group', '', 'Planning group of MoveIt.', 'start'),
    ParameterSpec('gripper', 'topic',
                  'What moves the fingers: the topic gripper_command, or an action of '
                  'control_msgs.', 'start', choices=GRIPPERS),
    ParameterSpec('gripper_effort', 0.0,
                  'Most effort that is asked of a gripper action, N; 0 leaves it to the gripper.',
                  'start', low=0.0, high=10000.0),
    ParameterSpec('finger_offset', 0.0,
                  'Opening at which all finger joints are at 0, m.', 'start',
                  low=-1.0, high=1.0),
)
_BY_NAME = {spec.name: spec for spec in NUMBERS}


@dataclass(frozen=True)
class ListSpec:
    """One parameter that is a list."""

    name: str
    default: list
    text: str
    read_only: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """What `ros2 param describe` shows."""
        end = 'Read-only.' if self.read_only else 'Counts from the next goal.'
        # Whole numbers from YAML come typed as integers.
        return ParameterDescriptor(name=self.name, description=f'{self.text} {end}',
                                   read_only=self.read_only,
                                   dynamic_typing=isinstance(self.default[0], float))

    def check(self, value: Any) -> list:
        """The value as a list of the default's type.

        Raises:
            BadRequestError: it is none.
        """
        kind = type(self.default[0])
        try:
            return [kind(item) for item in value]
        except (TypeError, ValueError) as error:
            raise BadRequestError(
                f'expected {self.name} as a list of {kind.__name__}, got {value!r}') from error


LISTS = (
    ListSpec('camera_in_base', [0.0] * 7,
             "The camera's optical frame in the base: x, y, z in m, then a quaternion x, y, z, w; "
             'all 0 asks tf, at the stamp of the image.'),
    ListSpec('home', [0.0, 0.95, 0.5, 1.0, 0.0, 0.0, 0.0],
             'Where the hand waits, in the base: x, y, z in m, then a quaternion x, y, z, w.'),
    ListSpec('workspace', list(EVERYWHERE),
             'Box in the base that the fingertips never leave: x_min, x_max, y_min, y_max, z_min, '
             'z_max, m.'),
    ListSpec('offer', [0.0, 0.55, 0.35],
             'Where something is held out to a person, in the base: x, y, z, m.'),
    ListSpec('finger_joints', ['finger_left', 'finger_right'],
             'Joints of joint_states that the opening is computed from.', True),
    ListSpec('finger_factors', [1.0, 1.0],
             'Opening for each unit of each of these joints: 1 for a prismatic finger, 2 for one '
             'that a second mimics, metres per radian for a revolute one.', True),
)
_LIST_BY_NAME = {spec.name: spec for spec in LISTS}


class HandParameters:
    """The table on a node: declared, checked, kept.

    Args:
        node: on which they are declared.
        more: rows of the node's own.

    Raises:
        BadRequestError: a value that cannot be, or a name that does not exist.
    """

    def __init__(self, node: Node, more: Sequence[ParameterSpec] = ()):
        self._specs = _BY_NAME | {spec.name: spec for spec in more}
        given = set(node._parameter_overrides)
        self._values: dict[str, Any] = {
            spec.name: spec.check(
                node.declare_parameter(spec.name, spec.default, spec.descriptor()).value)
            for spec in self._specs.values()}
        self._values |= {spec.name: spec.check(
            node.declare_parameter(spec.name, spec.default, spec.descriptor()).value)
            for spec in LISTS}
        unknown = sorted(name for name in given if not node.has_parameter(name)
                         and not name.startswith('qos_overrides.'))
        if unknown:
            raise BadRequestError(
                f'expected parameters of {node.get_name()}, got the unknown {", ".join(unknown)}: '
                'see `ros2 param list`, or docs/reference.md')
        _check_together(self._values)
        node.add_on_set_parameters_callback(self._check_change)
        node.add_post_set_parameters_callback(self._take)

    def __call__(self, name: str) -> Any:
        """A value as it is now."""
        return self._values[name]

    def pose(self, name: str) -> Pose:
        """A parameter as a pose."""
        return pose_of(name, self._values[name])

    @property
    def camera_in_base(self) -> Pose | None:
        """The camera's pose as it is given; None to ask tf."""
        return self.pose('camera_in_base') if any(self._values['camera_in_base']) else None

    @property
    def reach(self) -> Reach:
        """Of the gripper."""
        return Reach(**{field.name: self._values[field.name] for field in fields(Reach)})

    @property
    def fingers(self) -> Fingers:
        """What joint positions mean."""
        values = self._values
        return Fingers(tuple(values['finger_joints']), tuple(values['finger_factors']),
                       values['finger_offset'])

    def _check_change(self, changed: list[Parameter]) -> SetParametersResult:
        try:
            _check_together({**self._values, **self._checked(changed)})
        except BadRequestError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _checked(self, changed: Iterable[Parameter]) -> dict[str, Any]:
        specs: dict[str, Any] = {**self._specs, **_LIST_BY_NAME}
        return {p.name: specs[p.name].check(p.value) for p in changed if p.name in specs}

    def _take(self, changed: list[Parameter]) -> None:
        self._values = {**self._values, **self._checked(changed)}


def _check_together(values: Mapping[str, Any]) -> None:
    """Refuse values that make no sense, each by itself or together.

    Raises:
        BadRequestError: for the first of them.
    """
    if any(values['camera_in_base']):
        pose_of('camera_in_base', values['camera_in_base'])
    home = pose_of('home', values['home'])
    Fingers(tuple(values['finger_joints']), tuple(values['finger_factors']),
            values['finger_offset'])
    outside = Workspace.of(values['workspace']).outside(home.position)
    if outside:
        raise BadRequestError(f'expected home inside of the workspace: {outside}')
    if values['pose_source'] == 'tf' and not values['tool_frame']:
        raise BadRequestError("expected tool_frame with pose_source 'tf', got none")
    if len(values['camera_in_base']) != 7:
        pose_of('camera_in_base', values['camera_in_base'])


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
