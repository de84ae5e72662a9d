"""A ROS graph of one's own on this machine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import socket
import weakref

from refdiff_ros.errors import RefDiffError

# Domains above 101 may collide with the ports that Linux hands out to any program. Those from 97
# to 100 are left to whoever asks for one by its number.
_DOMAINS = range(1, 97)
_FIRST_PORT = 51000
# DDS: a domain's participants listen on UDP ports from 7400 + 250 * domain on.
_DDS_FIRST_PORT, _DDS_PORTS = 7400, 250
_claims: 'weakref.WeakSet[socket.socket]' = weakref.WeakSet()


def claim_domain(domains: Sequence[int] = _DOMAINS) -> tuple[int, socket.socket]:
    """A ROS domain that nobody else on this machine uses.

    Nobody who asks this function is given the same one, and no program of any origin listens on
    its ports: nodes of a killed test run or a robot's own graph stay alone.

    Args:
        domains: those to choose from, each in 1..101.

    Returns:
        The domain's number and the claim: a bound UDP port, which lasts until it is closed here
        and in every process that was given `claim_descriptors`, however those end.

    Raises:
        RefDiffError: each of `domains` is taken.
    """
    for offset in range(len(domains)):
        domain = domains[(os.getpid() + offset) % len(domains)]
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(('127.0.0.1', _FIRST_PORT + domain))
        except OSError:
            claim.close()
            continue
        # Looked at once the claim is ours: who asks later cannot come in between.
        if _somebody_listens(domain):
            claim.close()
            continue
        _claims.add(claim)
        return domain, claim
    raise RefDiffError(
        f'expected a free ROS domain of {domains[0]}..{domains[-1]}, found none: '
        'end other demos or test runs')


def claim_descriptors() -> tuple[int, ...]:
    """File descriptors of this process's claims, for `pass_fds` of a process that is started.

    A process on a claimed domain holds the claim too: it may outlive who started it.
    """
    return tuple(claim.fileno() for claim in _claims if claim.fileno() >= 0)


def environment(domain: int) -> dict[str, str]:
    """What puts a process on that domain, with discovery on this machine only."""
    return {'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


@contextmanager
def enter_domain() -> Iterator[int]:
    """Put this process, and what it starts, on a claimed domain of its own.

    To be entered before anything of ROS is started here: it reads the environment once. SIGTERM
    becomes a KeyboardInterrupt from then on, so that what was started is ended then too.

    Yields:
        The domain's number.

    Raises:
        RefDiffError: every domain is taken.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    domain, claim = claim_domain()
    os.environ.update(environment(domain))
    os.environ.pop('ROS_LOCALHOST_ONLY', None)
    with claim:
        yield domain


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _somebody_listens(domain: int) -> bool:
    """Whether a DDS participant of that domain runs in this network namespace (Linux)."""
    first = _DDS_FIRST_PORT + _DDS_PORTS * domain
    return any(first <= port < first + _DDS_PORTS for port in _bound_udp_ports())


def _bound_udp_ports() -> list[int]:
    """Of IPv4, as the kernel lists them: 'sl local_address ...', the address as HEX:PORT."""
    try:
        lines = Path('/proc/net/udp').read_text().splitlines()[1:]
    except OSError:
        return []  # not Linux: the claims alone decide
    return [int(line.split()[1].rpartition(':')[2], 16) for line in lines]
