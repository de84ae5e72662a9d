"""How long a first answer takes now, beside an earlier commit of this repository.

    python bench/since_commit.py --commit 1ff41eb2 --before tabletop_mini --bundle tabletop_wide \
        --split tabletop20_val --half seen --limit 24

Two processes of one core each, one with the package as it was at the commit, answer the same
pictures, 24 without `--limit`, in turns, so that what else the machine does falls on both. Printed
are the medians, and the median of the ratios of neighbours with its 95 % interval (bootstrap over
pictures).
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
import io
import os
from pathlib import Path
import pickle
import subprocess
import sys
import tarfile
import tempfile

from case_options import case_parser
import numpy as np

from refdiff_ros.evaluation.tabletop.cases import cases

_ROOT = Path(__file__).resolve().parents[1]
_WORKER = """
import pickle, sys, time
import torch
torch.set_num_threads(1)
from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.results import Frame
answers, sys.stdout = sys.stdout, sys.stderr
models = load_bundle(sys.argv[1], device='cpu')
engine = Engine(models, resolve_preset(models, 'onboard'))
asked = pickle.load(open(sys.argv[2], 'rb'))
for line in sys.stdin:
    picture, text = asked[int(line)]
    frame, start = Frame(picture.copy()), time.perf_counter()
    engine.segment(frame, text)
    print(time.perf_counter() - start, file=answers, flush=True)
"""


def main() -> None:
    """Measure and print."""
    parser = case_parser(__doc__.splitlines()[0])
    parser.set_defaults(limit=24)
    parser.add_argument('--commit', required=True)
    parser.add_argument('--before', default='tabletop_mini', help='bundle of the commit')
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / 'asked.pickle'
        questions = _questions(args)
        asked.write_bytes(pickle.dumps(questions))
        old = Path(folder) / 'then'
        packed = subprocess.run(['git', 'archive', args.commit], cwd=_ROOT, check=True,
                                stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(old, filter='data')
        with _answering(old, args.before, asked) as then, \
                _answering(_ROOT, args.bundle, asked) as now:
            for ask in (then, now):
                ask(0)  # the first one warms up
            seconds = np.array([[[ask(index) for ask in (then, now)]
                                 for index in range(len(questions))] for _ in range(args.rounds)])
    of_pictures = np.median(seconds, axis=0)  # (pictures, 2)
    for name, value in zip((args.commit, 'now'), np.median(of_pictures, axis=0)):
        print(f'{name}: {value * 1e3:.0f} ms')
    ratios = of_pictures[:, 1] / of_pictures[:, 0]
    drawn = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    print(f'now takes {np.median(ratios):.2f} times as long ({low:.2f} to {high:.2f})')


def _questions(args: argparse.Namespace) -> list[tuple[np.ndarray, str]]:
    """A picture (H, W, 3) and what is asked of it, of as many scenes."""
    found = {scene: (np.ascontiguousarray(view.frame.image_rgb), said.text)
             for view, said, scene in cases(args.split, 2 * args.limit, args.half)}
    return list(found.values())[:args.limit]


@contextmanager
def _answering(tree: Path, bundle: str, asked: Path) -> Iterator[Callable[[int], float]]:
    """A process with the package of `tree`: asked for a question, it tells the seconds."""
    environment = os.environ | {
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': os.pathsep.join([str(tree), os.environ.get('PYTHONPATH', '')])}
    with subprocess.Popen([sys.executable, '-c', _WORKER, bundle, str(asked)], text=True,
                          cwd=tree, env=environment, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        def ask(index: int) -> float:
            process.stdin.write(f'{index}\n')
            process.stdin.flush()
            return float(process.stdout.readline())
        yield ask
        process.stdin.close()


if __name__ == '__main__':
    main()
