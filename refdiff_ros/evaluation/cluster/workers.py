"""Answerer of many processes: a pool of Ray workers, one picture a worker at a time."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
from dataclasses import replace
import itertools
import os
import sys

from refdiff_ros.console import some
from refdiff_ros.errors import require
from refdiff_ros.evaluation.cluster.connection import ClusterError, connected, LOCAL
from refdiff_ros.evaluation.cluster.sizing import plan_workers
from refdiff_ros.evaluation.cluster.worker import Worker
from refdiff_ros.evaluation.cluster.worker_pool import WorkerPool
from refdiff_ros.evaluation.request import DatasetRequest
from refdiff_ros.evaluation.run import Answer, Sample
from refdiff_ros.evaluation.runs.record import Loaded

_RETRIES = 1  # of a picture that its worker did not survive
_NAMED = 20


class Workers:
    """Answers with a pool; see `runs.answerer.Answerer`."""

    def __init__(self, pool: WorkerPool):
        self._pool = pool
        self.loaded: Loaded = pool.loaded

    def answer(self, samples: Sequence[Sample], on_answer: Callable[[Answer], None]) -> None:
        """As `Answerer.answer`; the answers to a picture come together, pictures in any order.

        Raises:
            ClusterError: some samples have no answer: no worker survived them, or none is left.
        """
        # All of one picture go to one worker, which keeps what belongs to the picture.
        pictures = [list(group) for _, group in itertools.groupby(
            samples, key=lambda sample: sample.image_id)]

        def on_result(answers: Sequence[Answer]) -> None:
            for answer in answers:
                on_answer(answer)

        lost = [pictures[row] for row in self._pool.answer(pictures, on_result)]
        if lost:
            names = [picture[0].image_id for picture in lost]
            raise ClusterError(
                f'expected answers to all pictures, got none to {sum(map(len, lost))} expressions '
                f'of {len(lost)} pictures ({some(names, _NAMED)}): workers died of each of them '
                f'{2 * (_RETRIES + 1)} times; give them more memory, and run the same command '
                'again to go on')


@contextlib.contextmanager
def ray_workers(request: DatasetRequest, samples: Sequence[Sample]) -> Iterator[Workers]:
    """Workers on Ray, at work when the first of them has loaded; they end with the block.

    Args:
        request: what is asked, with paths that hold on every node.
        samples: that are going to be asked.

    Raises:
        MissingPackageError: Ray is not installed.
        ClusterError: no Ray, or no worker can be used.
    """
    pictures = len({sample.image_id for sample in samples})
    output = sys.stdout
    with connected(require(request.ray, '--ray'), request.workers, request.verbose) as ray:
        threads = os.environ.get('OMP_NUM_THREADS', '')
        plan = plan_workers(ray.nodes(), request.device, request.workers, pictures,
                            int(threads) if threads.isdecimal() else None)
        where = 'this machine' if request.ray == LOCAL else f'the Ray at {request.ray}'
        print(f'starting {plan} on {where}', file=sys.stderr)
        actor = ray.remote(Worker).options(
            num_cpus=plan.cores, num_gpus=int(plan.device == 'cuda'), max_restarts=-1,
            max_task_retries=_RETRIES, scheduling_strategy='SPREAD',
            runtime_env={'env_vars': {'OMP_NUM_THREADS': str(plan.threads)}})
        asked = replace(request, device=plan.device)
        folders = [path for path in (request.root, request.images) if path is not None]
        pool = WorkerPool(ray, [actor.remote(asked, folders) for _ in range(plan.workers)])
        if pool.loaded.notice:
            print(f'NOTE: {pool.loaded.notice}', file=output, flush=True)
        yield Workers(pool)
