"""The hub's protocol: what a file's checksum and commit are, before a byte of it is fetched.

The questions are `huggingface_hub`'s own; what it answers is turned into a checksum, a commit and
a size here. `HF_ENDPOINT` names another hub, `HF_TOKEN` (or the token of 'hf auth login') gives
access to models with terms.
"""

from dataclasses import dataclass
import logging
import os
from pathlib import Path
import re
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from refdiff_ros.errors import DownloadError
from refdiff_ros.models.bundle import FileSpec, HubSource
from refdiff_ros.models.home import expanded
from refdiff_ros.models.transfer import (
    Checksum,
    download,
    no_answer_message,
    PATIENCE,
    Progress,
    reason_of,
    RETRIED_STATUS,
    Retries,
    status_message,
    USER_AGENT,
)
from refdiff_ros.optional import require_package

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata
    from huggingface_hub.errors import HfHubHTTPError

_LOG = logging.getLogger(__name__)
_SHA256 = re.compile(r'[0-9a-f]{64}')
_SHA1 = re.compile(r'[0-9a-f]{40}')
# A mirror that leads to the hub, which may have renamed the repository.
_MOST_HOSTS = 4


@dataclass(frozen=True)
class RemoteFile:
    """What the hub says of a file: its commit, its checksum, and its size in bytes if known."""

    url: str
    commit: str
    checksum: Checksum
    size: int | None


def endpoint() -> str:
    """The hub's address, without a slash at its end.

    Raises:
        DownloadError: HF_ENDPOINT is no address.
    """
    chosen = os.environ.get('HF_ENDPOINT', '').strip().rstrip('/') or 'https://huggingface.co'
    if urlsplit(chosen).scheme not in ('http', 'https') or not urlsplit(chosen).netloc:
        raise DownloadError(f"expected HF_ENDPOINT to be an address such as 'https://{chosen}', "
                            f'got {chosen!r}')
    return chosen


def is_commit(revision: str) -> bool:
    """Whether a revision is a commit and so can never name other files later."""
    return _SHA1.fullmatch(revision) is not None


def look_up(
    source: HubSource, path: str, retries: Retries = PATIENCE, pinned: FileSpec | None = None,
) -> RemoteFile:
    """Ask the hub for a file's commit and checksum.

    Where `pinned` has a sha256, that is the checksum.

    Raises:
        DownloadError: no answer, no such file, another commit than the pinned one, no checksum,
            or a file of another checksum than the pinned one.
    """
    url = (f'{endpoint()}/{source.repo}/resolve/{quote(source.revision, safe="")}/'
           f'{quote(path)}')
    metadata = _metadata(source, url, retries)
    commit, digest = metadata.commit_hash or '', metadata.etag or ''
    if is_commit(source.revision) and commit != source.revision:
        raise DownloadError(
            f'expected {source.repo} at commit {source.revision}, got {commit or "none"} from '
            f'{endpoint()}: the hub does not keep the pinned revision')
    if _SHA256.fullmatch(digest):
        checksum = Checksum('sha256', digest)
    elif _SHA1.fullmatch(digest):
        checksum = Checksum('git', digest)
    else:
        raise DownloadError(f'expected a checksum of {path} from {url}, got ETag {digest!r}: '
                            'set HF_ENDPOINT to a hub that sends them')
    if pinned is not None and pinned.sha256 is not None:
        if checksum.kind == 'sha256' and checksum.digest != pinned.sha256:
            raise DownloadError(
                f'expected sha256 {pinned.sha256} of {path} in {source.repo}, the hub has '
                f'{checksum.digest}: it is another file than the manifest names')
        checksum = Checksum('sha256', pinned.sha256)
    return RemoteFile(url, commit, checksum, metadata.size)


