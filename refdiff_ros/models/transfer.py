"""One file from one address to one path: resumed, checked, and moved into place when whole.

Own code, on the standard library alone: `huggingface_hub` throws a partial file away when its
process ends, and it takes no addresses outside the hub (segment-anything's checkpoints).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
import errno
import hashlib
import http.client
import logging
from pathlib import Path
import shutil
import ssl
import time
import urllib.error
from urllib.parse import urljoin, urlsplit
import urllib.request

from refdiff_ros.errors import DownloadError

# Called with (bytes present, bytes in all or None).
Progress = Callable[[int, int | None], None]

_LOG = logging.getLogger(__name__)
_BLOCK = 1 << 20
# Some stores refuse a library's default name.
USER_AGENT = 'refdiff_ros'
RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
_NO_NETWORK = ("check the network and run the command again (it goes on where it stopped), or run "
               "'refdiff models pull' on a machine with network and copy the bundle's folder")


@dataclass(frozen=True)
class Checksum:
    """An expected digest: `kind` 'sha256', or 'git' for git's blob id (sha1 with a header)."""

    kind: str
    digest: str

    def of(self, path: Path) -> str:
        """The digest of the file at `path`, of this kind."""
        return sha256_of(path) if self.kind == 'sha256' else git_blob_id(path)


@dataclass(frozen=True)
class Retries:
    """How often a transfer that makes no headway is tried again, and how long it waits.

    The wait doubles from `first_wait_s` up to `longest_wait_s`; any received byte starts the
    count anew.
    """

    count: int = 4
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    timeout_s: float = 30.0

    def wait(self, failures: int, url: str, reason: str) -> None:
        """Wait after so many failures in a row, and say so."""
        wait_s = min(self.first_wait_s * 2 ** (failures - 1), self.longest_wait_s)
        _LOG.warning('%s: %s; trying again in %.3g s', urlsplit(url).netloc, reason, wait_s)
        time.sleep(wait_s)


PATIENCE = Retries()


def sha256_of(path: Path, progress: Progress | None = None) -> str:
    """sha256 of a file, lower-case hex; see `download` for `progress`."""
    hasher = hashlib.sha256()
    done, size = 0, path.stat().st_size
    if progress is not None:
        progress(done, size)
    with path.open('rb') as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
            done += len(block)
            if progress is not None:
                progress(done, size)
    return hasher.hexdigest()


def git_blob_id(path: Path) -> str:
    """Compute git's id of a file's content, which the hub sends as the ETag of small files."""
    hasher = hashlib.sha1(f'blob {path.stat().st_size}\0'.encode(), usedforsecurity=False)
    with path.open('rb') as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def part_of(target: Path) -> Path:
    """Where the bytes of a file are kept until it is whole."""
    return target.with_name(target.name + '.part')


def download(  # noqa: PLR0913, one transfer as a whole
    url: str,
    target: Path,
    checksum: Checksum,
    size: int | None = None,
    headers: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    retries: Retries = PATIENCE,
) -> None:
    """Download `url` to `target`, which appears only when whole and verified.

    What has been received is kept in `target` + '.part' and gone on from by a Range request, in
    this call after a broken connection and in a later one after any failure but a wrong
    checksum.

    Args:
        url: http or https address.
        target: path of the finished file; its folder is made.
        checksum: what the finished file must have.
        size: bytes expected; None takes what the server says.
        headers: sent to the first host only, not to one that it redirects to.
        progress: called before the first block and after each.
        retries: patience.

    Raises:
        DownloadError: not found, refused, no network, no space, or a wrong checksum.
        OSError: the folder cannot be written, other than for lack of space.
    """
    if urlsplit(url).scheme not in ('http', 'https'):
        raise DownloadError(f'expected an address that begins with https://, got {url}')
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    for fresh in (False, True):
        resumed = part.exists() and part.stat().st_size > 0
        with _disk_errors(part):
            _receive(url, part, size, headers or {}, progress, retries)
        got = checksum.of(part)
        if got == checksum.digest:
            part.replace(target)
            return
        part.unlink()
        # A part that an earlier run left may be of another version: start over once.
        if fresh or not resumed:
            break
    raise DownloadError(
        f'expected {checksum.kind} {checksum.digest} of {target.name} from {url}, got {got}: the '
        'file was altered on the server or on the way; nothing of it was kept')


def _receive(
    url: str, part: Path, size: int | None, headers: Mapping[str, str],
    progress: Progress | None, retries: Retries,
) -> None:
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        if size is not None and before == size:
            return
        if size is not None and before > size:
            part.unlink()
            before = 0
        try:
            if _receive_once(url, part, before, size, headers, progress, retries.timeout_s):
                return
            reason = 'the connection ended early'
        except urllib.error.HTTPError as error:
            if error.code == 416 and before:
                part.unlink()
            elif error.code not in RETRIED_STATUS:
                raise DownloadError(status_message(url, error.code)) from error
            reason = f'status {error.code}'
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError,
                ConnectionError) as error:
            reason = reason_of(url, error)
        now = part.stat().st_size if part.exists() else 0
        failures = 1 if now > before else failures + 1
        if failures > retries.count:
            raise DownloadError(no_answer_message(url, reason))
        retries.wait(failures, url, reason)


