"""`refdiff sim record`: a bag and its labels from the simulated camera."""

import argparse
from pathlib import Path
import re

from refdiff_ros.console import Progress
from refdiff_ros.evaluation.options import positive


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommands."""
    parser = subparsers.add_parser('sim', help='what the simulated tabletop camera sees')
    commands = parser.add_subparsers(required=True, metavar='WHAT')
    record = commands.add_parser(
        'record', help='write a bag and its labels',
        description="Writes an mcap rosbag2 with the simulated camera's topics and a labels file "
        "for 'refdiff evaluate bag'; ROS need not be installed.")
    record.add_argument('--out', type=Path, required=True, metavar='BAG', help='folder, new')
    record.add_argument('--labels', type=Path, required=True, metavar='FILE',
                        help='JSON Lines, new')
    record.add_argument('--scenes', type=positive, default=20, metavar='N',
                        help='frames, each of another scene (default 20)')
    record.add_argument('--seed', type=int, default=0, help='of the first scene (default 0)')
    record.add_argument('--size', type=_size_hw, default=(480, 640), metavar='WIDTHxHEIGHT',
                        help='of the pictures (default 640x480)')
    record.add_argument('--rate', type=float, default=10.0, metavar='HZ',
                        help='frames per second by their stamps (default 10)')
    record.add_argument('--compressed', action='store_true',
                        help='JPEG in place of raw images')
    record.add_argument('--exact-depth', action='store_true',
                        help="depth without a sensor's noise and holes")
    record.add_argument('--several', action='store_true',
                        help="also label expressions that are true of several objects, for "
                        "'refdiff calibrate'")
    record.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record, print how it is evaluated; 0.

    Raises:
        RefDiffError: as `record`.
    """
    # MuJoCo and the scenes take a moment to import.
    from refdiff_ros.evaluation.bags import record
    recording = record.Recording(args.scenes, args.seed, args.size, args.rate, args.compressed,
                                 not args.exact_depth, args.several)
    with Progress('scene', args.scenes) as progress:
        count = record.record(args.out, args.labels, recording, progress.step)
    print(f'{args.scenes} frames in {args.out}, {count} labels in {args.labels}; next:\n'
          f'refdiff evaluate bag {args.out} --labels {args.labels} '
          f'--depth-topic {record.DEPTH_TOPIC} --info-topic {record.INFO_TOPIC}')
    return 0


def _size_hw(text: str) -> tuple[int, int]:
    found = re.fullmatch(r'(\d+)x(\d+)', text)
    if not found:
        raise argparse.ArgumentTypeError(f'expected WIDTHxHEIGHT such as 640x480, got {text!r}')
    return int(found.group(2)), int(found.group(1))
