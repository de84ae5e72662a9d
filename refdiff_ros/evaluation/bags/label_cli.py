"""`refdiff label`: start a labels file from a bag."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refdiff_ros.console import Progress
from refdiff_ros.errors import BadRequestError, error_text, MissingPackageError
from refdiff_ros.evaluation.bags.cli import add_frame_options
from refdiff_ros.evaluation.options import add_models, read_request
from refdiff_ros.evaluation.request import load_engine, RunRequest
from refdiff_ros.language.valid_text import valid_text
from refdiff_ros.presets import Mode

if TYPE_CHECKING:
    from refdiff_ros.evaluation.bags.frames import RecordedFrame
    from refdiff_ros.evaluation.bags.pairing import Index, Picture

Lines = Callable[['RecordedFrame'], Iterator[str]]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'label', help="start a labels file for 'refdiff evaluate bag'",
        description="Writes stills of a bag's images and a line of labels for each. With "
        '--expression the model answers, and its masks are there to be corrected: such lines have '
        'the source "model" and are not evaluated until somebody has changed that.')
    parser.add_argument('bag', type=Path, help='rosbag2 folder, or .mcap, .db3 or .bag file')
    parser.add_argument('--topic', required=True, help='image topic, raw or compressed')
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument('--stamps', nargs='+', metavar='STAMP',
                        help='seconds with a point, or whole nanoseconds')
    chosen.add_argument('--every', type=float, metavar='SECONDS',
                        help='one image each so many seconds')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE',
                        help='labels as JSON Lines, new')
    parser.add_argument('--stills', type=Path, required=True, metavar='DIR',
                        help='folder for PNGs')
    parser.add_argument('--expression', action='append', default=[], metavar='TEXT',
                        type=valid_text, help='have the model answer it on each image; repeatable')
    add_frame_options(parser)
    add_models(parser)
    parser.add_argument('--mode', default='full', choices=[mode.value for mode in Mode])
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write stills and labels.

    Returns:
        0, or 1 when an image could not be read or answered (it is named and left out).

    Raises:
        RefDiffError: the bag, the stamps or the bundle cannot be used, or the labels are there
            already.
    """
    from refdiff_ros.evaluation.bags.frames import read_frames
    from refdiff_ros.evaluation.bags.label_drafts import parse_stamp
    from refdiff_ros.evaluation.bags.labels import write_labels
    from refdiff_ros.evaluation.bags.pairing import index_bag, Topics
    from refdiff_ros.evaluation.bags.reading import Bag
    request = read_request(RunRequest, args)
    stamps = [parse_stamp(text) for text in args.stamps or ()]
    if args.out.exists():
        raise BadRequestError(f'expected a new labels file, but {args.out} is there already and '
                              'may have been corrected: take another name')
    with Bag(args.bag) as bag:
        index = index_bag(bag, Topics((args.topic,), args.depth_topic, args.info_topic,
                                      args.sync_tolerance, args.rectified))
        pictures = _chosen(args, index, stamps)
        lines_of = _lines(args, request)
        failed: list[Picture] = []

        def lines() -> Iterator[str]:
            for recorded in read_frames(bag, index, pictures):
                try:
                    yield from lines_of(recorded)
                except MissingPackageError:
                    raise
                except Exception as error:  # one bad picture must not end the others
                    progress.say(f'left out: {error_text(error)}')
                    failed.append(recorded.picture)
                progress.step()

        with Progress('image', len(pictures)) as progress:
            write_labels(args.out, lines())
    done = len(pictures) - len(failed)
    print(f'{done} of {len(pictures)} images in {args.stills}, their labels in {args.out}; '
          + ('correct each mask and set its "source" to who did' if args.expression else
             'fill in each expression and mask'))
    return 1 if failed else 0


def _chosen(
    args: argparse.Namespace, index: 'Index', stamps: Sequence[int],
) -> Sequence['Picture']:
    from refdiff_ros.evaluation.bags.label_drafts import at_intervals, at_stamps
    if args.every is not None:
        return at_intervals(index, args.every)
    return list(dict.fromkeys(at_stamps(index, args.topic, stamps)))


def _lines(args: argparse.Namespace, request: RunRequest) -> Lines:
    """What makes the lines of one image; the models are loaded where they answer."""
    from refdiff_ros.evaluation.bags.label_drafts import answered_lines, Stills, unfilled_lines
    stills = Stills(args.stills)
    if not args.expression:
        return lambda recorded: unfilled_lines(recorded, args.topic, stills)
    engine = load_engine(request)
    texts = list(dict.fromkeys(args.expression))
    return lambda recorded: answered_lines(recorded, args.topic, stills, engine, texts)
