"""TCP ports that nobody else takes between choosing and listening."""

import itertools
import os
import socket

# Below the ports that Linux hands out to any program.
_FIRST, _EACH = 20000, 100
_count = itertools.count()


def free_port() -> int:
    """A port that nobody listens on, and that no other test process is given.

    The ports of a test process belong to its ROS domain, which is its own (see `conftest`).
    """
    first = _FIRST + _EACH * int(os.environ['ROS_DOMAIN_ID'])
    for _ in range(_EACH):
        port = first + next(_count) % _EACH
        with socket.socket() as listener:
            # A server that is being ended leaves connections, which are no hindrance to the next.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(('127.0.0.1', port))
            except OSError:
                continue
            return port
    raise RuntimeError(f'expected a free port from {first} on, found none: end other test runs')
