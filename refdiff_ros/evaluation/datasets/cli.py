"""`refdiff evaluate check`: is a data set's folder complete?"""

import argparse
from pathlib import Path

from refdiff_ros.evaluation.datasets.published import PUBLISHED

_NAMES_SHOWN = 5


def add_check(commands: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = commands.add_parser(
        'check', help='count a data set against its published size',
        description='Counts pictures, masks and expressions, and names what is missing. The exit '
        'status is 0 if the folder is complete, 1 if not.')
    parser.add_argument('dataset', metavar='DATASET', choices=list(PUBLISHED),
                        help=f'one of {", ".join(PUBLISHED)}')
    parser.add_argument('--root', type=Path, required=True, metavar='DIR',
                        help="the data set's folder, in its own layout")
    parser.add_argument('--images', type=Path, metavar='DIR',
                        help='the pictures, where they are not under --root')
    parser.add_argument('--split', nargs='+', default=[], metavar='SPLIT',
                        help='only these; default: all')
    parser.add_argument('--all', action='store_true', help='name everything that is missing, not '
                        f'only the first {_NAMES_SHOWN}')
    parser.set_defaults(run=run_check)


def run_check(args: argparse.Namespace) -> int:
    """Print the counts, then one line a problem; 0 if there is none, else 1.

    Raises:
        RefDiffError: no such split, or a package is missing.
    """
    from refdiff_ros.evaluation.datasets.check import check_dataset
    found = check_dataset(args.dataset, args.root, args.split, args.images)
    print(f'{args.dataset} in {args.root}: found / published')
    print(f'{"split":<8}{"pictures":>18}{"masks":>18}{"expressions":>18}')
    for each in found.counts:
        pairs = zip((each.found.images, each.found.masks, each.found.expressions),
                    (each.published.images, each.published.masks, each.published.expressions))
        print(f'{each.split:<8}' + ''.join(f'{f"{got} / {all_of}":>18}' for got, all_of in pairs))
    for problem in found.problems:
        print(problem.line(None if args.all else _NAMES_SHOWN))
    print('complete' if found.complete else 'not complete')
    return 0 if found.complete else 1
