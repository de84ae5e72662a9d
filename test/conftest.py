"""Gives every test process a ROS graph of its own, before rclpy is imported."""

import os
from pathlib import Path
import signal
import socket
import sys

# Helper modules lie beside the tests.
sys.path.insert(0, str(Path(__file__).parent))


def _claim_domain() -> tuple[int, socket.socket]:
    """A ROS domain that no other test process on this machine uses.

    A bound port is the claim: it goes with the process, however that ends.
    """
    for offset in range(100):
        domain = 1 + (os.getpid() + offset) % 100
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(('127.0.0.1', 51000 + domain))
            return domain, claim
        except OSError:
            claim.close()
    raise RuntimeError('expected a free ROS domain of 1..100, found none: stop other test runs')


_DOMAIN, _CLAIM = _claim_domain()
os.environ['ROS_DOMAIN_ID'] = str(_DOMAIN)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.pop('ROS_LOCALHOST_ONLY', None)

# Two workers on two cores: each with one thread, for torch's own wait busily for each other.
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')

# A run in a shell's background has Ctrl-C ignored, and so would every process that it starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
