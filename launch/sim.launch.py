"""The simulated tabletop camera and the refdiff node on its topics.

    ros2 launch refdiff_ros sim.launch.py

With a namespace the camera is in it too, so that several robots can run side by side.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

_PASSED_ON = ('namespace', 'params_file', 'bundle', 'preset', 'device', 'web_port', 'autostart',
              'use_sim_time', 'log_level', 'respawn', 'step_timeout')


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start both nodes."""
    return LaunchDescription([
        DeclareLaunchArgument('seed', default_value='0', description='Seed of the scene.'),
        DeclareLaunchArgument('world', default_value='tabletop8',
                              choices=['tabletop8', 'tabletop20'],
                              description='Eight kinds of things, or twenty.'),
        *(DeclareLaunchArgument(name, default_value='', description='As in refdiff.launch.py.')
          for name in _PASSED_ON),
        OpaqueFunction(function=_both),
    ])


def _both(context: LaunchContext) -> list[Node | IncludeLaunchDescription]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    camera = '/'.join(['', *value('namespace').strip('/').split('/'), 'camera']).replace('//', '/')
    arguments = {name: value(name) for name in _PASSED_ON}
    arguments |= {'image': f'{camera}/color/image_raw', 'depth': f'{camera}/depth/image_raw',
                  'camera_info': f'{camera}/color/camera_info'}
    parameters = {'seed': ParameterValue(LaunchConfiguration('seed'), value_type=int),
                  'world': ParameterValue(LaunchConfiguration('world'), value_type=str)}
    if value('use_sim_time'):
        parameters['use_sim_time'] = ParameterValue(
            LaunchConfiguration('use_sim_time'), value_type=bool)
    return [
        Node(package='refdiff_ros', executable='tabletop_camera', namespace=camera,
             output='screen', emulate_tty=True, parameters=[parameters],
             ros_arguments=['--log-level', value('log_level') or 'info']),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(Path(__file__).parent / 'refdiff.launch.py')),
            launch_arguments=arguments.items()),
    ]
