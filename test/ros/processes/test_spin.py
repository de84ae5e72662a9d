"""How a spun node ends."""

from ros_graph import NodeProcess

# Signals that another thread takes, as the kernel may choose where two come at once: the main
# thread, on which Python handles them, sleeps on.
_SIGNALLED_ELSEWHERE = """
import signal
import sys
import threading
from rclpy.node import Node
from refdiff_ros.ros.processes.spin import run


class Lone(Node):
    def __init__(self):
        super().__init__('lone')
        threading.Timer(1.0, self.signalled).start()

    def signalled(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.pthread_kill(threading.get_ident(), number)

    def stop(self):
        print('stopped', flush=True)


sys.exit(run(Lone))
"""


def test_signals_that_wake_another_thread_end_the_node(tmp_path):
    script = tmp_path / 'lone.py'
    script.write_text(_SIGNALLED_ELSEWHERE)
    node = NodeProcess(script=script)
    assert node.wait(30.0) == 0
    assert 'ending: the running stage' in node.output
    assert 'stopped' in node.output
