"""A manager's half of a bond with the node 'refdiff': says when it hears the other half.

Prints 'formed' with the first heartbeat, 'broken' when the node says that it is no longer active,
and 'silent' when no heartbeat has come for four seconds. Runs until its input ends.
"""

import os
import sys
import threading
import time

from bond.msg import Status
import rclpy
from rclpy.qos import QoSProfile


def main() -> None:
    rclpy.init()
    node = rclpy.create_node('lifecycle_manager')
    heard = {'last_s': 0.0, 'instance': ''}

    def take(status: Status) -> None:
        if status.id != 'refdiff' or status.instance_id == 'manager':
            return
        if not status.active:
            if heard['last_s']:
                print('broken', flush=True)
            heard['last_s'] = 0.0
            return
        if not heard['last_s']:
            print('formed', flush=True)
        heard['last_s'] = time.monotonic()

    def beat() -> None:
        publisher.publish(Status(id='refdiff', instance_id='manager', active=True,
                                 heartbeat_timeout=4.0, heartbeat_period=0.25))
        if heard['last_s'] and time.monotonic() - heard['last_s'] > 4.0:
            heard['last_s'] = 0.0
            print('silent', flush=True)
    publisher = node.create_publisher(Status, '/bond', QoSProfile(depth=5))
    node.create_subscription(Status, '/bond', take, QoSProfile(depth=100))
    node.create_timer(0.25, beat)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print('ready', flush=True)
    rclpy.spin(node)


if __name__ == '__main__':
    main()
