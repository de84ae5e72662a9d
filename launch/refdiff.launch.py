"""The refdiff node.

    ros2 launch refdiff_ros refdiff.launch.py image:=/camera/color/image_raw \
        depth:=/camera/depth/image_raw camera_info:=/camera/color/camera_info

An argument that is left empty keeps the value of `params_file`.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
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
    'web_port': ('Port of the operator page on this machine; 0 for none.', int),
    'autostart': ('true: configure and activate by itself.', bool),
    'use_sim_time': ("true: time from /clock, for simulators and 'ros2 bag play --clock'.", bool),
}
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
        OpaqueFunction(function=_node),
    ])


def _node(context: LaunchContext) -> list[Node]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    given = {name: ParameterValue(LaunchConfiguration(name), value_type=kind)
             for name, (_, kind) in _PARAMETERS.items() if value(name)}
    return [Node(
        package='refdiff_ros', executable='refdiff_node', name=value('name'),
        namespace=value('namespace'), output='screen', emulate_tty=True,
        parameters=[value('params_file') or str(_PARAMS_FILE), given],
        remappings=[(name, value(name)) for name in _TOPICS if value(name) != name])]
