"""The operator page in the node's process: its server on a thread of its own."""

import asyncio
from concurrent.futures import Future
import logging
import ssl
import threading
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.ros.web.access import Access
from refdiff_ros.ros.web.credentials import file_state, read_token, tls_context
from refdiff_ros.ros.web.follower_link import FollowerLink
from refdiff_ros.ros.web.hub import Hub, Robot
from refdiff_ros.ros.web.listener import Listener
from refdiff_ros.ros.web.refusals import http_log, Refusals

_LOG = logging.getLogger(__name__)
_START_S = 10.0
_STOP_S = 5.0
# An idle connection of somebody who may see the page is closed after this long.
_KEEP_ALIVE_S = 15.0


class OperatorPage:
    """Serves the page while the node is configured; without `web_port` it is never there.

    What the node hands over (`offer`, `frame_came`, `said`, `report`) costs it no more than a
    look at an attribute while nobody watches.
    """

    def __init__(self, robot: Robot):
        self._robot = robot
        self._hub: Hub | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._served: tuple[Any, ...] | None = None
        self._follower: FollowerLink | None = None

    def apply(self, config: NodeConfig) -> None:
        """Serve as `config` says; a server that does so already goes on.

        Raises:
            BadRequestError: the address, the token, the certificate or the port cannot be used.
            MissingPackageError: aiohttp is not installed.
        """
        if config.web_port == 0:
            self.stop()
            return
        files = config.web_certificate, config.web_key
        try:
            access = Access(config.web_address, read_token(config.web_token_file))
            tls = tls_context(*files)
        except BadRequestError:
            self.stop()
            raise
        wanted = (config.web_address, config.web_port, config.web_follower, access.token,
                  *map(file_state, files))
        if wanted == self._served:
            return
        self.stop()
        require_package('aiohttp', 'web')
        self._start(access, config.web_port, tls)
        self._served = wanted
        hub, follower = self._hub, self._robot.follower
        if hub is not None and follower is not None and config.web_follower:
            hub.follower = self._follower = follower(config.web_follower, hub.tell)
        self._say_where(access, config.web_port, tls)

    @staticmethod
    def _say_where(access: Access, port: int, tls: ssl.SSLContext | None) -> None:
        _LOG.info('operator page: %s://%s:%d/%s', 'http' if tls is None else 'https',
                  _in_url(access.address), port, ' (asks for the token)' if access.token else '')
        if tls is None and not access.loopback:
            _LOG.warning(
                'operator page: it is served without TLS, so that the network can read the token '
                'and the pictures: set web_certificate and web_key')

    def stop(self) -> None:
        """End the server, if there is one."""
        loop, thread = self._loop, self._thread
        self._hub = self._loop = self._thread = self._served = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_STOP_S)
        if self._follower is not None:
            self._follower.destroy()
            self._follower = None

    def offer(self, answer: Answer, candidates: int, standing: bool) -> None:
        """A new answer, with at most `candidates` regions to show; `standing` or to a call."""
        if (hub := self._hub) is not None:
            hub.offer(answer, candidates, standing)

    def frame_came(self) -> None:
        """A new camera picture is there."""
        if (hub := self._hub) is not None:
            hub.frame_came()

    def said(self, text: str) -> None:
        """The standing expression is another one; '' for none."""
        if (hub := self._hub) is not None:
            hub.said(text)

    def report(self, array: Any) -> None:
        """The newest `DiagnosticArray` of the node."""
        if (hub := self._hub) is not None:
            hub.report(array)

    def _start(self, access: Access, port: int, tls: ssl.SSLContext | None) -> None:
        started: Future = Future()
        loop = asyncio.new_event_loop()
        thread = threading.Thread(
            target=_serve, args=(loop, self._robot, access, port, tls, started),
            name='refdiff_page', daemon=True)
        thread.start()
        try:
            self._hub = started.result(_START_S)
        except OSError as error:
            raise BadRequestError(
                f'the operator page cannot be served on {access.address} port {port} '
                f'({error.strerror or error}): set web_port to another port, or to 0 for no page'
            ) from error
        self._loop, self._thread = loop, thread


def _serve(loop: asyncio.AbstractEventLoop, robot: Robot, access: Access, port: int,
           tls: ssl.SSLContext | None, started: Future) -> None:
    """The thread: serve until the loop is stopped."""
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(_log_trouble)
    hub = Hub(robot, loop)
    server = _Running(access, hub, loop)
    try:
        loop.run_until_complete(server.start(access.address, port, tls))
    except Exception as error:  # handed to whoever waits for the start
        started.set_exception(error)
    else:
        pictures = loop.create_task(hub.run())
        started.set_result(hub)
        loop.run_forever()
        pictures.cancel()
    loop.run_until_complete(server.end())
    loop.close()


class _Running:
    """The web server and its sockets, on the loop's thread."""

    def __init__(self, access: Access, hub: Hub, loop: asyncio.AbstractEventLoop):
        from aiohttp import web

        from refdiff_ros.ros.web.server import make_app

        self._refusals = Refusals(loop.call_later)
        self._listener: Listener | None = None
        app = make_app(access, hub, self._refusals, self._trust)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0,
            keepalive_timeout=_KEEP_ALIVE_S, logger=http_log(self._refusals))

    def _trust(self, peer: Any) -> None:
        if self._listener is not None:
            self._listener.trust(peer)

    async def start(self, address: str, port: int, tls: ssl.SSLContext | None) -> None:
        await self._runner.setup()
        server: Any = self._runner.server
        self._listener = Listener(server, self._refusals, tls=tls)
        self._listener.listen(address, port)

    async def end(self) -> None:
        if self._listener is not None:
            self._listener.stop_accepting()
        await self._runner.cleanup()
        if self._listener is not None:
            self._listener.close()
            await asyncio.sleep(0)  # what is closed goes on the loop's next turn
        self._refusals.report()


def _log_trouble(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _LOG.error('operator page: %s', context['message'], exc_info=context.get('exception'))


def _in_url(address: str) -> str:
    return f'[{address}]' if ':' in address else address
