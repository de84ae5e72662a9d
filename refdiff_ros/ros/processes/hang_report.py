"""Says in /diagnostics why a node was ended that could not say it itself.

    python -m refdiff_ros.ros.processes.hang_report NODE_NAME [--ros-args ...]

Started by the guard a moment before it ends the node. It gets ready, then reads one line: what to
report. Without a line there is nothing to report.
"""

import os
import signal
import sys
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import rclpy

# How long it repeats the report once somebody listens, how long it waits for that, and how often
# it says it.
_REPEAT_S, _ALONE_S, _EVERY_S = 2.0, 10.0, 0.2
# Where the middleware waits for a node that was killed, the kernel ends this process.
_MOST_S = 20


def main() -> None:
    """Wait for the line, publish it."""
    rclpy.init(args=sys.argv[2:])
    node = rclpy.create_node('refdiff_hang_report', start_parameter_services=False)
    publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
    reason = sys.stdin.readline().strip()
    signal.alarm(_MOST_S)
    report = DiagnosticArray(status=[DiagnosticStatus(
        name=f'{sys.argv[1]}: answers', level=DiagnosticStatus.ERROR, message=reason)])
    end_s, is_heard = time.monotonic() + _ALONE_S, False
    while reason and time.monotonic() < end_s:
        if not is_heard and publisher.get_subscription_count():
            is_heard, end_s = True, time.monotonic() + _REPEAT_S
        report.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(report)
        time.sleep(_EVERY_S)
    # Taken apart in order, the middleware may wait for the node that was killed.
    os._exit(0)


if __name__ == '__main__':
    main()