def _receive_once(  # noqa: PLR0913, one transfer as a whole
    url: str, part: Path, offset: int, size: int | None, headers: Mapping[str, str],
    progress: Progress | None, timeout_s: float,
) -> bool:
    """Append what the server sends from `offset` on; whether the file is whole then."""
    request = urllib.request.Request(url, headers={'User-Agent': USER_AGENT})
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    request.add_header('Accept-Encoding', 'identity')
    if offset:
        request.add_header('Range', f'bytes={offset}-')
    opener = urllib.request.build_opener(_KeepTls)
    with opener.open(request, timeout=timeout_s) as response:
        continued = response.status == 206 and _range_start(response) == offset
        if not continued:
            offset = 0
        length = response.headers.get('Content-Length')
        total = size if size is not None else offset + int(length) if length else None
        _check_space(part, None if total is None else total - offset)
        if progress is not None:
            progress(offset, total)
        with part.open('ab' if continued else 'wb') as stream:
            while block := response.read(_BLOCK):
                stream.write(block)
                offset += len(block)
                if progress is not None:
                    progress(offset, total)
                if total is not None and offset > total:
                    break
    return total is None or offset >= total


class _KeepTls(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https, and to http only from http."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """The next request."""
        schemes = urlsplit(req.full_url).scheme, urlsplit(urljoin(req.full_url, newurl)).scheme
        if schemes[1] != 'https' and schemes != ('http', 'http'):
            raise DownloadError(f'expected {req.full_url} to lead to an https address, got a '
                                f'redirect to {newurl}')
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _range_start(response: http.client.HTTPResponse) -> int | None:
    text = response.headers.get('Content-Range', '')
    start = text.removeprefix('bytes ').split('-')[0]
    return int(start) if start.isdigit() else None


def _check_space(part: Path, needed: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed is not None and needed > free:
        raise OSError(errno.ENOSPC, f'{needed} more bytes needed, {free} free')


@contextmanager
def _disk_errors(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DownloadError(
            f'expected space on the disk of {part.parent}, got: {error.strerror}; free some, or '
            'set REFDIFF_HOME to a folder on another disk, and run the command again (what has '
            'been received is kept)') from error


def reason_of(url: str, error: BaseException) -> str:
    """Why an address could not be reached, in a few words.

    Raises:
        DownloadError: its certificate is not trusted, which trying again does not change.
    """
    reason = getattr(error, 'reason', error)
    text = str(reason) or type(reason).__name__
    if _is_untrusted(error):
        raise DownloadError(
            f'expected a certificate of {urlsplit(url).netloc} that this machine trusts, got: '
            f'{text}; where a company signs for other hosts, set SSL_CERT_FILE to a PEM file with '
            'its certificate') from error
    return text


def _is_untrusted(error: BaseException | None) -> bool:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        reason = getattr(error, 'reason', None)
        for one in (error, reason):
            if isinstance(one, ssl.SSLCertVerificationError) \
                    or 'CERTIFICATE_VERIFY_FAILED' in str(one):
                return True
        error = error.__cause__ or error.__context__
    return False


def proxy_of(url: str) -> str:
    """The proxy that requests to `url` go through, without its password; '' for none."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme, '')
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return ''
    return proxy.rpartition('@')[2]


def no_answer_message(url: str, reason: str) -> str:
    """What to tell when an address does not answer."""
    proxy = proxy_of(url)
    if proxy:
        host, scheme = urlsplit(url).hostname, urlsplit(url).scheme
        return (f'expected {url} to answer through the proxy {proxy}, which the environment '
                f'variable {scheme}_proxy names, got: {reason}; correct the variable, or add '
                f'{host} to no_proxy')
    return f'expected {url} to answer, got: {reason}; {_NO_NETWORK}'


def status_message(url: str, status: int) -> str:
    """What to tell when an address answers with an error."""
    if status == 404:
        return (f'expected a file at {url}, got status 404: it does not exist there; check the '
                "bundle's repository, revision and path")
    if status in (401, 403):
        return (f'expected {url} to be readable, got status {status}: the server does not give '
                'it to everybody; for a model on the hub accept its terms there and set HF_TOKEN')
    if status == 407:
        return (f'expected {url} to be readable, got status 407: the proxy {proxy_of(url)} asks '
                'for a user and password; put them into its address in the environment')
    return f'expected {url} to answer with a file, got status {status}'
