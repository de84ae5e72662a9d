"""A launch_testing module: the simulated camera and the node started by sim.launch.py."""

import itertools
import json
from pathlib import Path
import unittest

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
import launch_testing.actions
import launch_testing.asserts
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_graph import GraphClient, wait_for
from std_msgs.msg import String

LAUNCH = Path(__file__).resolve().parents[1] / 'launch'
SEED = 5


def generate_test_description() -> LaunchDescription:
    """Include the launch file with arguments that it must pass on."""
    return LaunchDescription([
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(LAUNCH / 'sim.launch.py')),
            launch_arguments={'seed': str(SEED), 'device': 'cpu'}.items()),
        launch_testing.actions.ReadyToTest(),
    ])


class TestLaunched(unittest.TestCase):
    """While both nodes run."""

    def test_a_frame_of_the_camera_is_answered(self):
        """The node finds the camera's image, depth and intrinsics, and answers on them."""
        client, laid = GraphClient(), []
        try:
            client.node.create_subscription(
                String, '/camera/tabletop_camera/objects', laid.append,
                QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
            client.wait_until('active')
            wait_for(lambda: laid)
            truth = json.loads(laid[0].data)
            self.assertEqual(truth['seed'], SEED)
            texts = itertools.cycle(said['text'] for said in truth['expressions'])

            def answered():
                # Until depth and intrinsics have come too, the frame is not stale, and the object
                # is one that the node finds.
                response = client.call(next(texts))
                return response if response.grasp.pose_status == response.grasp.POSE_VALID \
                    else None
            response = wait_for(
                answered, message=lambda: str(client.diagnosis('answers')))
            self.assertEqual(response.mask.header.frame_id, 'camera_color_optical_frame')
            self.assertEqual(response.mask.bundle, 'tabletop_mini')
            self.assertEqual(
                (response.mask.mask.height, response.mask.mask.width), (480, 640))
            self.assertTrue(0.2 < response.grasp.pose.position.z < 2.0)
        finally:
            client.close()


@launch_testing.post_shutdown_test()
class TestEnded(unittest.TestCase):
    """After launch has interrupted both nodes."""

    def test_clean_exit(self, proc_info):
        """Launch calls any other exit status than 0 a crash."""
        self.assertEqual(len(proc_info.process_names()), 2)
        launch_testing.asserts.assertExitCodes(proc_info)
