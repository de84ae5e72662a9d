"""What has been verified of a bundle's files, kept beside them in `bundle.lock.json`.

The lock records each file's sha256, which for files without one in the manifest was learned from
the hub and verified at download. It also records size and modification time at the last hashing:
as long as both are the same, loading need not hash gigabytes again. Pickles are hashed at every
load, and `refdiff models verify` hashes everything.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
import json
import logging
import os
from pathlib import Path

from refdiff_ros.errors import BundleError
from refdiff_ros.json_text import from_json
from refdiff_ros.models.bundle import Bundle, is_pickle
from refdiff_ros.models.transfer import sha256_of

LOCK = 'bundle.lock.json'
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LockedFile:
    """A verified file: sha256, size in bytes, modification time, and where it came from."""

    sha256: str
    size: int
    mtime_ns: int
    source: str = ''
    commit: str = ''


def read_lock(folder: Path) -> dict[str, LockedFile]:
    """The lock of the bundle in `folder` by path inside the bundle; empty when there is none.

    Raises:
        BundleError: the file cannot be read.
    """
    path = folder / LOCK
    if not path.is_file():
        return {}
    try:
        values = from_json(path.read_text(encoding='utf-8'))['files']
        return {name: LockedFile(**value) for name, value in values.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f'expected a lock file at {path}, got an unreadable one ({error}): '
                          'delete it and run \'refdiff models pull\' again') from error


def write_lock(folder: Path, files: dict[str, LockedFile]) -> None:
    """Write the lock in one step, so that a reader never sees half of it.

    Raises:
        OSError: the folder cannot be written.
    """
    temporary = folder / f'{LOCK}.{os.getpid()}'
    values = {'files': {name: asdict(file) for name, file in sorted(files.items())}}
    temporary.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
    os.replace(temporary, folder / LOCK)


def lock_entry(path: Path, sha256: str, source: str = '', commit: str = '') -> LockedFile:
    """The lock's entry for a file that was just verified."""
    stat = path.stat()
    return LockedFile(sha256, stat.st_size, stat.st_mtime_ns, source, commit)


def missing_files(bundle: Bundle, folder: Path) -> list[str]:
    """Paths inside the bundle of files that are absent or were never verified whole."""
    lock = read_lock(folder)
    return [name for name, (_, file) in bundle.files().items()
            if not (folder / name).is_file() or (file.sha256 is None and name not in lock)]


def check_files(
    bundle: Bundle,
    folder: Path,
    everything: bool = False,
    progress: Callable[[str], None] | None = None,
    ignore: Collection[str] = (),
) -> list[str]:
    """Compare a bundle's files with their checksums.

    Args:
        bundle: the manifest.
        folder: where the files are.
        everything: hash also what was verified before and has not been touched since.
        progress: called with the path of each file before it is hashed.
        ignore: paths inside the bundle that are not looked at.

    Returns:
        A sentence for each missing or altered file; empty when all are as they should be.
    """
    lock = read_lock(folder)
    problems, verified = [], {}
    for name, (part, file) in bundle.files().items():
        if name in ignore:
            continue
        path, known = folder / name, lock.get(name)
        sha256 = file.sha256 or (known.sha256 if known is not None else None)
        if not path.is_file() or sha256 is None:
            problems.append(f'expected the file {path}, found none that was downloaded whole: '
                            f"run 'refdiff models pull {bundle.name}'")
            continue
        if not everything and not is_pickle(name) and known is not None \
                and known.sha256 == sha256 and _untouched(path, known):
            continue
        if progress is not None:
            progress(name)
        got = sha256_of(path)
        if got == sha256:
            verified[name] = lock_entry(path, sha256, known.source if known else '',
                                        known.commit if known else '')
        else:
            problems.append(
                f'expected sha256 {sha256} of {path}, got {got}: the file was altered; delete '
                f'it and get it again'
                + (f" with 'refdiff models pull {bundle.name}'" if part.hub or part.url else ''))
    if any(lock.get(name) != entry for name, entry in verified.items()):
        try:
            write_lock(folder, lock | verified)
        except OSError as error:
            _LOG.info('cannot write %s (%s): files are hashed at every load', folder / LOCK,
                      error)
    return problems


def _untouched(path: Path, known: LockedFile) -> bool:
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns) == (known.size, known.mtime_ns)
