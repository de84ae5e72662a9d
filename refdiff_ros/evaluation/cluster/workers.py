"""Several processes answer a run's samples, one picture a process at a time."""

import argparse
from collections.abc import Callable, Iterator, Sequence
import contextlib
import itertools
import os
import sys

from refdiff_ros.evaluation.cluster.connection import ClusterError, connected, LOCAL
from refdiff_ros.evaluation.cluster.plan import plan_workers
from refdiff_ros.evaluation.cluster.worker import Worker
from refdiff_ros.evaluation.cluster.worker_pool import Crew
from refdiff_ros.evaluation.output import some
from refdiff_ros.evaluation.run import Answer
from refdiff_ros.evaluation.runs.loaded import Loaded
from refdiff_ros.evaluation.sample import Sample

_RETRIES = 1  # of a picture that its worker did not survive
_NAMED = 20


class Workers:
    """Answers with a crew; see `runs.answering.Answering`."""

    def __init__(self, crew: Crew):
        self._crew = crew
        self.loaded: Loaded = crew.loaded

    def answer(self, samples: Sequence[Sample], on_answer: Callable[[Answer], None]) -> None:
        """As `Answering.answer`; the answers to a picture come together, pictures in any order.

        Raises:
            ClusterError: some samples have no answer: no worker survived them, or none is left.
        """
        # All of one picture go to one worker, which keeps what belongs to the picture.
        pictures = [list(group) for _, group in itertools.groupby(
            samples, key=lambda sample: sample.image_id)]

        def on_result(answers: Sequence[Answer]) -> None:
            for answer in answers:
                on_answer(answer)

        lost = [pictures[row] for row in self._crew.answer(pictures, on_result)]
        if lost:
            names = [picture[0].image_id for picture in lost]
            raise ClusterError(
                f'expected answers to all pictures, got none to {sum(map(len, lost))} expressions '
                f'of {len(lost)} pictures ({some(names, _NAMED)}): workers died of each of them '
                f'{2 * (_RETRIES + 1)} times; give them more memory, and run the same command '
                'again to go on')


@contextlib.contextmanager
def ray_workers(args: argparse.Namespace, samples: Sequence[Sample]) -> Iterator[Workers]:
    """Workers on Ray, at work when the first of them has loaded; they end with the block.

    Args:
        args: the options of `refdiff evaluate dataset`, with paths that hold on every node.
        samples: that are going to be asked.

    Raises:
        MissingPackageError: Ray is not installed.
        ClusterError: no Ray, or no worker can be used.
    """
    pictures = len({sample.image_id for sample in samples})
    output = sys.stdout
    with connected(args.ray, args.workers, args.verbose) as ray:
        threads = os.environ.get('OMP_NUM_THREADS', '')
        plan = plan_workers(ray.nodes(), args.device, args.workers, pictures,
                            int(threads) if threads.isdecimal() else None)
        where = 'this machine' if args.ray == LOCAL else f'the Ray at {args.ray}'
        print(f'starting {plan} on {where}', file=sys.stderr)
        actor = ray.remote(Worker).options(
            num_cpus=plan.cores, num_gpus=int(plan.device == 'cuda'), max_restarts=-1,
            max_task_retries=_RETRIES, scheduling_strategy='SPREAD',
            runtime_env={'env_vars': {'OMP_NUM_THREADS': str(plan.threads)}})
        options = argparse.Namespace(**{**vars(args), 'device': plan.device, 'run': None})
        folders = [path for path in (args.root, args.images) if path is not None]
        crew = Crew(ray, [actor.remote(options, folders) for _ in range(plan.workers)])
        if crew.loaded.notice:
            print(f'NOTE: {crew.loaded.notice}', file=output, flush=True)
        yield Workers(crew)
