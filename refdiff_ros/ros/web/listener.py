"""The sockets of the operator page: what is accepted, and for how long it may say nothing.

asyncio's own server takes whatever comes, for as long as it likes, and lets the TLS handshake of a
stranger last a minute. Here each connection is counted from the moment it is accepted.
"""

import asyncio
from collections.abc import Callable
import logging
import resource
import socket
import ssl
from typing import Any

from refdiff_ros.ros.web.connections import address_of, Connection, Connections, Limits
from refdiff_ros.ros.web.refusals import Refusals

_LOG = logging.getLogger(__name__)
# Connections that the kernel keeps until they are accepted; more only wait longer.
_BACKLOG = 64
# So many are accepted in a row, and after one that was turned away none for a moment: a flood must
# not take the interpreter from ROS.
_IN_A_ROW = 8
_PAUSE_S = 0.01

MakeProtocol = Callable[[], asyncio.Protocol]


class Listener:
    """Accepts the connections of one server; everything here belongs to the loop's thread.

    Args:
        make_protocol: gives what speaks HTTP on one connection.
        refusals: counts what is turned away.
        limits: of the connections.
        tls: for HTTPS, None for HTTP.
    """

    def __init__(self, make_protocol: MakeProtocol, refusals: Refusals,
                 limits: Limits | None = None, tls: ssl.SSLContext | None = None):
        self._make_protocol = make_protocol
        self._refusals = refusals
        self._limits = limits or Limits()
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._connections = Connections(self._limits)
        # By the other end, as the kernel names it.
        self._by_peer: dict[tuple, Connection] = {}
        self._sockets: list[socket.socket] = []

    def listen(self, address: str, port: int) -> None:
        """Begin to accept.

        Raises:
            OSError: the address is none of this machine's, or the port is taken.
        """
        fault: OSError | None = None
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
        # 'localhost' is two addresses, of which a machine may have one.
        for family, where in dict.fromkeys((each[0], each[4]) for each in found):
            try:
                server = socket.create_server(where, family=family, backlog=_BACKLOG)
            except OSError as error:
                fault = fault or error
                continue
            server.setblocking(False)
            self._sockets.append(server)
        if fault is not None and not self._sockets:
            raise fault
        self._resume()

    def stop_accepting(self) -> None:
        """Accept no more."""
        for server in self._sockets:
            self._loop.remove_reader(server)
            server.close()
        self._sockets.clear()

    def close(self) -> None:
        """Accept no more, and end what is open."""
        self.stop_accepting()
        for connection in self._connections.all():
            connection.close()

    def trust(self, peer: Any) -> None:
        """Whoever is at `peer`, as a transport tells it, may see the page: it is kept."""
        if (connection := self._by_peer.get(peer)) is not None:
            connection.trusted = True

    def _resume(self) -> None:
        for server in self._sockets:
            self._loop.add_reader(server, self._accept, server)

    def _pause(self) -> None:
        for server in self._sockets:
            self._loop.remove_reader(server)
        self._loop.call_later(_PAUSE_S, self._resume)

    def _accept(self, server: socket.socket) -> None:
        turned_away = False
        for _ in range(_IN_A_ROW):
            try:
                client, peer = server.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError:  # no descriptor, no memory: later
                self._refusals.count('connections for which no descriptor was left', 'anybody')
                turned_away = True
                break
            turned_away |= not self._take(client, peer)
        if turned_away:
            self._pause()

    def _take(self, client: socket.socket, peer: tuple) -> bool:
        """Serve a connection; False where it, or another one for it, was turned away."""
        address = address_of(peer[0])
        # The kernel gives the lowest free number: those below are taken.
        if client.fileno() >= _most_descriptors() - self._limits.reserved:
            self._refusals.count('connections, for the descriptors left are kept for ROS', address)
            client.close()
            return False
        client.setblocking(False)
        served = _Served(client, self._make_protocol)
        connection = Connection(address, served.close)
        dropped = self._connections.add(connection)
        if dropped is not None:
            self._refusals.count('connections over the limit', dropped.address)
        if dropped is connection:
            client.close()
            return False
        if dropped is not None:
            dropped.close()
        self._by_peer[peer] = connection
        served.start(self._tls, self._limits.silent_s, lambda: self._gone(peer, connection))
        self._loop.call_later(self._limits.silent_s, self._expire, connection, served)
        return dropped is None

    def _expire(self, connection: Connection, served: '_Served') -> None:
        if connection.trusted or connection not in self._connections:
            return
        if served.heard:  # a browser opens some in advance, and says nothing on them
            self._refusals.count('connections without a request in time', connection.address)
        connection.close()

    def _gone(self, peer: tuple, connection: Connection) -> None:
        self._connections.remove(connection)
        if self._by_peer.get(peer) is connection:
            del self._by_peer[peer]


class _Served:
    """One accepted socket, through the TLS handshake to its end."""

    def __init__(self, client: socket.socket, make_protocol: MakeProtocol):
        self._client = client
        self._make_protocol = make_protocol
        self._protocol: _Watched | None = None
        self._task: asyncio.Task | None = None

    @property
    def heard(self) -> bool:
        """Whether anything of a request has come."""
        return self._protocol is not None and self._protocol.heard

    def start(self, tls: ssl.SSLContext | None, patience_s: float,
              gone: Callable[[], None]) -> None:
        """Serve; `gone` is called at the end, once or twice."""
        self._gone = gone
        self._task = asyncio.get_running_loop().create_task(self._run(tls, patience_s))
        self._task.add_done_callback(self._started)

    def close(self) -> None:
        """End it at once, whatever is under way."""
        if self._protocol is not None and self._protocol.transport is not None:
            self._protocol.transport.abort()
        elif self._task is not None:
            self._task.cancel()

    async def _run(self, tls: ssl.SSLContext | None, patience_s: float) -> None:
        patience = {} if tls is None else {
            'ssl_handshake_timeout': patience_s, 'ssl_shutdown_timeout': patience_s}
        await asyncio.get_running_loop().connect_accepted_socket(
            self._make, self._client, ssl=tls, **patience)

    def _make(self) -> '_Watched':
        self._protocol = _Watched(self._make_protocol(), self._gone)
        return self._protocol

    def _started(self, task: asyncio.Task) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return
        if self._protocol is None:  # later asyncio closes it
            self._client.close()
        self._gone()
        if error is not None and not isinstance(error, OSError):  # that is a stranger's doing
            _LOG.error('operator page: a connection failed', exc_info=error)


class _Watched(asyncio.Protocol):
    """Hands everything to another protocol, and tells of the connection's end."""

    def __init__(self, protocol: asyncio.Protocol, ended: Callable[[], None]):
        self.transport: asyncio.Transport | None = None
        self.heard = False
        self._protocol = protocol
        self._ended = ended

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the transport, then go on."""
        self.transport = transport
        self._protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Go on."""
        self.heard = True
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        """Go on."""
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        """Go on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Go on."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Go on, then tell."""
        try:
            self._protocol.connection_lost(exc)
        finally:
            self._ended()


def _most_descriptors() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
