"""What has been verified of a bundle's files.

The lock records each file's sha256, which for files without one in the manifest was learned from
the hub and verified at download. It also records size and modification time at the last hashing:
as long as both are the same, loading need not hash gigabytes again. Pickles are hashed at every
load, and `refdiff models verify` hashes everything.

A lock is believed, so it lies only where this package alone writes: beside the files of bundles
below `home()`, and in `home()/locks` for any other folder. A lock that came with such a folder is
not read.
"""

from dataclasses import asdict, dataclass
import hashlib
import json
import logging
import os
from pathlib import Path

from refdiff_ros.console import from_json
from refdiff_ros.errors import BundleError
from refdiff_ros.models.bundle import FileSpec, is_pickle, Part
from refdiff_ros.models.home import home
from refdiff_ros.models.located import Located, store_errors
from refdiff_ros.models.progress import ignore, Listener, Meter
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


def lock_path(folder: Path) -> Path:
    """Where the lock of the bundle in `folder` is kept.

    Raises:
        BundleError: there is no home folder.
    """
    own, real = home().resolve(), folder.resolve()
    if real.is_relative_to(own):
        return real / LOCK
    return own / 'locks' / f'{hashlib.sha256(os.fsencode(real)).hexdigest()[:32]}.json'


def read_lock(folder: Path) -> dict[str, LockedFile]:
    """The lock of the bundle in `folder` by path inside the bundle; empty when there is none.

    Raises:
        BundleError: the file is no lock.
    """
    try:
        path = lock_path(folder)
    except BundleError as error:
        _LOG.debug('no lock of %s: %s', folder, error)
        return {}
    try:
        values = from_json(path.read_text(encoding='utf-8'))['files']
        return {name: LockedFile(**value) for name, value in values.items()}
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            _LOG.info('no lock of %s: %s', folder, error)
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f'expected a lock file at {path}, got an unreadable one ({error}): '
                          'delete it and run \'refdiff models pull\' again') from error


def write_lock(folder: Path, files: dict[str, LockedFile]) -> None:
    """Write the lock in one step, so that a reader never sees half of it.

    Raises:
        BundleError: the folder cannot be written.
    """
    path = lock_path(folder)
    values = {'folder': str(folder.resolve()),
              'files': {name: asdict(file) for name, file in sorted(files.items())}}
    with store_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f'{path.name}.{os.getpid()}')
        temporary.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
        temporary.replace(path)


def lock_entry(path: Path, sha256: str, source: str = '', commit: str = '') -> LockedFile:
    """The lock's entry for a file that was just verified."""
    stat = path.stat()
    return LockedFile(sha256, stat.st_size, stat.st_mtime_ns, source, commit)


def missing_files(located: Located) -> list[str]:
    """Paths inside the bundle of files that are absent or that nothing says the sha256 of."""
    lock = read_lock(located.folder)
    with store_errors(located.folder):
        return [name for name, (_, file) in located.files().items()
                if not (located.folder / name).is_file()
                or (file.sha256 is None and name not in lock)]


def check_files(
    located: Located, everything: bool = False, listener: Listener = ignore,
) -> list[str]:
    """Compare those files of a bundle that are there with their checksums.

    Args:
        located: the bundle; see `missing_files` for the files that are not there.
        everything: hash also what was verified before and has not been touched since.
        listener: is told of the bytes that were hashed.

    Returns:
        A sentence for each altered file; empty when all are as they should be.

    Raises:
        BundleError: a file cannot be read.
    """
    lock, problems, verified = read_lock(located.folder), [], {}
    with store_errors(located.folder):
        expected = _to_hash(located, lock, everything)
        total = sum((located.folder / name).stat().st_size for name in expected)
        meter = Meter('checking sha256 of', total, listener)
        for name, (part, sha256) in expected.items():
            path, known = located.folder / name, lock.get(name)
            meter.begin(name)
            got = sha256_of(path, meter)
            if got == sha256:
                verified[name] = lock_entry(path, sha256, *(
                    (known.source, known.commit) if known else ()))
            else:
                problems.append(_altered(located, part, path, sha256, got))
    if any(lock.get(name) != entry for name, entry in verified.items()):
        try:
            write_lock(located.folder, lock | verified)
        except BundleError as error:
            _LOG.info('files of %s are hashed at every load: %s', located.folder, error)
    return problems


def _to_hash(
    located: Located, lock: dict[str, LockedFile], everything: bool,
) -> dict[str, tuple[Part, str]]:
    """Part and expected sha256 of each file that is there and must be hashed."""
    chosen = {}
    for name, (part, file) in located.files().items():
        known = lock.get(name)
        sha256 = file.sha256 or (known.sha256 if known is not None else None)
        path = located.folder / name
        if sha256 is None or not path.is_file():
            continue
        if everything or not _is_known(path, file, known, sha256):
            chosen[name] = part, sha256
    return chosen


def _is_known(path: Path, file: FileSpec, known: LockedFile | None, sha256: str) -> bool:
    if known is None or known.sha256 != sha256 or is_pickle(file.path):
        return False
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns) == (known.size, known.mtime_ns)


def _altered(located: Located, part: Part, path: Path, sha256: str, got: str) -> str:
    again = (f"delete it and run '{located.pull_command}'" if located.has_source(part) else
             'copy it again from where the bundle came from')
    return f'expected sha256 {sha256} of {path}, got {got}: the file was altered; {again}'
