"""Ray worker pool: each worker gets a picture, and the next one when it has answered.

Where workers run, that one that died is started again, and that it is then asked again what it
was being asked, is Ray's part.
"""

from collections import deque
from collections.abc import Callable, Sequence
import logging
from types import ModuleType
from typing import Any

from refdiff_ros.errors import RefDiffError, require
from refdiff_ros.evaluation.cluster.connection import ClusterError
from refdiff_ros.evaluation.runs.record import Loaded

# A lost node's workers use up a try a second until Ray knows that it is lost.
_JOIN_RETRIES = 100
_LOG = logging.getLogger(__name__)


class WorkerPool:
    """Ray actors with the methods of `worker.Worker`.

    A worker joins when it has loaded what the first one has; one that cannot is left out, which
    is said.

    Args:
        ray: the connected module.
        workers: handles of the actors.
        patience_s: where nothing comes for so long, what is awaited is said, and pictures that
            are out are given to idle workers too: on a node that was lost they may be out forever.

    Raises:
        ClusterError: no worker can be used.
    """

    def __init__(self, ray: ModuleType, workers: Sequence[Any], patience_s: float = 60.0):
        self._ray, self._patience_s = ray, patience_s
        self._idle: list[Any] = []
        # Per call that is out: the worker, and the row of its picture or None while it loads.
        self._out: dict[Any, tuple[Any, int | None]] = {
            worker.load.remote(): (worker, None) for worker in workers}
        self._left: set[int] = set()  # rows of pictures without a result
        self._waiting: deque[int] = deque()  # those of them that no worker has
        self._deadly: set[int] = set()  # those that a worker did not survive
        self._loaded: Loaded | None = None
        while self._loaded is None:
            self._take()

    @property
    def loaded(self) -> Loaded:
        """What all workers have loaded."""
        return require(self._loaded, 'what the workers have loaded')

    def answer(self, pictures: Sequence[Any], on_result: Callable[[Any], None]) -> list[int]:
        """Have each picture answered once.

        Args:
            pictures: each what `Worker.answer` takes.
            on_result: told of what it returns, as it comes.

        Returns:
            Rows of the pictures that have no result: the workers that were asked died, all of
            Ray's retries included, twice.

        Raises:
            ClusterError: the last worker had to be left out.
        """
        self._waiting, lost = deque(range(len(pictures))), []
        self._left, self._deadly = set(self._waiting), set()
        while self._left:
            while self._idle and self._waiting:
                row = self._waiting.popleft()
                if row in self._left:
                    worker = self._idle.pop()
                    self._out[worker.answer.remote(self.loaded, pictures[row])] = worker, row
            done, result = self._take()
            if done is None or done not in self._left:  # it was out twice, or something else came
                continue
            self._left.remove(done)
            if result is None:
                lost.append(done)
            else:
                on_result(result)
        return lost

    def _take(self) -> tuple[int | None, Any]:
        """The row and the result that come next, None for one that its worker did not survive.

        The row is None where something else came, or nothing.
        """
        done, _ = self._ray.wait(list(self._out), timeout=self._patience_s)
        if not done:
            self._hurry()
            return None, None
        worker, row = self._out.pop(done[0])
        errors = self._ray.exceptions
        try:
            result = self._ray.get(done[0])
            if row is None:
                self._loaded = self._loaded or result
                result.require_same(self._loaded)
        except (RefDiffError, errors.ActorDiedError) as error:
            self._leave_out(row, getattr(error, 'cause', error))
            return None, None
        except errors.RayTaskError:
            raise
        except errors.RayError as error:
            if row is None:
                self._leave_out(row, error)
                return None, None
            return self._survive(worker, row), None
        self._idle.append(worker)
        return row, result

    def _survive(self, worker: Any, row: int) -> int | None:
        """Let a worker that died join again; the row, if its picture has done this before."""
        again = worker.load.options(max_task_retries=_JOIN_RETRIES).remote()
        self._out[again] = worker, None
        if row in self._deadly or row not in self._left:
            return row
        self._deadly.add(row)  # or its node was lost, of which the picture is innocent
        self._waiting.append(row)
        return None

    def _leave_out(self, row: int | None, error: Exception) -> None:
        if row in self._left:
            self._waiting.append(row)
        told = ' '.join(str(error).split())  # Ray tells in many lines
        if not self._idle and not self._out:
            raise ClusterError(told) from error
        _LOG.warning('a worker is left out: %s', told)

    def _hurry(self) -> None:
        loading = sum(row is None for _, row in self._out.values())
        if loading:
            _LOG.warning('waiting for %d workers that are still loading, or for which the cluster '
                         'has no room', loading)
        rows = {row for _, row in self._out.values() if row in self._left}
        if rows and not self._waiting:
            _LOG.warning('waiting for %d pictures; idle workers are given them too', len(rows))
            self._waiting.extend(sorted(rows))
