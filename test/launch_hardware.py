"""A launch_testing module: the node on a driver's topics, started by hardware.launch.py."""

from pathlib import Path
import unittest

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
import launch_testing.actions
import launch_testing.asserts
from ros_graph import GraphClient, image, wait_for

LAUNCH = Path(__file__).resolve().parents[1] / 'launch'


def generate_test_description() -> LaunchDescription:
    """Include the launch file for a driver whose camera has a name of its own."""
    return LaunchDescription([
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(LAUNCH / 'hardware.launch.py')),
            launch_arguments={'driver': 'realsense2_camera', 'camera': '/arm/wrist',
                              'bundle': 'untrained_mini', 'device': 'cpu'}.items()),
        launch_testing.actions.ReadyToTest(),
    ])


class TestLaunched(unittest.TestCase):
    """While the node runs, and the test stands in for the driver."""

    def test_the_topics_are_the_drivers(self):
        """What is published on the driver's image topic is answered."""
        client = GraphClient()
        try:
            client.wait_until('active')
            wait_for(lambda: 'image topic' in client.diagnosis('inputs')[1])
            inputs = client.diagnosis('inputs')[1]
            self.assertEqual(
                {role: inputs[f'{role} topic'] for role in ('image', 'depth', 'camera_info')},
                {'image': '/arm/wrist/color/image_raw',
                 'depth': '/arm/wrist/aligned_depth_to_color/image_raw',
                 'camera_info': '/arm/wrist/color/camera_info'})
            sent = image()

            def answered():
                client.publish('/arm/wrist/color/image_raw', sent)
                response = client.call('the red box')
                return response if response.mask.header == sent.header else None
            response = wait_for(answered)
            self.assertEqual(response.mask.bundle, 'untrained_mini')
            self.assertEqual((response.mask.mask.height, response.mask.mask.width), (96, 128))
        finally:
            client.close()


@launch_testing.post_shutdown_test()
class TestEnded(unittest.TestCase):
    """After launch has interrupted the node."""

    def test_clean_exit(self, proc_info):
        """Launch calls any other exit status than 0 a crash."""
        launch_testing.asserts.assertExitCodes(proc_info)
