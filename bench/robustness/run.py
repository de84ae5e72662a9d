"""Every row of docs/reliability.md, measured again; one table.

    . tools/env.sh && python3 bench/robustness/run.py --minutes 5
    python3 bench/robustness/run.py --minutes 60 --only soak

Each row runs in a process and on a ROS graph of its own, for so many minutes at most; rows that
count rounds end with the last of them. `--list` names the rows.
"""

import argparse
import importlib
import json
from pathlib import Path
import subprocess
import sys
import tempfile
import time

FOLDER = Path(__file__).resolve().parent
# Rows, and the helpers of the benchmarks and of the tests.
sys.path[:0] = [str(FOLDER), str(FOLDER.parent), str(FOLDER.parents[1] / 'test')]

# How much longer than its minutes a row may take to start and end.
_GRACE_S = 600.0


def main() -> int:
    """Run the rows, print the table; 1 when one did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=5.0, help='for each row, at most')
    parser.add_argument('--only', nargs='+', choices=names(), default=names(), metavar='ROW')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, help='JSON file')
    parser.add_argument('--list', action='store_true', help='name the rows and their goals')
    parser.add_argument('--here', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.list:
        for name in args.only:
            print(f'{name:24} {row(name).name}: {row(name).goal}')
        return 0
    if args.here:
        measure_here(args)
        return 0
    results = [measure(name, args) for name in args.only]
    table(results)
    if args.out:
        args.out.write_text(json.dumps(results, indent=1) + '\n')
    return 0 if all(result['held'] for result in results) else 1


def names() -> list[str]:
    """Modules in `rows/`, by name."""
    return sorted(path.stem for path in (FOLDER / 'rows').glob('[a-z]*.py'))


def row(name: str):
    """The row of one module."""
    return importlib.import_module(f'rows.{name}').ROW


def measure(name: str, args: argparse.Namespace) -> dict:
    """One row, in a process of its own."""
    print(f'{name}: begins', flush=True)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, 'row.json')
        command = [sys.executable, __file__, '--only', name, '--here', str(written),
                   '--minutes', str(args.minutes), '--seed', str(args.seed)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            process.wait(args.minutes * 60 + _GRACE_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
        outcome = json.loads(written.read_text()) if written.exists() else {
            'figure': f'no figure: the measurement ended with status {process.returncode}',
            'held': False, 'details': {}}
    outcome |= {'row': name, 'minutes': round((time.monotonic() - began_s) / 60, 1),
                'name': row(name).name, 'goal': row(name).goal}
    print(f'{name}: {outcome["figure"]} ({outcome["minutes"]} min)', flush=True)
    return outcome


def measure_here(args: argparse.Namespace) -> None:
    """One row in this process, its outcome into a file."""
    import node_bench
    from row import Effort

    node_bench.claim_domain()
    outcome = row(args.only[0]).measure(Effort(args.minutes * 60, args.seed))
    args.here.write_text(json.dumps(vars(outcome)) + '\n')


def table(results: list[dict]) -> None:
    """As Markdown."""
    print('\n| what | goal | measured | minutes | held |\n|---|---|---|---|---|')
    for each in results:
        print(f'| {each["name"]} | {each["goal"]} | {each["figure"]} | {each["minutes"]} | '
              f'{"yes" if each["held"] else "no"} |')


if __name__ == '__main__':
    sys.exit(main())
