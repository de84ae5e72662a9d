"""The options that spread a run over processes."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.cluster.connection import import_ray, LOCAL
from refdiff_ros.evaluation.options import positive
from refdiff_ros.evaluation.request import DatasetRequest


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Register `--ray` and `--workers`."""
    parser.add_argument('--ray', nargs='?', const=LOCAL, metavar='ADDRESS',
                        help='share the pictures among several processes with Ray: started here, '
                        "or the one at ADDRESS ('auto', host:port or ray://host:port)")
    parser.add_argument('--workers', type=positive, metavar='N',
                        help='processes of --ray (default: one a GPU, or one a core); each has '
                        'the models in memory')


def check_ray(request: DatasetRequest) -> None:
    """Nothing, if the options go together.

    Raises:
        BadRequestError: they do not.
        MissingPackageError: Ray is not installed.
    """
    if request.ray is None:
        if request.workers is not None:
            raise BadRequestError('expected --ray with --workers: one process answers otherwise')
        return
    if request.device not in ('auto', 'cpu', 'cuda'):
        raise BadRequestError("expected --device 'auto', 'cpu' or 'cuda' with --ray, got "
                              f'{request.device!r}: Ray gives each worker a GPU of its own')
    import_ray(request.ray)


def with_whole_paths(request: DatasetRequest) -> DatasetRequest:
    """`request` with paths that hold whatever folder a process works in."""
    whole: dict[str, Any] = {name: path.absolute() for name, path in (
        ('root', request.root), ('images', request.images)) if path is not None}
    if request.bundle and Path(request.bundle).is_dir():
        whole['bundle'] = str(Path(request.bundle).absolute())
    return replace(request, **whole)
