"""The node that follows orders, with a simulated gripper or on your robot.

    ros2 launch refdiff_ros follow.launch.py                    # simulation
    ros2 launch refdiff_ros follow.launch.py robot:=hardware follow_params_file:=my_robot.yaml \
        image:=/camera/color/image_raw depth:=/camera/aligned_depth/image_raw \
        camera_info:=/camera/color/camera_info

Then: ros2 topic pub -1 /from_human std_msgs/msg/String '{data: put the can on the plate}'
"""

from collections.abc import Callable
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

GRIPPER = '/robot'
ROOT = Path(__file__).resolve().parents[1]
_PASSED_ON = ('params_file', 'bundle', 'preset', 'device', 'web_port', 'autostart',
              'image_transport', 'rectified', 'use_sim_time', 'log_level', 'respawn',
              'step_timeout')
# What the node that follows is told as well.
_SHARED = ('rectified', 'use_sim_time')
_TOPICS = ('image', 'depth', 'camera_info')
_ROBOT = ('target_pose', 'gripper_command', 'current_pose', 'joint_states')


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the nodes."""
    return LaunchDescription([
        DeclareLaunchArgument('robot', default_value='sim', choices=['sim', 'hardware'],
                              description='A simulated gripper, or your own robot.'),
        DeclareLaunchArgument('seed', default_value='3', description='Seed of the scene.'),
        DeclareLaunchArgument(
            'follow_params_file', default_value='',
            description='Parameters of refdiff_follow; empty takes config/follow_sim.yaml or '
                        'config/follow_hardware.yaml.'),
        *(DeclareLaunchArgument(name, default_value='',
                                description='Topic of your camera, with robot:=hardware.')
          for name in _TOPICS),
        *(DeclareLaunchArgument(name, default_value='', description='As in refdiff.launch.py.')
          for name in _PASSED_ON),
        OpaqueFunction(function=_start),
    ])


def _start(context: LaunchContext) -> list:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    simulated = value('robot') == 'sim'
    camera = {'image': f'{GRIPPER}/color/image_raw', 'depth': f'{GRIPPER}/depth/image_raw',
              'camera_info': f'{GRIPPER}/color/camera_info'} if simulated else {
        name: value(name) for name in _TOPICS if value(name)}
    default = ROOT / 'config' / f'follow_{value("robot")}.yaml'
    parameters: list = [value('follow_params_file') or str(default)]
    remaps = [(name, topic) for name, topic in camera.items() if name != 'image']
    nodes = []
    if simulated:
        seed = int(value('seed'))
        parameters.append({'camera_in_base': _camera_in_base(seed)})
        remaps += [(name, f'{GRIPPER}/{name}') for name in _ROBOT]
        nodes.append(Node(
            package='refdiff_ros', executable='tabletop_gripper', namespace=GRIPPER,
            output='screen', emulate_tty=True,
            parameters=[{'seed': seed}, *_flags(value, 'use_sim_time')],
            ros_arguments=['--log-level', value('log_level') or 'info']))
    return [*nodes, Node(
        package='refdiff_ros', executable='follow_server', output='screen', emulate_tty=True,
        parameters=[*parameters, *_flags(value, *_SHARED)], remappings=remaps,
        ros_arguments=['--log-level', value('log_level') or 'info'],
        respawn=value('respawn').lower() in ('true', '1', 'yes'), respawn_delay=2.0),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(Path(__file__).parent / 'refdiff.launch.py')),
            launch_arguments={**{name: value(name) for name in _PASSED_ON}, **camera}.items())]


def _flags(value: Callable[[str], str], *names: str) -> list[dict]:
    """The parameters of these names that are given."""
    return [{name: ParameterValue(LaunchConfiguration(name), value_type=bool)}
            for name in names if value(name)]


def _camera_in_base(seed: int) -> list[float]:
    from refdiff_ros.sim.gripper_sim import camera_in_base
    from refdiff_ros.sim.worlds import table_scene

    pose = camera_in_base(table_scene(seed).view)
    return [*map(float, pose.position), *map(float, pose.orientation)]
