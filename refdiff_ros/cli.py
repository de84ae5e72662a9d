"""The `refdiff` command. Each subcommand lives beside what it runs and is imported when asked."""

import argparse
from collections.abc import Sequence
import importlib
import io
import logging
import os
import signal
import sys

from refdiff_ros.errors import RefDiffError
from refdiff_ros.ros.log_repeats import RepeatFilter
from refdiff_ros.ros.processes.heap import seldom_searching, skip_last_search

# Subcommands that pass their arguments through to rclpy unread ('--ros-args ...').
_NODES = {
    'node': ('refdiff_ros.ros.node', 'start the refdiff node (takes --ros-args ...)'),
    'camera': ('refdiff_ros.sim.camera_node',
               'start the simulated tabletop camera (takes --ros-args ...)'),
    'pick-server': ('refdiff_ros.pick.ros.server',
                    'start the action server that picks (takes --ros-args ...)'),
    'follow-server': ('refdiff_ros.follow.ros.server',
                      'start the action server that follows orders (takes --ros-args ...)'),
    'gripper': ('refdiff_ros.sim.gripper_node',
                'start the simulated gripper (takes --ros-args ...)'),
    'truth': ('refdiff_ros.sim.truth_node',
              "start the stand-in that answers with the simulator's true masks "
              '(takes --ros-args ...)'),
}
# What only a ROS installation and the built workspace bring.
_OF_ROS = (
    'builtin_interfaces', 'diagnostic_msgs', 'geometry_msgs', 'lifecycle_msgs', 'rcl_interfaces',
    'rclpy', 'refdiff_ros.action', 'refdiff_ros.msg', 'refdiff_ros.srv', 'sensor_msgs',
    'std_msgs', 'std_srvs', 'visualization_msgs')
# Modules with `add_parser(subparsers)`.
_COMMANDS = (
    'refdiff_ros.segment_cli',
    'refdiff_ros.language.instruction.cli',
    'refdiff_ros.models.cli',
    'refdiff_ros.demo.cli',
    'refdiff_ros.pick.demo_cli',
    'refdiff_ros.pick.eval_cli',
    'refdiff_ros.follow.demo_cli',
    'refdiff_ros.follow.eval_cli',
    'refdiff_ros.evaluation.cli',
    'refdiff_ros.evaluation.calibrating.cli',
    'refdiff_ros.benchmark.cli',
    'refdiff_ros.evaluation.bags.record_cli',
    'refdiff_ros.evaluation.bags.label_cli',
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `refdiff`; returns the exit status: 0 done, 1 answered 'no', 2 could not be done."""
    skip_last_search()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in _NODES:
        return _run_node(arguments)
    for stream in (sys.stdout, sys.stderr):  # whatever a file or a caller calls things
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    args = build_parser().parse_args(arguments)
    handler = logging.StreamHandler()
    handler.addFilter(RepeatFilter())
    # Where the caller has handlers of his own, those stay as they are.
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.WARNING, handlers=[handler],
        format='%(levelname)s %(name)s: %(message)s')
    try:
        with seldom_searching():
            status = args.run(args)
        sys.stdout.flush()
        return status
    except RefDiffError as error:
        print(f'refdiff: {error}', file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, as `head`, has seen enough
        # Python writes what is left at its end, and would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 130


def _run_node(arguments: list[str]) -> int:
    name, _ = _NODES[arguments[0]]
    # Until the node is made and handles them itself; what it is made of takes a second to import.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_quietly)
    try:
        with seldom_searching():
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith(_OF_ROS):
            raise
        print(f"refdiff: expected ROS 2 and the built workspace, but '{error.name}' cannot be "
              "imported: run 'make setup' and '. tools/env.sh', or source your ROS workspace",
              file=sys.stderr)
        return 2
    # rclpy takes the program's name first.
    return module.main([f'refdiff {arguments[0]}', *arguments[1:]]) or 0


def _end_quietly(_number: int, _frame: object) -> None:
    # By an exception it would end in a traceback of whatever is imported.
    os._exit(0)


def build_parser() -> argparse.ArgumentParser:
    """The parser of every subcommand; those that are nodes take no options here."""
    parser = argparse.ArgumentParser(
        prog='refdiff', description='Segments whatever a sentence refers to (Ref-Diff).')
    parser.add_argument('-v', '--verbose', action='store_true', help='log what is done')
    subparsers = parser.add_subparsers(required=True, metavar='COMMAND')
    for name, (_, text) in _NODES.items():
        subparsers.add_parser(name, help=text, add_help=False)
    for module in _COMMANDS:
        importlib.import_module(module).add_parser(subparsers)
    return parser


if __name__ == '__main__':
    sys.exit(main())
