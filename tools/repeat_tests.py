#!/usr/bin/env python3
"""Run the test suite again and again, and name each test that did not pass every time.

    . tools/env.sh && python3 tools/repeat_tests.py 5 --busy 3 -- -m "not slow"
    make repeat RUNS=5 BUSY=3

Each run has another order of the test files (its seed is printed, and `pytest --shuffle SEED`
gives the same order again) and keeps its output in the folder that is named at the end. Nothing is
tried twice: a test that fails once in ten runs is listed. The exit status is 0 only when every
test passed or was skipped in every run.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import dataclass, field
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = Path(__file__).resolve().parents[1]
_OUT = ROOT / 'out' / 'repeat'
_PYTEST = ('-q', '-n', '3', '--dist', 'loadfile', '--no-loadscope-reorder')
# Uses a core until it is told to end, or is alone.
_BUSY = 'import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(10**6))'
_STACKS_S = 20.0


@dataclass
class Run:
    """One run of the suite.

    Attributes:
        number, seed: which one, and of its order.
        status: exit status of pytest; negative when a signal ended it.
        seconds: wall time.
        outcomes: 'passed', 'skipped', 'failed' or 'error' by test; empty where pytest was ended
            before it wrote its report.
        folder: of its output.
    """

    number: int
    seed: int
    status: int
    seconds: float
    folder: Path
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether pytest says so, and each test."""
        return self.status == 0 and bool(self.outcomes) and not self.bad

    @property
    def bad(self) -> list[str]:
        """Tests that neither passed nor were skipped."""
        return sorted(name for name, how in self.outcomes.items() if how in ('failed', 'error'))


def read_report(path: Path) -> dict[str, str]:
    """How each test of a JUnit report ended; nothing where there is no whole report."""
    try:
        cases = ElementTree.parse(path).iter('testcase')
    except (OSError, ElementTree.ParseError):
        return {}
    outcomes = {}
    for case in cases:
        name = f'{case.get("classname")}::{case.get("name")}'
        kinds = {child.tag for child in case}
        if 'failure' in kinds:
            outcomes[name] = 'failed'
        elif 'error' in kinds:
            outcomes[name] = 'error'
        elif 'skipped' in kinds:
            outcomes[name] = 'skipped'
        else:
            outcomes.setdefault(name, 'passed')
    return outcomes


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that leave nobody a core for itself."""
    processes = [subprocess.Popen([sys.executable, '-S', '-c', _BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run_once(number: int, seed: int, folder: Path, limit_s: float, pytest: Sequence[str]) -> Run:
    """Run the suite once, its output in a file; ended with every stack after `limit_s`."""
    folder.mkdir(parents=True)
    report = folder / 'report.xml'
    command = [sys.executable, '-m', 'pytest', *_PYTEST, '--shuffle', str(seed),
               f'--junitxml={report}', f'--basetemp={folder / "tmp"}',
               '-o', 'tmp_path_retention_policy=failed', *pytest]
    began_s = time.monotonic()
    with (folder / 'output.txt').open('w') as output:
        print(' '.join(command), file=output, flush=True)
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, 'PYTHONFAULTHANDLER': '1',
                 'REFDIFF_TEST_LOGS': str(folder / 'logs')})
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            status = _end(process)
        except BaseException:
            _end(process)
            raise
    return Run(number, seed, status, time.monotonic() - began_s, folder, read_report(report))


def _end(process: subprocess.Popen) -> int:
    """End a run that hangs: pytest writes every thread's stack when it is told to abort."""
    for sent in (signal.SIGABRT, signal.SIGKILL):
        os.killpg(process.pid, sent)
        try:
            return process.wait(_STACKS_S)
        except subprocess.TimeoutExpired:
            continue
    return process.wait()


def table(runs: Sequence[Run]) -> str:
    """A line for each run, then each test that did not pass every time."""
    lines = ['run      seed  status  seconds  passed  skipped  not passed']
    for run in runs:
        count = Counter(run.outcomes.values())
        lines.append(f'{run.number:3}  {run.seed:8}  {run.status:6}  {run.seconds:7.0f}  '
                     f'{count["passed"]:6}  {count["skipped"]:7}  {len(run.bad):10}')
    where: dict[str, list[int]] = defaultdict(list)
    for run in runs:
        for name in run.bad:
            where[name].append(run.number)
    for name, numbers in sorted(where.items(), key=lambda item: (-len(item[1]), item[0])):
        lines.append(f'{len(numbers)} of {len(runs)} did not pass: {name} '
                     f'(run {", ".join(map(str, numbers))})')
    lines += [f'run {run.number} ended with status {run.status} and names no test: '
              f'see {run.folder / "output.txt"}'
              for run in runs if not run.is_good and not run.bad]
    good = sum(run.is_good for run in runs)
    lines.append(f'{good} of {len(runs)} runs were good')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and report.

    Returns:
        0 when every run was good, 130 when it was interrupted, else 1.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0], epilog='What follows -- goes to pytest.')
    parser.add_argument('runs', type=int, nargs='?', default=10, help='how often (default 10)')
    parser.add_argument('--busy', type=int, default=0, metavar='K',
                        help='processes that keep the cores busy meanwhile (default 0)')
    parser.add_argument('--seed', type=int, help='of the first order; the next one is one more')
    parser.add_argument('--limit', type=float, default=3600.0, metavar='S',
                        help='seconds after which a run is ended (default 3600)')
    given = list(sys.argv[1:] if argv is None else argv)
    cut = given.index('--') if '--' in given else len(given)
    args, pytest = parser.parse_args(given[:cut]), given[cut + 1:]
    if args.runs < 1 or args.busy < 0:
        parser.error(f'expected at least one run and no less than 0 busy processes, got '
                     f'{args.runs} and {args.busy}')
    first = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    out = _OUT / f'{time.strftime("%Y%m%d-%H%M%S")}-{os.getpid()}'
    print(f'{args.runs} runs with {args.busy} busy processes beside them; outputs in {out}',
          flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs = []
    with contextlib.suppress(KeyboardInterrupt), busy(args.busy):
        for number in range(1, args.runs + 1):
            run = run_once(number, first + number - 1, out / f'run{number}', args.limit, pytest)
            runs.append(run)
            print(f'run {number}, seed {run.seed}: status {run.status}, {run.seconds:.0f} s, '
                  f'{len(run.bad)} did not pass', flush=True)
    text = table(runs)
    (out / 'table.txt').write_text(text + '\n')
    print(f'\n{text}\noutputs: {out}')
    if len(runs) < args.runs:
        print(f'interrupted after {len(runs)} of {args.runs} runs')
        return 130
    return 0 if all(run.is_good for run in runs) else 1


if __name__ == '__main__':
    sys.exit(main())
