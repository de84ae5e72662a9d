"""The client of the pick server, where its own thread fails."""

import pytest
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from refdiff_ros.errors import RefDiffError
from refdiff_ros.pick.ros.client import PickClient

_TIMEOUT_S = 100.0


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_a_wait_ends_with_the_thread_that_would_end_it():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('broken_gripper', context=context)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = node.create_publisher(String, 'broken/tabletop_gripper/objects', latched)
    publisher.publish(String(data='no JSON'))
    try:
        with PickClient('broken') as client, pytest.raises(RefDiffError, match='has ended'):
            client.trigger('stop', _TIMEOUT_S)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
