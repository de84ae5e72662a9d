"""Gives every test process a ROS graph of its own, and says where the logs of its nodes are."""

from collections import Counter
from collections.abc import Generator
from contextlib import suppress
import faulthandler
import functools
import gc
import os
from pathlib import Path
import random
import re
import shutil
import signal
import sys
import threading
import time
import traceback
from typing import Any
import zlib

import pytest

# Helper modules lie beside the tests.
sys.path.insert(0, str(Path(__file__).parent))

from refdiff_ros.ros.processes import private_domain
from refdiff_ros.ros.processes.heap import seldom_searching, skip_last_search

_ROOT = Path(__file__).resolve().parents[1]
# Files that take longest, in this order. They come first, so that no worker is left with one at
# the end; one of three mostly waits, the others compute.
_LONG = tuple(f'test/{name}' for name in (
    'ros/test_hanging_steps', 'pick/ros/test_server.py', 'evaluation/calibrating/test_cli',
    'ros/test_node_start_and_end', 'follow/ros/test_server.py', 'evaluation/cluster/test_run',
    'ros/web/test_strangers', 'sim/test_scenes', 'benchmark/test_cli',
    'ros/test_mask_tracker', 'evaluation/cluster/', 'demo/test_demo', 'project/'))
# Where the logs of the last runs are, and how many runs that is.
_LOGS, _KEPT_RUNS = _ROOT / 'out' / 'test_logs', 12
# The folder of this run; workers and who repeats runs hand it on.
_RUN_VARIABLE = 'REFDIFF_TEST_LOGS'
# Python's own time limit cannot end a test that waits inside C: this much later the process ends.
_GRACE_S = 30.0
_EXIT_S = 120.0

# Before rclpy is imported: it reads them once. The claim lasts as long as the process.
_DOMAIN, _CLAIM = private_domain.claim_domain()
os.environ.update(private_domain.environment(_DOMAIN))
os.environ.pop('ROS_LOCALHOST_ONLY', None)

# Of several workers each has one thread, for torch's own wait busily for each other; and only a
# process of one thread can be forked (`warm_start`). What the caller's shell says does not count.
os.environ['OMP_NUM_THREADS'] = '1'

# A run in a shell's background has Ctrl-C ignored, and so would every process that it starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _guarded(send: Any) -> Any:
    """`os.kill` or `os.killpg` for single processes and groups alone.

    0 and -1 mean pytest's own group and every process of the user: a number that was read wrongly
    must not end pytest, make, and whoever started them.
    """
    @functools.wraps(send)
    def guarded(number: int, sent: int) -> None:
        if number < 2:
            raise ValueError(
                f'expected the id of one process, above 1, got {number}: it would reach pytest '
                'itself and who started it')
        send(number, sent)
    return guarded


os.kill, os.killpg = _guarded(os.kill), _guarded(os.killpg)


# Order

def pytest_addoption(parser: pytest.Parser) -> None:
    """`--shuffle SEED`."""
    parser.addoption('--shuffle', type=int, metavar='SEED', help='run the test files in a random '
                     'order, the same for the same seed; the order within a file stays')


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main() -> Generator[None, object, object]:
    """Search seldom for garbage: the tests make many models."""
    with seldom_searching():
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffle the files where that is asked for, else begin with the long ones.

    The others come in an order that mixes rooms, for of some the tests wait, of others they count.
    """
    seed = config.getoption('shuffle')
    if seed is not None:
        items[:] = shuffled_by_file(items, seed)
    else:
        items.sort(key=lambda item: (_place(item.nodeid), zlib.crc32(
            item.nodeid.partition('::')[0].encode())))


def _place(test: str) -> int:
    """Of its file among the long ones, the others after them."""
    return next((k for k, name in enumerate(_LONG) if test.startswith(name)), len(_LONG))


def shuffled_by_file(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """The tests with their files in another order, the order within each file kept."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition('::')[0], []).append(item)
    order = sorted(files)
    random.Random(seed).shuffle(order)
    return [item for name in order for item in files[name]]


def pytest_collection_finish() -> None:
    """What was imported until now stays: nobody searches it for garbage again."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> str | None:
    """The seed of the order."""
    seed = config.getoption('shuffle')
    return None if seed is None else f'order of files: --shuffle {seed}'


# Logs of nodes

def pytest_configure(config: pytest.Config) -> None:
    """A folder for this run's logs; those of old runs go."""
    if _RUN_VARIABLE not in os.environ:
        os.environ[_RUN_VARIABLE] = str(_LOGS / f'{time.strftime("%Y%m%d-%H%M%S")}-{os.getpid()}')
        _LOGS.mkdir(parents=True, exist_ok=True)
        for old in sorted(path for path in _LOGS.iterdir() if path.is_dir())[:1 - _KEPT_RUNS]:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(os.environ[_RUN_VARIABLE])
    folder.mkdir(parents=True, exist_ok=True)
    skip_last_search()
    # Not the standard error, which pytest keeps to itself.
    config.hang_file = (folder / f'hang_{os.getpid()}.txt').open('w')
    config.left_out = 0


