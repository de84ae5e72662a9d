"""A local HTTP server that speaks the hub's protocol, and can be told to misbehave."""

from contextlib import contextmanager
from dataclasses import dataclass, field
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
import ssl
import threading
from typing import Any
from urllib.parse import unquote

COMMIT = '0123456789abcdef0123456789abcdef01234567'
LARGE = 4096


@dataclass
class Hub:
    """What the server has and does.

    Attributes:
        files: content by 'owner/name/path'.
        plain: content by path, served at /plain/<path> without the hub's headers.
        cut_after: break off the next so many GETs of a large file after this many bytes.
        cuts: how many GETs are broken off.
        replaced: content sent in place of what the headers promise, by path.
        refused: how many requests are answered 503 before any other.
        ignores_range: whether whole files are sent to those who ask for a part.
        redirects_small: whether small files are answered by a redirect within the hub.
        requests: (method, path, Range header or '', bytes sent), in order.
        authorized: whether each request carried a token.
        agents: the User-Agent of each request.
        commit: sent as X-Repo-Commit.
        gated: repositories with terms that nobody accepted.
        hold: large files stop in their middle until this is set; None for no such stop.
        mirror_of: where everything is redirected to (308), as some mirrors do; '' for nowhere.
        url: where it listens.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    plain: dict[str, bytes] = field(default_factory=dict)
    cut_after: int = 0
    cuts: int = 0
    replaced: dict[str, bytes] = field(default_factory=dict)
    refused: int = 0
    ignores_range: bool = False
    redirects_small: bool = False
    requests: list[tuple[str, str, str, int]] = field(default_factory=list)
    authorized: list[bool] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    commit: str = COMMIT
    gated: tuple[str, ...] = ()
    hold: threading.Event | None = None
    mirror_of: str = ''
    url: str = ''

    def gets(self) -> list[tuple[str, str, str, int]]:
        """The GET requests of files."""
        return [r for r in self.requests if r[0] == 'GET']


def _git_id(content: bytes) -> str:
    blob = f'blob {len(content)}\0'.encode() + content
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()


def use_hub(monkeypatch: Any, home: Path, hub: 'Hub') -> None:
    """Have this process ask `hub` and keep bundles below `home`."""
    monkeypatch.setenv('HF_ENDPOINT', hub.url)
    monkeypatch.setenv('REFDIFF_HOME', str(home))
    monkeypatch.setenv('HF_HOME', str(home / 'nothing'))
    monkeypatch.setenv('NO_PROXY', '127.0.0.1,localhost')
    for name in ('HF_TOKEN', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE', 'REFDIFF_OFFLINE',
                 'REFDIFF_MIRROR'):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def hub_server(certificate: tuple[Path, Path] | None = None):
    """Run a hub on a free port; gives its `Hub`.

    Args:
        certificate: files of a certificate of localhost and its key, for https.
    """
    hub = Hub()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    scheme = 'http'
    if certificate is not None:
        scheme, context = 'https', ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    hub.url = f'{scheme}://127.0.0.1:{server.server_port}'
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    state: Hub

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._respond(body=False)

    def do_GET(self):
        self._respond(body=True)

    def _respond(self, body: bool) -> None:
        hub, path = self.state, unquote(self.path)
        if hub.refused:
            hub.refused -= 1
            return self._plain(503, b'later', {}, body)
        if hub.mirror_of:
            return self._plain(308, b'', {'Location': hub.mirror_of + self.path}, body)
        if path.startswith('/cached/'):
            content = hub.files[path.removeprefix('/cached/')]
            headers = {'ETag': f'"{_git_id(content)}"', 'X-Repo-Commit': hub.commit}
            return self._content(path, content, headers, body)
        if path.startswith('/plain/') or path.startswith('/cdn/'):
            _, kind, key = path.split('/', 2)
            content = (hub.plain if kind == 'plain' else hub.files).get(key)
            return self._content(key, content, {}, body)
        if path.count('/') < 5:
            return self._plain(404, b'', {}, body)
        return self._resolve(path, body)

    def _resolve(self, path: str, body: bool) -> None:
        hub = self.state
        owner, name, resolve, revision, key = path.lstrip('/').split('/', 4)
        if f'{owner}/{name}' in hub.gated:
            return self._plain(401, b'', {'X-Error-Code': 'GatedRepo'}, body)
        if not any(known.startswith(f'{owner}/{name}/') for known in hub.files):
            # The hub does not say which private repositories there are.
            return self._plain(401, b'', {'X-Error-Code': 'RepoNotFound'}, body)
        if resolve != 'resolve' or revision not in ('main', 'v1', COMMIT):
            return self._plain(404, b'', {'X-Error-Code': 'RevisionNotFound'}, body)
        key = f'{owner}/{name}/{key}'
        content = hub.files.get(key)
        if content is None:
            return self._plain(404, b'Entry not found', {'X-Error-Code': 'EntryNotFound'}, body)
        headers = {'X-Repo-Commit': hub.commit}
        if len(content) >= LARGE:
            # Large files live on another host; the checksum is in the redirect.
            store = hub.url.replace('127.0.0.1', 'localhost')
            headers |= {'X-Linked-Etag': f'"{hashlib.sha256(content).hexdigest()}"',
                        'X-Linked-Size': str(len(content)), 'Location': f'{store}/cdn/{key}'}
            return self._plain(302, b'', headers, body)
        if hub.redirects_small:
            return self._plain(307, b'', headers | {'Location': f'/cached/{key}'}, body)
        headers['ETag'] = f'"{_git_id(content)}"'
        return self._content(key, content, headers, body)

    def _content(self, key: str, content: bytes | None, headers: dict, body: bool) -> None:
        if content is None:
            return self._plain(404, b'not found', {}, body)
        hub = self.state
        content = hub.replaced.get(key, content)
        status, start = 200, 0
        wanted = self.headers.get('Range')
        if wanted and not hub.ignores_range:
            start = int(wanted.removeprefix('bytes=').rstrip('-'))
            if start >= len(content):
                return self._plain(416, b'', {'Content-Range': f'bytes */{len(content)}'}, body)
            status = 206
            headers = headers | {
                'Content-Range': f'bytes {start}-{len(content) - 1}/{len(content)}'}
        rest = content[start:]
        if body and hub.cuts and len(content) >= LARGE:
            hub.cuts -= 1
            return self._plain(status, rest, headers, body, hub.cut_after)
        return self._plain(status, rest, headers, body)

    def _plain(self, status: int, content: bytes, headers: dict, body: bool,
               cut_after: int | None = None) -> None:
        sent = content if cut_after is None else content[:cut_after]
        # Recorded first: the client may look as soon as it has the last byte.
        self.state.requests.append(
            (self.command, self.path, self.headers.get('Range', ''), len(sent) if body else 0))
        self.state.authorized.append('Authorization' in self.headers)
        self.state.agents.append(self.headers.get('User-Agent', ''))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        if not body:
            return
        if self.state.hold is not None and len(sent) >= LARGE:
            self.wfile.write(sent[:len(sent) // 2])
            self.wfile.flush()
            self.state.hold.wait(120)
            sent = sent[len(sent) // 2:]
        self.wfile.write(sent)
        if cut_after is not None:
            self.wfile.flush()
            self.close_connection = True
