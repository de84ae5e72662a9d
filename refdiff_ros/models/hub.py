"""The hub's protocol: what a file's checksum and commit are, before a byte of it is fetched.

A HEAD request to `{endpoint}/{repo}/resolve/{revision}/{path}` answers with `X-Repo-Commit`, and
with `X-Linked-Etag` (sha256) and `X-Linked-Size` for large files or `ETag` (git blob id) for
small ones. `HF_ENDPOINT` names another hub, `HF_TOKEN` gives access to models with terms.
"""

from dataclasses import dataclass
import http.client
import os
from pathlib import Path
import re
import urllib.error
from urllib.parse import quote, urljoin, urlsplit
import urllib.request

from refdiff_ros.errors import DownloadError
from refdiff_ros.models.bundle import FileSpec, HubSource
from refdiff_ros.models.transfer import (
    Checksum,
    download,
    no_answer_message,
    PATIENCE,
    Progress,
    RETRIED_STATUS,
    Retries,
    status_message,
)

_SHA256 = re.compile(r'[0-9a-f]{64}')
_SHA1 = re.compile(r'[0-9a-f]{40}')


@dataclass(frozen=True)
class RemoteFile:
    """What the hub says of a file: its commit, its checksum, and its size in bytes if known."""

    url: str
    commit: str
    checksum: Checksum
    size: int | None


def endpoint() -> str:
    """The hub's address, without a slash at its end."""
    return os.environ.get('HF_ENDPOINT', '').rstrip('/') or 'https://huggingface.co'


def is_commit(revision: str) -> bool:
    """Whether a revision is a commit and so can never name other files later."""
    return _SHA1.fullmatch(revision) is not None


def look_up(source: HubSource, path: str, retries: Retries = PATIENCE) -> RemoteFile:
    """Ask the hub for a file's commit and checksum.

    Raises:
        DownloadError: no answer, no such file, another commit than the pinned one, or no
            checksum.
    """
    url = (f'{endpoint()}/{source.repo}/resolve/{quote(source.revision, safe="")}/'
           f'{quote(path)}')
    headers = _head(url, retries)
    commit = headers.get('x-repo-commit', '')
    if is_commit(source.revision) and commit != source.revision:
        raise DownloadError(
            f'expected {source.repo} at commit {source.revision}, got {commit or "none"} from '
            f'{endpoint()}: the hub does not keep the pinned revision')
    linked = headers.get('x-linked-etag')
    digest = (linked or headers.get('etag') or '').removeprefix('W/').strip('"')
    if _SHA256.fullmatch(digest):
        checksum = Checksum('sha256', digest)
    elif _SHA1.fullmatch(digest):
        checksum = Checksum('git', digest)
    else:
        raise DownloadError(f'expected a checksum of {path} from {url}, got ETag {digest!r}: '
                            'set HF_ENDPOINT to a hub that sends them')
    # The length of a redirecting answer is that of the redirect.
    size = headers.get('x-linked-size') or (None if linked else headers.get('content-length'))
    return RemoteFile(url, commit, checksum, int(size) if size else None)


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
        DownloadError: as in `look_up` and `transfer.download`, or the hub has a file of another
            checksum than the pinned one (said before it is fetched).
    """
    remote = look_up(source, path, retries)
    checksum = remote.checksum
    if pinned is not None and pinned.sha256 is not None:
        if checksum.kind == 'sha256' and checksum.digest != pinned.sha256:
            raise DownloadError(
                f'expected sha256 {pinned.sha256} of {path} in {source.repo}, the hub has '
                f'{checksum.digest}: it is another file than the manifest names')
        checksum = Checksum('sha256', pinned.sha256)
    download(remote.url, target, checksum, remote.size, _authorization(), progress, retries)
    return remote


def _authorization() -> dict[str, str]:
    token = os.environ.get('HF_TOKEN', '').strip()
    return {'Authorization': f'Bearer {token}'} if token else {}


class _StayHere(urllib.request.HTTPRedirectHandler):
    """A redirect's own headers are the answer: they carry the checksum."""

    def redirect_request(self, *args, **kwargs):
        return None


def _head(url: str, retries: Retries) -> dict[str, str]:
    """Headers of a file, by lower-case name.

    A redirect to the file's store carries them itself; one within the hub (a renamed
    repository, a cached small file) is followed, and what it said of the commit is kept.
    """
    opener = urllib.request.build_opener(_StayHere)
    gathered: dict[str, str] = {}
    failures = 0
    while True:
        request = urllib.request.Request(
            url, method='HEAD', headers={'Accept-Encoding': 'identity', **_authorization()})
        try:
            with opener.open(request, timeout=retries.timeout_s) as response:
                return gathered | _lower(response.headers)
        except urllib.error.HTTPError as error:
            headers = _lower(error.headers)
            error.close()
            if 300 <= error.code < 400:
                if 'x-linked-etag' in headers:
                    return gathered | headers
                url = _within_hub(url, headers.get('location', ''))
                gathered |= {k: v for k, v in headers.items() if k == 'x-repo-commit'}
                reason = 'redirects without end'
            elif error.code in RETRIED_STATUS:
                reason = f'status {error.code}'
            else:
                raise DownloadError(status_message(url, error.code)) from error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError,
                ConnectionError) as error:
            reason = str(getattr(error, 'reason', error)) or type(error).__name__
        failures += 1
        if failures > retries.count:
            raise DownloadError(no_answer_message(url, reason))
        if not reason.startswith('redirects'):
            retries.wait(failures, url, reason)


def _lower(headers: http.client.HTTPMessage) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _within_hub(url: str, location: str) -> str:
    moved = urljoin(url, location)
    if urlsplit(moved)[:2] != urlsplit(url)[:2]:
        raise DownloadError(f'expected a checksum of {url}, got a redirect to {moved} without '
                            'one: set HF_ENDPOINT to a hub that sends them')
    return moved
