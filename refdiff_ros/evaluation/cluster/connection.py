"""Ray, started for one run and stopped after it, or joined at an address."""

from collections.abc import Iterator
import contextlib
import logging
import os
import socket
import sys
from types import ModuleType
from typing import Any

from refdiff_ros.errors import RefDiffError
from refdiff_ros.optional import require_package

LOCAL, RUNNING = 'local', 'auto'
_REACH_S = 10.0
_STARTS = 3
_STORE_BYTES = 100_000_000  # samples and answers are small; the default is a third of the memory
_LOG = logging.getLogger(__name__)


class ClusterError(RefDiffError):
    """Ray cannot be started or reached, or its workers cannot answer."""


def import_ray(address: str) -> ModuleType:
    """The module `ray`, set up to tell nobody of its use and to open nothing to the network.

    Args:
        address: that is going to be connected to.

    Raises:
        MissingPackageError: Ray is not installed.
    """
    # It reads these when it is imported. No report of its use is sent; and a Ray that is started
    # here stays on the loopback device, for which it has a switch under this name alone.
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    if address == LOCAL:
        os.environ.setdefault('RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER', '0')
        os.environ.setdefault('RAY_agent_register_timeout_ms', '120000')
    return require_package('ray', 'ray')


@contextlib.contextmanager
def connected(address: str, workers: int | None = None, logs: bool = False
              ) -> Iterator[ModuleType]:
    """The module `ray`, connected to its processes; they or the connection end with the block.

    While the block lasts, standard output goes to standard error: Ray writes its warnings there.

    Args:
        address: `LOCAL` starts a Ray that only this machine can reach; `RUNNING` joins the one
            that runs on this machine, 'host:port' and 'ray://host:port' one elsewhere.
        workers: how many a local Ray must have room for; its cores at least.
        logs: show what the workers write.

    Raises:
        MissingPackageError: Ray is not installed.
        ClusterError: it cannot be started, or none answers at the address.
    """
    ray = import_ray(address)
    options: dict[str, Any] = {
        'log_to_driver': logs, 'logging_level': 'WARNING' if logs else 'ERROR'}
    if address == LOCAL:
        cores = len(os.sched_getaffinity(0))
        options |= {'num_cpus': max(cores, workers or 0), 'include_dashboard': False,
                    'object_store_memory': _STORE_BYTES}
    with contextlib.redirect_stdout(sys.stderr):
        try:
            _init(ray, address, options)
            yield ray
        finally:
            ray.shutdown()


def _init(ray: ModuleType, address: str, options: dict[str, Any]) -> None:
    # On a busy machine Ray's own processes may miss the 30 s that it gives them to start.
    for left in reversed(range(_STARTS if address == LOCAL else 1)):
        try:
            _reach(address)
            ray.init(address, **options)
            return
        except Exception as error:  # Ray raises even plain ones
            if not left:
                raise ClusterError(_refusal(address, error)) from error
            _LOG.warning('Ray has not started, trying again: %s', error)
        ray.shutdown()


def _reach(address: str) -> None:
    """Nothing, if something listens at an address; Ray itself would try for many minutes."""
    if address not in (LOCAL, RUNNING):
        host, _, port = address.removeprefix('ray://').rpartition(':')
        if not host or not port.isdecimal():
            raise ValueError("this is neither 'auto' nor host:port nor ray://host:port")
        socket.create_connection((host.strip('[]'), int(port)), _REACH_S).close()


def _refusal(address: str, error: Exception) -> str:
    wanted = 'to start Ray' if address == LOCAL else f'a Ray at {address!r}'
    advice = ('look into /tmp/ray/session_latest/logs' if address == LOCAL
              else "start one with 'ray start --head', or leave the address out")
    return f'expected {wanted}, got: {error}; {advice}'
