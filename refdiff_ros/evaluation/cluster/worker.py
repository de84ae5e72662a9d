"""One process of several that answer: a Ray actor around what answers in one process."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import platform

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.run import Answer
from refdiff_ros.evaluation.runs.answering import InProcess
from refdiff_ros.evaluation.runs.loaded import Loaded
from refdiff_ros.evaluation.sample import Sample


class Worker:
    """Loads by itself when it is first asked, so that one that Ray has restarted does it again.

    Args:
        args: the options of `refdiff evaluate dataset`, the same for all workers.
        folders: that its samples are read from.
    """

    def __init__(self, args: argparse.Namespace, folders: Sequence[Path] = ()):
        self._args = args
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
            inner = InProcess(self._args)
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
        self._inner.answer(samples, answers.append)
        return answers