def fetch(
    source: HubSource,
    path: str,
    target: Path,
    pinned: FileSpec | None = None,
    progress: Progress | None = None,
    retries: Retries = PATIENCE,
) -> RemoteFile:
    """Download a hub file to `target`, verified against `pinned` or the hub's own checksum.

    Raises:
        DownloadError: as in `look_up` and `transfer.download`.
    """
    remote = look_up(source, path, retries, pinned)
    download(remote.url, target, remote.checksum, remote.size, authorization(), progress, retries)
    return remote


def authorization() -> dict[str, str]:
    """The header that shows this user's token, if there is one."""
    token = _token()
    return {'Authorization': f'Bearer {token}'} if token else {}


def cached(source: HubSource, path: str) -> Path | None:
    """A file of the hub that another program has downloaded, in the cache below HF_HOME.

    What is returned is not verified.
    """
    if not is_commit(source.revision):
        return None
    found = _hub_library().try_to_load_from_cache(
        source.repo, path, cache_dir=_cache_folder(), revision=source.revision)
    return Path(found) if isinstance(found, str) and Path(found).is_file() else None


def _cache_folder() -> Path:
    """Where `huggingface_hub` keeps files, read from the environment as it is now."""
    general = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache')
    home = Path(os.environ.get('HF_HOME') or general / 'huggingface')
    chosen = Path(os.environ.get('HF_HUB_CACHE') or home / 'hub')
    return expanded(chosen)


def _hub_library() -> ModuleType:
    # Read when it is first imported: a robot asks for its files and for nothing beside them.
    os.environ.setdefault('HF_HUB_DISABLE_TELEMETRY', '1')
    return require_package('huggingface_hub', 'models')


def _token() -> str | None:
    """This user's token, None where there is none that can be read."""
    try:
        return _hub_library().get_token()
    except OSError as error:
        _LOG.info('no token is sent: %s', error)
        return None


def _metadata(source: HubSource, url: str, retries: Retries) -> 'HfFileMetadata':
    """`huggingface_hub`'s metadata of the file at `url`, also where a mirror leads elsewhere."""
    token: str | bool = _token() or False
    for _ in range(_MOST_HOSTS):
        metadata = _asked(source, url, token, retries)
        if metadata.etag or metadata.location == url:
            return metadata
        url, token = metadata.location, False  # no token for a host that nobody named
    raise DownloadError(f'expected a checksum, got only redirects, at last to {url}: set '
                        'HF_ENDPOINT to a hub that sends them')


def _asked(
    source: HubSource, url: str, token: str | bool, retries: Retries,
) -> 'HfFileMetadata':
    library, errors = _hub_library(), require_package('huggingface_hub.errors', 'models')
    failures = 0
    while True:
        try:
            return library.get_hf_file_metadata(
                url, token=token, timeout=retries.timeout_s, user_agent=USER_AGENT)
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status not in RETRIED_STATUS:
                raise DownloadError(_refusal(source, url, error, errors)) from error
            reason = f'status {status}'
        except (errors.HTTPError, OSError) as error:
            reason = reason_of(url, error)
        failures += 1
        if failures > retries.count:
            raise DownloadError(no_answer_message(url, reason))
        retries.wait(failures, url, reason)


def _refusal(
    source: HubSource, url: str, error: 'HfHubHTTPError', errors: ModuleType,
) -> str:
    """What to tell when the hub does not give a file."""
    if isinstance(error, errors.GatedRepoError):
        return (f'expected {source.repo} to be readable, it has terms: accept them at '
                f'{endpoint()}/{source.repo} and set HF_TOKEN')
    if isinstance(error, errors.RepositoryNotFoundError) or error.response.status_code == 401:
        return (f'expected a repository {source.repo} on {endpoint()}, got status '
                f'{error.response.status_code}: there is none of that name, or it is private; '
                'check the name, and for a private one set HF_TOKEN')
    if isinstance(error, errors.RevisionNotFoundError):
        return (f'expected revision {source.revision} of {source.repo} at {url}, got status 404: '
                'the hub has no such branch, tag or commit; check the revision')
    return status_message(url, error.response.status_code)
