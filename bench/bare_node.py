"""A node that receives an image and publishes a mask of its size, and does nothing else.

`node_overhead.py` runs it beside the refdiff node: what it takes, rclpy and DDS take.
"""

from contextlib import suppress
import sys

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from refdiff_ros.ros.conversions import mask_message


def main(transport: str, height: int, width: int) -> None:
    """Serve until SIGINT; images of `height` x `width` come 'raw' or 'compressed'."""
    rclpy.init()
    node = rclpy.create_node('bare')
    publisher = node.create_publisher(Image, '~/mask', 5)
    mask = np.zeros((height, width), bool)
    kind, topic = (Image, 'image') if transport == 'raw' else (CompressedImage, 'image/compressed')
    node.create_subscription(
        kind, topic, lambda msg: publisher.publish(mask_message(mask, msg.header)),
        QoSProfile(depth=5))
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
