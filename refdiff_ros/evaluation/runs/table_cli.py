"""`refdiff evaluate table`: the paper's tables, published and measured."""

import argparse
from pathlib import Path

from refdiff_ros.evaluation.runs.paper_tables import TABLES


def add_table(commands: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = commands.add_parser(
        'table', help="the paper's tables, with what was measured beside what was published",
        description="Measured figures are those of the run folders given ('refdiff evaluate "
        "dataset --out'); without any, every place says 'not measured'.")
    parser.add_argument('number', type=int, choices=sorted(TABLES), metavar='NUMBER',
                        help=f'of the table: {", ".join(map(str, sorted(TABLES)))}')
    parser.add_argument('runs', nargs='*', type=Path, metavar='RUN_DIR', help='finished runs')
    parser.add_argument('--markdown', action='store_true', help='for a document')
    parser.set_defaults(run=run_table)


def run_table(args: argparse.Namespace) -> int:
    """Print the table; 0.

    Raises:
        RefDiffError: a run cannot be read or lacks answers, or two are of one place.
    """
    from refdiff_ros.evaluation.runs.folder import read_run
    from refdiff_ros.evaluation.runs.table_layout import as_markdown, as_text, fill_table
    filled = fill_table(TABLES[args.number], [read_run(path) for path in args.runs])
    print(as_markdown(filled) if args.markdown else as_text(filled))
    return 0
