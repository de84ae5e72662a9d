"""Says in /diagnostics why a node was ended that could not say it itself.

    python -m refdiff_ros.ros.processes.hang_report NODE_NAME [--ros-args ...]

Started by the guard a moment before it ends the node. It gets ready, then reads one line: what to
report. Without a line there is nothing to report.
"""

import sys
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import rclpy

# How long it repeats the report, so that who listens has found the publisher.
_REPEAT_S = 2.0
_EVERY_S = 0.2


def main() -> int:
    """Wait for the line, publish it."""
    rclpy.init(args=sys.argv[2:])
    node = rclpy.create_node('refdiff_hang_report', start_parameter_services=False)
    publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
    reason = sys.stdin.readline().strip()
    end_s = time.monotonic() + (_REPEAT_S if reason else 0.0)
    while time.monotonic() < end_s:
        report = DiagnosticArray(status=[DiagnosticStatus(
            name=f'{sys.argv[1]}: answers', level=DiagnosticStatus.ERROR, message=reason)])
        report.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(report)
        time.sleep(_EVERY_S)
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