def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that does not end must not hold up who waits for this process."""
    faulthandler.dump_traceback_later(_EXIT_S, exit=True, file=config.hang_file)


def log_folder(nodeid: str) -> Path:
    """`test/ros/test_node.py::test_a[1]` has `<run>/ros/test_node/test_a_1`."""
    file, _, name = nodeid.partition('::')
    inside = (part for part in Path(file).with_suffix('').parts if part != 'test')
    return Path(os.environ[_RUN_VARIABLE], *inside,
                re.sub(r'[^\w.-]+', '_', name).strip('_')[:80])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What a test and its fixtures start logs into a folder of the test."""
    folder = log_folder(item.nodeid)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ['ROS_LOG_DIR'] = str(folder)
    item.began_s = time.time()
    try:
        return (yield)
    finally:
        with suppress(OSError):  # there is something in it
            folder.rmdir()


@pytest.fixture(autouse=True)
def _nothing_stays_on_the_graph() -> Generator[None, None, None]:
    """What a test, unlike its module's fixtures, has started ends with it, failed or not."""
    graph = sys.modules.get('ros_graph')
    count = graph.started() if graph else 0
    yield
    if graph := sys.modules.get('ros_graph'):
        graph.end_all_since(count)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport,
                                                              pytest.TestReport]:
    """The report of a failed test names the logs of the nodes that ran meanwhile."""
    report = yield
    if report.failed:
        report.user_properties.append(('logs', _logs_of(item)))
    return report


def _logs_of(item: pytest.Item) -> list[str]:
    """Of the test itself, and of its file where something was written since it began."""
    own = log_folder(item.nodeid)
    found = []
    for folder in own.parent.iterdir():
        with suppress(FileNotFoundError):  # another worker has just removed it, being empty
            found += [_relative(path) for path in folder.glob('*.log')
                      if folder == own or path.stat().st_mtime >= item.began_s]
    return sorted(found)


def _relative(path: Path) -> str:
    return str(path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path)


# The time limit

def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """In place of pytest-timeout's own: the failure carries every thread's stack."""
    def expired(_number: int, _frame: object) -> None:
        pytest.fail(f'not done in {settings.timeout:g} s, the time limit. Every thread:\n'
                    f'{stacks()}')

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        faulthandler.cancel_dump_traceback_later()
    item.cancel_timeout = cancel
    signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    faulthandler.dump_traceback_later(
        settings.timeout + _GRACE_S, exit=True, file=item.config.hang_file)
    return True


def stacks() -> str:
    """Every thread's name and stack."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return '\n'.join(
        f'--- {names.get(number, number)}\n{"".join(traceback.format_stack(frame, 15))}'
        for number, frame in sys._current_frames().items())


# The last lines

def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what is left out by its mark."""
    if items:
        items[0].config.left_out += sum(item.get_closest_marker('slow') is not None
                                        for item in items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has counted; each counts the same."""
    node.config.left_out = getattr(node, 'workeroutput', {}).get('left_out', 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """After everything else: what failed, where its logs are, and what was skipped and why."""
    config = session.config
    if hasattr(config, 'workeroutput'):
        config.workeroutput['left_out'] = config.left_out
    result = yield
    terminal = config.pluginmanager.get_plugin('terminalreporter')
    if terminal is not None and not config.option.collectonly:
        for line in last_lines(terminal.stats, config.left_out):
            terminal.write_line(line)
    return result


def last_lines(stats: dict[str, list], left_out: int) -> list[str]:
    """Failed tests with the logs of their nodes, stacks of what hung, and what was skipped."""
    lines = []
    for report in (*stats.get('failed', ()), *stats.get('error', ())):
        lines.append(f'did not pass: {report.nodeid}')
        properties = dict(getattr(report, 'user_properties', ()))
        lines += [f'    log: {name}' for name in properties.get('logs', ())]
    lines += [f'    stacks of what hung: {_relative(path)}'
              for path in sorted(Path(os.environ[_RUN_VARIABLE]).glob('hang_*.txt'))
              if path.stat().st_size]
    reasons = Counter(_reason(report) for report in stats.get('skipped', ()))
    told = [f'{count} skipped ({reason})' for reason, count in sorted(reasons.items())]
    if left_out:
        told.append(f'{left_out} marked slow left out (-m slow runs them)')
    return [*lines, '; '.join(told) or 'nothing was skipped']


def _reason(report: Any) -> str:
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix('Skipped: ')


# What tests of several rooms use. The models are real ones, small, with random weights; modules
# are imported when they are asked for, since most tests need neither torch nor ROS.


@pytest.fixture(scope='module')
def clip() -> Any:
    """CLIP."""
    from tiny_models import tiny_clip
    return tiny_clip()


@pytest.fixture(scope='module')
def models() -> Any:
    """All models of an engine."""
    from tiny_models import tiny_model_set
    return tiny_model_set()


@pytest.fixture(scope='module')
def frame() -> Any:
    """A picture of 8 by 6 coloured squares."""
    import numpy as np

    from refdiff_ros.results import Frame
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((12, 12, 1))).astype(np.uint8)
    return Frame(image)


@pytest.fixture
def client() -> Generator[Any, None, None]:
    """A client of the node, for one test."""
    from ros_graph import GraphClient
    client = GraphClient()
    yield client
    client.close()


@pytest.fixture(scope='module')
def gates(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Where a node's stages can be held up."""
    from ros_graph import Gates
    return Gates(tmp_path_factory.mktemp('gates'))
