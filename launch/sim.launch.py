"""The simulated tabletop camera and the refdiff node on its topics.

    ros2 launch refdiff_ros sim.launch.py
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

CAMERA = '/camera'
_PASSED_ON = ('params_file', 'bundle', 'preset', 'device', 'web_port', 'autostart')


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start both nodes."""
    seed = ParameterValue(LaunchConfiguration('seed'), value_type=int)
    topics = {'image': f'{CAMERA}/color/image_raw', 'depth': f'{CAMERA}/depth/image_raw',
              'camera_info': f'{CAMERA}/color/camera_info'}
    return LaunchDescription([
        DeclareLaunchArgument('seed', default_value='0', description='Seed of the scene.'),
        *(DeclareLaunchArgument(name, default_value='', description='As in refdiff.launch.py.')
          for name in _PASSED_ON),
        Node(package='refdiff_ros', executable='tabletop_camera', namespace=CAMERA,
             output='screen', emulate_tty=True, parameters=[{'seed': seed}]),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(Path(__file__).parent / 'refdiff.launch.py')),
            launch_arguments={**{name: LaunchConfiguration(name) for name in _PASSED_ON},
                              **topics}.items()),
    ])
