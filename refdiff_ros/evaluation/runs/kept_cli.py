"""`refdiff evaluate compare` and `table`: what runs that were kept come to."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys

from refdiff_ros.console import some, to_json
from refdiff_ros.evaluation.runs.paper_tables import TABLES

_NAMED = 5
_LEGEND = """\
B - A: mean difference of the IoU, pair by pair; 95 %: its bootstrap interval, pictures drawn
whole. t, p: paired t-test, two-sided, which takes pairs for independent. Of many rows some have
a small p by chance."""


def add_compare(commands: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = commands.add_parser(
        'compare', help='two runs of the same samples, with a paired t-test',
        description="Of folders that 'refdiff evaluate dataset --out' wrote, matched by sample. "
        'The last line of the output is a JSON object with every figure.')
    parser.add_argument('run_a', type=Path, metavar='RUN_A')
    parser.add_argument('run_b', type=Path, metavar='RUN_B')
    parser.add_argument('--unfinished', action='store_true',
                        help='compare what there is of runs that lack answers')
    parser.set_defaults(run=run_compare)


def run_compare(args: argparse.Namespace) -> int:
    """Print which of two runs is better, whether that is chance, and the JSON line; 0.

    Raises:
        RefDiffError: a run cannot be read, lacks answers, or shares no sample with the other.
    """
    from refdiff_ros.evaluation.runs.compare import compared, comparison_table, pair_runs
    from refdiff_ros.evaluation.runs.folder import read_run
    runs = [read_run(path, args.unfinished) for path in (args.run_a, args.run_b)]
    found = compared(pair_runs(*runs))
    for name, run in zip('AB', runs, strict=True):
        print(f'{name}: {run.path} ({run.question})')
        _warn(f'samples that only {name} has', found[f'only_{name.lower()}'])
    _warn('samples that one of them could not read', found['unscored'])
    print(f'{comparison_table(found)}\n{_LEGEND}')
    told = {name.lower(): {'run': str(run.path), **run.question.summary()}
            for name, run in zip('AB', runs, strict=True)}
    print(to_json({'what': 'compare', **told, **found}), flush=True)
    return 0


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


def _warn(what: str, names: Sequence[str]) -> None:
    if names:
        print(f'left out, {what}: {len(names)} ({some(names, _NAMED)})', file=sys.stderr)
