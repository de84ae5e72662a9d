"""Start a node, spin it on several threads, end it in good order."""

from collections.abc import Callable, Sequence
import gc
import logging
import os
import re
import signal
import sys
import threading
import time
from typing import Any, NoReturn

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.signals import SignalHandlerOptions

from refdiff_ros.errors import RefDiffError
from refdiff_ros.models.blas import use_one_blas_thread
from refdiff_ros.ros.log_repeats import RepeatFilter
from refdiff_ros.ros.processes.guard import Guard

_LOG = logging.getLogger(__name__)

# One for a transition that loads, one for the timers, one for what comes in, one to spare.
_THREADS = 4
# What ending may take, seconds: launch sends SIGTERM after five.
_END_S = 4.5
# One Ctrl-C comes twice below a launch file: from the terminal and from launch.
_SAME_S = 1.0
# How often to look whether a signal came that woke another thread.
_LOOK_S = 0.05


def run(make_node: Callable[[], Any], args: Sequence[str] | None = None,
        threads: int = _THREADS) -> int:
    """Spin the node until SIGINT or SIGTERM; a stage of an answer that runs is finished first.

    A second signal, a second or more after the first, ends the process at once.

    Once ROS runs, this does not return. After a signal, which is how a node is ended on purpose,
    the process ends with status 0 (launch calls any other a crash), and with 2 where the node
    cannot be made from its parameters. A node that has a method `guarded_by` is given a `Guard`
    and a function that ends the process with another status; the guard ends it where a step holds
    the interpreter.

    Args:
        make_node: gives an rclpy node that has a method `stop` to end its work.
        args: of the command line, as for `rclpy.init`.
        threads: that callbacks may run on.

    Returns:
        2 when the arguments cannot be read.
    """
    try:
        rclpy.init(
            args=None if args is None else list(args),
            signal_handler_options=SignalHandlerOptions.NO)
    except rclpy_implementation.RCLError as error:
        print(f'refdiff: the node cannot start: {_arguments_fault(error)}', file=sys.stderr)
        return 2
    ended = _Ended()
    node = _made(make_node)
    if node is None:
        gc.collect()  # what there is of the node: others hear at once that it is gone
        rclpy.try_shutdown()
        return _end(2)
    if hasattr(node, 'guarded_by'):
        name = node.get_fully_qualified_name()
        node.guarded_by(Guard(name, _reporter(name)).board, ended.fail)
    handler = _ToRosLog(node.get_logger())
    handler.addFilter(RepeatFilter())
    logging.getLogger('refdiff_ros').addHandler(handler)
    logging.getLogger('refdiff_ros').setLevel(logging.INFO)
    executor = MultiThreadedExecutor(threads)
    executor.add_node(node)
    use_one_blas_thread()
    spinner = threading.Thread(target=_spin, args=(executor, ended), daemon=True)
    spinner.start()
    status = ended.wait()
    node.get_logger().info(
        'ending: the running stage is finished first, if that takes no longer than 3 s; a second '
        'Ctrl-C ends at once')
    _end_after(_END_S, status)
    node.stop()
    rclpy.try_shutdown()
    spinner.join(1.0)
    node.destroy_node()  # others hear at once that it is gone
    return _end(status)


def _made(make_node: Callable[[], Any]) -> Any | None:
    """The node; None, and a line about it, where it cannot be made."""
    try:
        return make_node()
    except (InvalidParameterTypeException, InvalidParameterValueException,
            RefDiffError, rclpy_implementation.RCLError) as error:
        print(f'refdiff: the node cannot start: {_without_places(error)}', file=sys.stderr)
        return None


def _end(status: int) -> NoReturn:
    """End the process now.

    Taking the interpreter and the models' libraries apart takes seconds, on a busy machine more
    than the five after which launch kills. It can end in a crash as well: threads of the
    middleware may still run then.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _end_after(seconds: float, status: int) -> None:
    """End the process then, whatever hinders it until then."""
    timer = threading.Timer(seconds, os._exit, (status,))
    timer.daemon = True
    timer.start()


def _reporter(name: str) -> list[str]:
    # Where this package is found by PYTHONPATH, which it inherits, or is installed.
    return [sys.executable, '-m', 'refdiff_ros.ros.processes.hang_report', name]


def _arguments_fault(error: Exception) -> str:
    """What is wrong with '--ros-args', with what to do about it."""
    text = _without_places(error).removeprefix('failed to initialize rcl: ')
    if text.startswith('SECURITY ERROR'):
        return f'expected what ROS_SECURITY_ENABLE asks for, got: {text}. See SECURITY.md'
    hint = ''
    if 'ros__parameters' in text:
        hint = ". A params file has its values below the node's name and 'ros__parameters:'"
    elif 'remap rule' in text:
        hint = '. A topic has no spaces in its name'
    return f'expected ROS arguments that can be read, got: {text}{hint}'


def _without_places(error: Exception) -> str:
    """What an error of rcl says, without where in its sources that was."""
    return re.sub(r',? at /\S+:\d+', '', str(error))


class _ToRosLog(logging.Handler):
    """What the core logs, in the node's log."""

    def __init__(self, logger: RcutilsLogger):
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on, its traceback included."""
        # rclpy ties a severity to the line that it is called from: one line for each.
        text = f'{record.name}: {self.format(record)}'
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


class _Ended:
    """Waits for the first signal; a later one ends the process at once."""

    def __init__(self):
        self._event = threading.Event()
        self._first_s = float('inf')
        self._status = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)

    def set(self) -> None:
        """End without a signal."""
        self._event.set()

    def fail(self, status: int) -> None:
        """End without a signal, with this exit status."""
        self._status = status
        self._event.set()

    def wait(self) -> int:
        """Until a signal comes, or `set` or `fail` is called; the exit status."""
        # Looks again and again: Python handles signals on this thread alone, and of two signals
        # at once another thread may take both, so that nothing wakes this one.
        while self._first_s == float('inf') and not self._event.wait(_LOOK_S):
            pass
        return self._status

    def _signalled(self, number: int, _frame: object) -> None:
        # Takes no lock: a second signal may come while this runs.
        now_s = time.monotonic()
        if now_s - self._first_s > _SAME_S:
            os._exit(128 + number)
        self._first_s = min(self._first_s, now_s)


def _spin(executor: MultiThreadedExecutor, ended: _Ended) -> None:
    while rclpy.ok():
        try:
            executor.spin_once()
        except ExternalShutdownException:
            break
        except Exception:  # one bad callback must not end the node
            if not rclpy.ok():
                break
            _LOG.exception('a callback failed; the node goes on')
    ended.set()
