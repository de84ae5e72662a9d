"""How the missing files of a bundle get to this machine.

From the cache below HF_HOME, where another program has downloaded them, or from another bundle
below `home()`; else from the hub (`HF_ENDPOINT`) or a plain address, which `REFDIFF_MIRROR` leads
elsewhere.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import errno
import fcntl
import logging
import os
from pathlib import Path
import shutil
from urllib.parse import urlsplit

from refdiff_ros.errors import BundleError, DownloadError
from refdiff_ros.models import hub
from refdiff_ros.models.bundle import FileSpec, HubSource, Part
from refdiff_ros.models.home import home, is_offline
from refdiff_ros.models.located import Located, store_errors
from refdiff_ros.models.lock_file import (
    lock_entry,
    LockedFile,
    missing_files,
    read_lock,
    write_lock,
)
from refdiff_ros.models.progress import ignore, Listener, Meter, Step
from refdiff_ros.models.sizes import size_text
from refdiff_ros.models.transfer import (
    Checksum,
    download,
    part_of,
    PATIENCE,
    Progress,
    Retries,
    sha256_of,
)

_LOG = logging.getLogger(__name__)
# What a store that knows no locks answers to one.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM)


@dataclass(frozen=True)
class _Wanted:
    """A file that is to be fetched: where from, what it must be, and its size if known."""

    name: str
    file: FileSpec
    source: HubSource | None
    url: str
    checksum: Checksum
    size: int | None
    commit: str = ''


def pull(
    located: Located,
    listener: Listener = ignore,
    retries: Retries = PATIENCE,
    offline: bool = False,
) -> list[str]:
    """Get what is missing of a bundle; returns the paths of the files that were.

    Files that are on this machine already are taken from there. Makes no request when nothing is
    missing. Another process that pulls the same bundle is waited for.

    Args:
        located: the bundle.
        listener: is told of the bytes that were received, and of a wait.
        retries: patience.
        offline: make no request; REFDIFF_OFFLINE=1 and HF_HUB_OFFLINE=1 do the same.

    Raises:
        DownloadError: a file cannot be had whole.
        BundleError: a file is missing that has no source, or the network is forbidden.
    """
    if not missing_files(located):
        return []
    with store_errors(located.folder), _one_at_a_time(located, listener):
        missing = missing_files(located)
        left = [name for name in missing if not _take_from_here(located, name)]
        if left and (offline or is_offline()):
            raise BundleError(
                f"expected bundle '{located.bundle.name}' to be complete in {located.folder}, "
                f'{len(left)} files are missing (first: {left[0]}), and downloads are off: run '
                f"'{located.pull_command}' with network, or copy that folder from another machine")
        wanted = [_look_up(located, name, retries) for name in left]
        _check_space(located.folder, wanted)
        sizes = [one.size for one in wanted if one.size is not None]
        total = sum(sizes) if len(sizes) == len(wanted) else None
        meter = Meter('downloading', total, listener)
        for one in wanted:
            meter.begin(one.name)
            _fetch(located.folder, one, meter, retries)
    return missing


def _target(folder: Path, name: str) -> Path:
    """Where a file of a bundle is written: really inside its folder.

    Raises:
        BundleError: a symbolic link leads elsewhere.
    """
    root = folder.resolve()
    target = root / name
    for path in (target.parent, target, part_of(target)):
        if path.resolve() != path:
            raise BundleError(
                f'expected {path} to be written inside the bundle, got a symbolic link to '
                f'{path.resolve()}: remove the link (to keep bundles on another disk set '
                'REFDIFF_HOME)')
    return target


def _take_from_here(located: Located, name: str) -> bool:
    """Whether a file that the manifest pins was on this machine; it is then in the bundle."""
    part, file = located.files()[name]
    if file.sha256 is None:
        return False
    target = _target(located.folder, name)
    for found in _copies(located, part, name, file):
        if sha256_of(found) != file.sha256:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = part_of(target)
        copy.unlink(missing_ok=True)
        try:
            os.link(found.resolve(), copy)  # no second copy of gigabytes
        except OSError:
            shutil.copyfile(found, copy)
            if sha256_of(copy) != file.sha256:
                return False
        copy.replace(target)
        _lock(located.folder, name, lock_entry(target, file.sha256, str(found)))
        return True
    return False


def _copies(located: Located, part: Part, name: str, file: FileSpec) -> Iterator[Path]:
    """Files that may be the one that is wanted: in the hub's own cache and in other bundles."""
    source, path = _hub_source(located, part, name, file)
    found = hub.cached(source, path) if source is not None else None
    if found is not None:
        yield found
    bundles = home() / 'bundles'
    for folder in sorted(bundles.iterdir()) if bundles.is_dir() else ():
        other = folder / name
        if folder != located.folder and other.is_file() and other.stat().st_size == file.size:
            yield other


