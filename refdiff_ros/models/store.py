"""Where bundles are on this machine, and how their missing files get there.

Everything is kept below `home()`:

    bundles/<name>/                 a bundle whose manifest ships with the package
    hub/<owner>--<name>/<commit>/   a bundle whose manifest is on the hub
    hub/<owner>--<name>/refs/<rev>  the commit that a revision stood for when it was pulled
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import fcntl
import logging
import os
from pathlib import Path
from urllib.parse import quote

from refdiff_ros.errors import BundleError, DownloadError
from refdiff_ros.models import hub
from refdiff_ros.models.bundle import (
    Bundle,
    FileSpec,
    HubSource,
    is_hub_id,
    MANIFEST,
    Part,
    read_manifest,
    read_manifest_file,
)
from refdiff_ros.models.lock_file import lock_entry, missing_files, read_lock, write_lock
from refdiff_ros.models.transfer import Checksum, download, PATIENCE, Progress, Retries, sha256_of

UNTRAINED = 'untrained_mini'
TABLETOP = 'tabletop_mini'
MANIFESTS = Path(__file__).with_name('manifests')
# Bundles that come whole with this package.
SHIPPED = Path(__file__).parents[1] / 'bundles'
_LOG = logging.getLogger(__name__)

# Called with a path inside the bundle; gives what `transfer.download` reports to.
FileProgress = Callable[[str], Progress]


@dataclass(frozen=True)
class Located:
    """A manifest, the folder of its files, and for bundles on the hub where that is.

    Files of a part without a source of its own come from `hub`.
    """

    bundle: Bundle
    folder: Path
    hub: HubSource | None = None


def home() -> Path:
    """The folder of downloaded bundles: REFDIFF_HOME, or refdiff_ros in XDG_CACHE_HOME."""
    if chosen := os.environ.get('REFDIFF_HOME'):
        return Path(chosen).expanduser()
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(cache).expanduser() / 'refdiff_ros'


def known_bundles() -> list[str]:
    """Names of the bundles that can be named without a download: shipped, built in, or known by
    a shipped manifest."""
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f'*/{MANIFEST}'))
    return [*shipped, UNTRAINED, *sorted(path.stem for path in MANIFESTS.glob('*.json'))]


def is_offline() -> bool:
    """Whether the environment forbids the network (REFDIFF_OFFLINE or HF_HUB_OFFLINE)."""
    return any(os.environ.get(name, '').lower() not in ('', '0', 'false', 'no')
               for name in ('REFDIFF_OFFLINE', 'HF_HUB_OFFLINE'))


def locate(
    name_or_path: str,
    revision: str | None = None,
    offline: bool = False,
    refresh: bool = False,
    retries: Retries = PATIENCE,
) -> Located:
    """Find the manifest of a bundle: a folder, a known name, or a hub id.

    Args:
        name_or_path: a folder with `bundle.json`, a name of `known_bundles`, or 'owner/name'.
        revision: of a hub id; None is 'main'.
        offline: make no request.
        refresh: ask the hub which commit a revision stands for, also when that is known.
        retries: patience with the hub.

    Raises:
        BundleError: there is no such bundle, or its manifest is not valid.
        DownloadError: the manifest is needed from the hub and cannot be had.
    """
    folder = Path(name_or_path).expanduser()
    manifest = MANIFESTS / f'{name_or_path}.json'
    if revision is not None and (folder.is_dir() or not is_hub_id(name_or_path)):
        raise BundleError(f'expected a hub id with revision {revision!r}, got {name_or_path!r}: '
                          'a revision belongs to a bundle on the hub')
    # A known name wins over a folder that happens to be called so; './name' is the folder.
    if name_or_path in known_bundles() and manifest.is_file():
        return Located(read_manifest_file(manifest), home() / 'bundles' / name_or_path)
    if name_or_path in known_bundles() and (SHIPPED / name_or_path / MANIFEST).is_file():
        return Located(read_manifest(SHIPPED / name_or_path), SHIPPED / name_or_path)
    if folder.is_dir():
        return Located(read_manifest(folder), folder)
    if is_hub_id(name_or_path):
        return _locate_on_hub(HubSource(name_or_path, revision or 'main'), offline, refresh,
                              retries)
    raise BundleError(
        f'expected a bundle of {known_bundles()}, a folder with {MANIFEST}, or a hub id '
        f"'owner/name', got {name_or_path!r}")


def _locate_on_hub(
    source: HubSource, offline: bool, refresh: bool, retries: Retries,
) -> Located:
    base = home() / 'hub' / source.repo.replace('/', '--')
    ref = base / 'refs' / quote(source.revision, safe='')
    commit = source.revision if hub.is_commit(source.revision) else ''
    if not commit and ref.is_file() and not refresh:
        commit = ref.read_text(encoding='ascii').strip()
    folder = base / commit
    if not commit or not (folder / MANIFEST).is_file():
        if offline or is_offline():
            raise BundleError(
                f'expected {source.repo} at {source.revision} in {base}, found none, and '
                f"downloads are off: run 'refdiff models pull {source.repo}' with network, or "
                'copy that folder from another machine')
        commit = hub.look_up(source, MANIFEST, retries).commit
        folder = base / commit
        hub.fetch(HubSource(source.repo, commit), MANIFEST, folder / MANIFEST, retries=retries)
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit + '\n', encoding='ascii')
    return Located(read_manifest(folder), folder, HubSource(source.repo, commit))


def pull(
    located: Located,
    progress: FileProgress | None = None,
    retries: Retries = PATIENCE,
) -> list[str]:
    """Download what is missing of a bundle; returns the paths of the files that were.

    Makes no request when nothing is missing. Another process that pulls the same bundle is
    waited for.

    Raises:
        DownloadError: a file cannot be had whole.
        BundleError: a file is missing that has no source, or the network is forbidden.
    """
    bundle, folder = located.bundle, located.folder
    if not missing_files(bundle, folder):
        return []
    if is_offline():
        raise BundleError(f"expected to download what bundle '{bundle.name}' lacks, but "
                          'REFDIFF_OFFLINE or HF_HUB_OFFLINE is set: unset it')
    with _one_at_a_time(folder):
        files = bundle.files()
        missing = missing_files(bundle, folder)
        for name in missing:
            part, file = files[name]
            _LOG.info('downloading %s of bundle %s', name, bundle.name)
            _fetch(located, part, file, name, progress(name) if progress else None, retries)
    return missing


def _fetch(
    located: Located, part: Part, file: FileSpec, name: str, progress: Progress | None,
    retries: Retries,
) -> None:
    target, commit = located.folder / name, ''
    source, path = part.hub, file.path
    if source is None and not part.url:
        source, path = located.hub, name
    if source is not None:
        remote = hub.fetch(source, path, target, file, progress, retries)
        url, commit = remote.url, remote.commit
    elif part.url:
        url = f'{part.url.rstrip("/")}/{file.path}'
        download(url, target, Checksum('sha256', file.sha256), file.size, progress=progress,
                 retries=retries)
    else:
        raise BundleError(f'expected the file {target}, found none, and its manifest names no '
                          'source: copy the whole bundle folder again')
    # Also for small files, of which the hub sent git's id: from here on sha256 stands for all.
    lock = read_lock(located.folder)
    lock[name] = lock_entry(target, file.sha256 or sha256_of(target), url, commit)
    write_lock(located.folder, lock)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / '.pull').open('w')
    except OSError as error:
        raise DownloadError(f'expected to write into {folder}, got: {error.strerror}; set '
                            'REFDIFF_HOME to a folder that can be written') from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
