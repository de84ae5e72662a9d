"""The refdiff node.

    ros2 launch refdiff_ros refdiff.launch.py image:=/camera/color/image_raw \
        depth:=/camera/depth/image_raw camera_info:=/camera/color/camera_info

An argument that is left empty keeps the value of `params_file`. `expression` is the name of a
topic; what is asked is published there, or asked of the service.
"""

import difflib
from pathlib import Path
import re

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

_TOPICS = {
    'image': 'Colour images.',
    'depth': 'Depth registered to the colour images; optional.',
    'camera_info': 'Intrinsics of the colour camera; optional.',
    'expression': 'Standing expression (std_msgs/String); optional.',
}
_PARAMETERS = {
    'bundle': ('Model bundle: a name, a folder or a hub id.', str),
    'preset': ('paper, released or onboard.', str),
    'device': ('auto, cpu, cuda, cuda:1, ...', str),
    'image_transport': ('raw or compressed.', str),
    'rectified': ('true: the images are rectified; take P of camera_info.', bool),
    'web_port': ('Port of the operator page on this machine; 0 for none.', int),
    'autostart': ('true: configure and activate by itself.', bool),
    'step_timeout': ('Seconds that one step of an answer may take; see respawn.', float),
    'use_sim_time': ("true: time from /clock, for simulators and 'ros2 bag play --clock'.", bool),
}
# How the process is run: default and description.
_PROCESS = {
    'log_level': ('info', 'debug, info, warn or error.'),
    'respawn': ('false', 'true: start the node again, 2 s after it has ended by itself; a node '
                'whose step takes longer than step_timeout then ends (on_hang).'),
}
_NAMES = ('namespace', 'name', 'params_file', *_TOPICS, *_PARAMETERS, *_PROCESS)
# From this likeness on a name is a slip of the pen: 'bundel' and 'bundle' have 0.83.
_LIKENESS = 0.8
_TOPIC = re.compile(r'[~/]?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*|~?/?')
_PARAMS_FILE = Path(__file__).absolute().parents[1] / 'config' / 'refdiff.yaml'


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the node."""
    return LaunchDescription([
        DeclareLaunchArgument('namespace', default_value='', description='Namespace of the node.'),
        DeclareLaunchArgument('name', default_value='refdiff', description='Name of the node.'),
        DeclareLaunchArgument('params_file', default_value=str(_PARAMS_FILE),
                              description='YAML file with the parameters.'),
        *(DeclareLaunchArgument(name, default_value=name, description=f'Topic: {text}')
          for name, text in _TOPICS.items()),
        *(DeclareLaunchArgument(name, default_value='', description=text)
          for name, (text, _) in _PARAMETERS.items()),
        *(DeclareLaunchArgument(name, default_value=default, description=text)
          for name, (default, text) in _PROCESS.items()),
        OpaqueFunction(function=_node),
    ])


def _node(context: LaunchContext) -> list[LogInfo | Node]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    given = {name: ParameterValue(LaunchConfiguration(name), value_type=kind)
             for name, (_, kind) in _PARAMETERS.items() if value(name)}
    respawn = value('respawn').lower() in ('true', '1', 'yes')
    if respawn:
        given['on_hang'] = 'exit'
    return [*_slips(context), Node(
        package='refdiff_ros', executable='refdiff_node', name=value('name'),
        namespace=value('namespace'), output='screen', emulate_tty=True,
        parameters=[_params_file(value('params_file')), given],
        remappings=[(name, _topic(name, value(name)))
                    for name in _TOPICS if value(name) not in ('', name)],
        ros_arguments=['--log-level', value('log_level') or 'info'],
        respawn=respawn, respawn_delay=2.0)]


def _slips(context: LaunchContext) -> list[LogInfo]:
    """Arguments that nobody declared and that look like one of ours: launch says nothing."""
    given = [name for name in context.launch_configurations if name not in _NAMES]
    near = {name: difflib.get_close_matches(name, _NAMES, 1, _LIKENESS) for name in given}
    return [LogInfo(msg=f"launch argument '{name}' has no effect: did you mean '{meant[0]}'?")
            for name, meant in near.items() if meant]


def _params_file(name: str) -> str:
    path = Path(name) if name else _PARAMS_FILE
    # launch_ros only warns, and the node would start on its defaults.
    if not path.is_file():
        raise FileNotFoundError(
            f'expected a YAML file of parameters as params_file, found none at {path}')
    return str(path)


def _topic(role: str, name: str) -> str:
    if _TOPIC.fullmatch(name):
        return name
    what = ' To ask, publish it there, or call ~/segment.' if role == 'expression' else ''
    raise ValueError(
        f"expected the name of a topic as {role}, such as '/{role}', got {name!r}.{what}")
