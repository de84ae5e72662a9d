"""`refdiff evaluate html`: a report from the JSON of one run or two; `--html` in a run itself."""

import argparse
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from refdiff_ros.errors import BadRequestError

if TYPE_CHECKING:
    from refdiff_ros.engine import Engine
    from refdiff_ros.evaluation.html.gallery import Gallery


def add_html(commands: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = commands.add_parser(
        'html', help='a report from the JSON of a run, or of two side by side',
        description='Writes one HTML file that needs nothing else. Pictures of cases are in the '
        "reports that a run itself writes ('refdiff evaluate tabletop --html FILE').")
    parser.add_argument('run_json', type=Path, metavar='RUN.json', help="written by '--json'")
    parser.add_argument('other_json', type=Path, metavar='OTHER.json', nargs='?',
                        help='a second run of the same questions, compared with the first')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE')
    parser.set_defaults(run=run_html)


def add_html_option(parser: argparse.ArgumentParser) -> None:
    """The option of a run to write its report, pictures included."""
    parser.add_argument('--html', type=Path, metavar='FILE',
                        help='write a report, with pictures of the worst, the best and some '
                        'middle cases, as one HTML file')


def run_html(args: argparse.Namespace) -> int:
    """Write the report; 0.

    Raises:
        RefDiffError: a file is not what a run wrote, or the report cannot be written.
    """
    from refdiff_ros.evaluation.html.cases import read_run
    from refdiff_ros.evaluation.html.page import write_report
    for path in (args.run_json, args.other_json):
        if path is not None and path.resolve() == args.out.resolve():
            raise BadRequestError(f'expected another file for the report, got {args.out} for both')
    other = None if args.other_json is None else read_run(args.other_json)
    write_report(args.out, read_run(args.run_json), other)
    print(f'wrote {args.out}')
    return 0


def open_gallery(path: Path | None, engine: 'Engine') -> 'Gallery | None':
    """What collects pictures during a run; None where no report is asked for.

    Raises:
        MissingPackageError: pictures cannot be drawn for want of a package.
    """
    if path is None:
        return None
    from refdiff_ros.evaluation.html.gallery import Gallery
    return Gallery(engine)


def finish_report(path: Path | None, written: dict[str, Any], gallery: 'Gallery | None') -> None:
    """Write a run's report where one is asked for.

    Args:
        path: None for no report.
        written: what `--json` writes.
        gallery: as from `open_gallery`.

    Raises:
        RefDiffError: it cannot be written.
    """
    if path is None:
        return
    from refdiff_ros.evaluation.html.cases import as_run
    from refdiff_ros.evaluation.html.page import write_report
    asked = [str(written[name]) for name in ('what', 'bag', 'split', 'bundle', 'preset', 'mode')
             if written.get(name)]
    write_report(path, as_run(written, ', '.join(asked)), gallery=gallery)
    print(f'wrote {path}', file=sys.stderr)
