"""The refdiff node on a camera driver's topics, named by the driver's package.

    ros2 launch refdiff_ros hardware.launch.py driver:=realsense2_camera

Start the driver itself with its own launch file, so that depth is registered to the colour image:
realsense2_camera with align_depth.enable:=true, orbbec_camera with depth_registration:=true;
depthai_ros_driver and zed_wrapper register by default, and usb_cam has no depth. ros_gz_bridge
bridges an rgbd_camera of Gazebo; time then comes from /clock.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

# Topics below the camera's name: image, depth, camera_info ('' for none), and the name that the
# driver gives its camera by default.
DRIVERS = {
    'realsense2_camera': ('/camera/camera', 'color/image_raw',
                          'aligned_depth_to_color/image_raw', 'color/camera_info'),
    'depthai_ros_driver': ('/oak', 'rgb/image_raw', 'stereo/image_raw', 'rgb/camera_info'),
    'orbbec_camera': ('/camera', 'color/image_raw', 'depth/image_raw', 'color/camera_info'),
    'usb_cam': ('', 'image_raw', '', 'camera_info'),
    # As from version 5 of the wrapper on.
    'zed_wrapper': ('/zed/zed_node', 'rgb/color/rect/image', 'depth/depth_registered',
                    'rgb/color/rect/camera_info'),
    'ros_gz_bridge': ('/rgbd_camera', 'image', 'depth_image', 'camera_info'),
}
# Arguments that a driver brings with it, unless they are given.
_OF_DRIVER = {'ros_gz_bridge': {'use_sim_time': 'true'}, 'zed_wrapper': {'rectified': 'true'}}
_PASSED_ON = ('namespace', 'params_file', 'bundle', 'preset', 'device', 'web_port', 'autostart',
              'image_transport', 'rectified', 'use_sim_time', 'log_level', 'respawn',
              'step_timeout')


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and include refdiff.launch.py."""
    return LaunchDescription([
        DeclareLaunchArgument('driver', choices=list(DRIVERS),
                              description="The camera driver's package."),
        DeclareLaunchArgument('camera', default_value='',
                              description="The camera's name as the driver was given it, "
                                          "such as '/camera/left'; empty for its default."),
        *(DeclareLaunchArgument(name, default_value='', description='As in refdiff.launch.py.')
          for name in _PASSED_ON),
        OpaqueFunction(function=_include),
    ])


def topics(driver: str, camera: str = '') -> dict[str, str]:
    """The topics of a driver for the arguments image, depth and camera_info."""
    prefix, *names = DRIVERS[driver]
    prefix = camera.rstrip('/') or prefix
    found = zip(('image', 'depth', 'camera_info'), names, strict=True)
    return {role: f'{prefix}/{name}' for role, name in found if name}


def _include(context: LaunchContext) -> list[IncludeLaunchDescription]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    brought = _OF_DRIVER.get(value('driver'), {})
    arguments = {name: value(name) or brought.get(name, '') for name in _PASSED_ON}
    arguments.update(topics(value('driver'), value('camera')))
    return [IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).parent / 'refdiff.launch.py')),
        launch_arguments=arguments.items())]
