"""Ray actor that answers the samples of one picture at a time."""

from collections.abc import Sequence
from pathlib import Path
import platform

from refdiff_ros.errors import BadRequestError, require
from refdiff_ros.evaluation.request import DatasetRequest
from refdiff_ros.evaluation.run import Answer, Sample
from refdiff_ros.evaluation.runs.answerer import InProcess
from refdiff_ros.evaluation.runs.record import Loaded


class Worker:
    """Loads by itself when it is first asked, so that one that Ray has restarted does it again.

    Args:
        request: what is asked, the same for all workers.
        folders: that its samples are read from.
    """

    def __init__(self, request: DatasetRequest, folders: Sequence[Path] = ()):
        self._request = request
        self._folders = folders
        self._inner: InProcess | None = None

    def load(self) -> Loaded:
        """What it has loaded, loaded now if it has not been.

        Raises:
            RefDiffError: a folder is not there, or as in `InProcess`.
        """
        if self._inner is None:
            for path in self._folders:
                if not path.is_dir():
                    raise BadRequestError(
                        f'expected the data at {path} on {platform.node()} as well, got no such '
                        'folder: every node needs it at the same place')
            inner = InProcess(self._request)
            inner.warm_up()
            self._inner = inner
        return self._inner.loaded

    def answer(self, wanted: Loaded, samples: Sequence[Sample]) -> list[Answer]:
        """The answers to the samples of one picture.

        Args:
            wanted: what all workers have loaded.
            samples: of one picture.

        Raises:
            BadRequestError: this worker, restarted elsewhere, has loaded something else.
        """
        self.load().require_same(wanted)
        answers: list[Answer] = []
        require(self._inner, 'models that are loaded').answer(samples, answers.append)
        return answers
