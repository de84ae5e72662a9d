"""The options that spread a run over processes."""

import argparse
from pathlib import Path

from refdiff_ros.errors import BadRequestError
from refdiff_ros.evaluation.cli import positive
from refdiff_ros.evaluation.cluster.connection import import_ray, LOCAL


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Register `--ray` and `--workers`."""
    parser.add_argument('--ray', nargs='?', const=LOCAL, metavar='ADDRESS',
                        help='share the pictures among several processes with Ray: started here, '
                        "or the one at ADDRESS ('auto', host:port or ray://host:port)")
    parser.add_argument('--workers', type=positive, metavar='N',
                        help='processes of --ray (default: one a GPU, or one a core); each has '
                        'the models in memory')


def check_ray(args: argparse.Namespace) -> None:
    """Nothing, if the options go together.

    Raises:
        BadRequestError: they do not.
        MissingPackageError: Ray is not installed.
    """
    if args.ray is None:
        if args.workers is not None:
            raise BadRequestError('expected --ray with --workers: one process answers otherwise')
        return
    if args.device not in ('auto', 'cpu', 'cuda'):
        raise BadRequestError("expected --device 'auto', 'cpu' or 'cuda' with --ray, got "
                              f'{args.device!r}: Ray gives each worker a GPU of its own')
    import_ray(args.ray)


def with_whole_paths(args: argparse.Namespace) -> argparse.Namespace:
    """`args` with paths that hold whatever folder a process works in."""
    whole = {name: path.absolute() for name, path in (
        ('root', args.root), ('images', args.images)) if path is not None}
    if args.bundle and Path(args.bundle).is_dir():
        whole['bundle'] = str(Path(args.bundle).absolute())
    return argparse.Namespace(**{**vars(args), **whole})
