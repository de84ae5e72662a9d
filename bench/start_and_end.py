"""What Python's search for cyclic garbage costs a command between its start and its end.

`python bench/start_and_end.py [RUNS]`: processes that load the shipped bundle and end, in turns
with Python's own settings and with those of `refdiff` (`refdiff_ros.ros.processes.heap`). Printed
is the median CPU time of each, in seconds, and their ratio.
"""

import os
import statistics
import subprocess
import sys

_LOAD = """
import refdiff_ros.engine
from refdiff_ros.models.manager import load_bundle
load_bundle('tabletop_mini', device='cpu')
"""
_KINDS = {
    "Python's own": '',
    "refdiff's": 'from refdiff_ros.ros.processes.heap import seldom_searching, skip_last_search\n'
                 'skip_last_search()\nseldom_searching().__enter__()\n'}


def main() -> None:
    """Measure and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds: dict[str, list[float]] = {name: [] for name in _KINDS}
    for _ in range(runs):
        for name, first in _KINDS.items():
            seconds[name].append(_cpu_s(first + _LOAD))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f'{name}: {value:.2f} s')
    own, ours = medians.values()
    print(f'ratio: {own / ours:.2f}')


def _cpu_s(code: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, '-c', code], check=True,
                   env=os.environ | {'OMP_NUM_THREADS': '1'})
    after = os.times()
    return (after.children_user + after.children_system
            - before.children_user - before.children_system)


if __name__ == '__main__':
    main()
