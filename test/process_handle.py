"""Signals to processes that are not the test's children."""

from collections.abc import Callable
import os
import signal


def signal_process(pid: int, number: int, is_meant: Callable[[int], bool]) -> None:
    """Send a signal to a process, if it still is the one that was meant.

    A handle is taken before that is looked at: should the process end in between, its number may
    be another one's, and the signal still reaches nobody else.

    Args:
        pid: the process's id.
        number: of the signal.
        is_meant: whether the process of that id is the one.
    """
    handle = os.pidfd_open(pid)
    try:
        if not is_meant(pid):
            raise AssertionError(f'process {pid} is another one by now')
        signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
