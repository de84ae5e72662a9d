"""A ROS graph of one's own on this machine."""

import os
import socket

from refdiff_ros.errors import RefDiffError

# Domains above 101 may collide with the ports that Linux hands out to any program.
_DOMAINS = range(1, 101)
_FIRST_PORT = 51000


def claim_domain() -> tuple[int, socket.socket]:
    """A ROS domain that nobody else who asks this function uses.

    Returns:
        The domain's number and the claim: a bound UDP port, which lasts until it is closed or
        the process ends, however that happens.

    Raises:
        RefDiffError: every domain is claimed.
    """
    for offset in range(len(_DOMAINS)):
        domain = _DOMAINS[(os.getpid() + offset) % len(_DOMAINS)]
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(('127.0.0.1', _FIRST_PORT + domain))
            return domain, claim
        except OSError:
            claim.close()
    raise RefDiffError(
        f'expected a free ROS domain of {_DOMAINS[0]}..{_DOMAINS[-1]}, found none: '
        'end other demos or test runs')


def environment(domain: int) -> dict[str, str]:
    """What puts a process on that domain, with discovery on this machine only."""
    return {'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
