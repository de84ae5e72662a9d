"""A launch_testing module: the node started by refdiff.launch.py under another name and space."""

from pathlib import Path
import unittest

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
import launch_testing.actions
import launch_testing.asserts
from ros_graph import GraphClient, image

LAUNCH = Path(__file__).resolve().parents[1] / 'launch'


def generate_test_description() -> LaunchDescription:
    """Include the launch file with arguments that it must pass on."""
    return LaunchDescription([
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(LAUNCH / 'refdiff.launch.py')),
            launch_arguments={'namespace': 'robot', 'name': 'finder', 'device': 'cpu',
                              'preset': 'paper', 'image': '/camera/color/image_raw',
                              'autostart': 'true'}.items()),
        launch_testing.actions.ReadyToTest(),
    ])


class TestLaunched(unittest.TestCase):
    """While the node runs."""

    def test_arguments_arrive(self):
        """Name, namespace, remapping and parameters are those of the arguments."""
        client = GraphClient('/robot/finder')
        try:
            client.wait_until('active')
            client.wait_for_silence('no publisher on /camera/color/image_raw')
            response = client.call('', image())
            self.assertEqual(response.status, response.mask.BAD_REQUEST)
            self.assertEqual(response.mask.preset, 'paper')
        finally:
            client.close()


@launch_testing.post_shutdown_test()
class TestEnded(unittest.TestCase):
    """After launch has interrupted the node."""

    def test_clean_exit(self, proc_info):
        """Launch calls any other exit status than 0 a crash."""
        launch_testing.asserts.assertExitCodes(proc_info)