def _hub_source(
    located: Located, part: Part, name: str, file: FileSpec,
) -> tuple[HubSource | None, str]:
    """Repository and path in it; without a source of its own a file comes with the manifest."""
    if part.hub is not None:
        return part.hub, file.path
    return (None, '') if part.url else (located.hub, name)


def _look_up(located: Located, name: str, retries: Retries) -> _Wanted:
    part, file = located.files()[name]
    source, path = _hub_source(located, part, name, file)
    if source is not None:
        remote = hub.look_up(source, path, retries, file)
        size = file.size if remote.size is None else remote.size
        return _Wanted(name, file, source, remote.url, remote.checksum, size, remote.commit)
    if part.url and file.sha256 is not None:
        url = mirrored(f'{part.url.rstrip("/")}/{file.path}')
        return _Wanted(name, file, None, url, Checksum('sha256', file.sha256), file.size)
    raise BundleError(f'expected the file {located.folder / name}, found none, and its manifest '
                      'names no source: copy the whole bundle folder again')


def mirrored(url: str) -> str:
    """A plain address, or the same file below REFDIFF_MIRROR: '{mirror}/{host}/{path}'.

    Raises:
        DownloadError: REFDIFF_MIRROR is no address.
    """
    mirror = os.environ.get('REFDIFF_MIRROR', '').strip().rstrip('/')
    if not mirror:
        return url
    if urlsplit(mirror).scheme not in ('http', 'https'):
        raise DownloadError("expected REFDIFF_MIRROR to be an address such as "
                            f"'https://mirror.example.org/files', got {mirror!r}")
    parts = urlsplit(url)
    return f'{mirror}/{parts.netloc}{parts.path}'


def _fetch(folder: Path, wanted: _Wanted, progress: Progress, retries: Retries) -> None:
    target, checksum = _target(folder, wanted.name), wanted.checksum
    # Of a file that some other tool left here only the hub can say whether it is the right one.
    if not (target.is_file() and checksum.of(target) == checksum.digest):
        _LOG.info('downloading %s', wanted.name)
        headers = {} if wanted.source is None else hub.authorization()
        download(wanted.url, target, checksum, wanted.size, headers, progress, retries)
    # Also for small files, of which the hub sent git's id: from here on sha256 stands for all.
    _lock(folder, wanted.name, lock_entry(
        target, wanted.file.sha256 or sha256_of(target), wanted.url, wanted.commit))


def _lock(folder: Path, name: str, entry: LockedFile) -> None:
    write_lock(folder, read_lock(folder) | {name: entry})


def _check_space(folder: Path, wanted: Sequence[_Wanted]) -> None:
    """Whether everything fits, before the first byte.

    Raises:
        DownloadError: it does not.
    """
    needed = 0
    for one in wanted:
        part = part_of(folder / one.name)
        present = part.stat().st_size if part.is_file() else 0
        needed += max(0, (one.size or 0) - present)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f'expected {size_text(needed)} of space on the disk of {folder} for {len(wanted)} '
            f'files, {size_text(free)} are free: free some, or set REFDIFF_HOME to a folder on '
            'another disk')


@contextmanager
def _one_at_a_time(located: Located, listener: Listener) -> Iterator[None]:
    located.folder.mkdir(parents=True, exist_ok=True)
    path = _target(located.folder, '.pull')
    with path.open('w') as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            listener(Step('waiting for another process that gets', located.bundle.name))
            _LOG.warning("another process gets bundle '%s': waiting for it", located.bundle.name)
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            _LOG.warning('%s knows no locks (%s): let no second process get this bundle at the '
                         'same time', located.folder, error.strerror)
        yield
