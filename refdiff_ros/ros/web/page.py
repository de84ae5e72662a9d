"""The operator page in the node's process: its server on a thread of its own."""

import asyncio
from concurrent.futures import Future
import logging
import threading
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package
from refdiff_ros.ros.answers import Answer
from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.ros.web.access import Access
from refdiff_ros.ros.web.follower_link import FollowerLink
from refdiff_ros.ros.web.hub import Hub, Robot

_LOG = logging.getLogger(__name__)
_START_S = 10.0
_STOP_S = 5.0


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
        self._served: tuple[str, int, str, str] | None = None
        self._follower: FollowerLink | None = None

    def apply(self, config: NodeConfig) -> None:
        """Serve as `config` says; a server that does so already goes on.

        Raises:
            BadRequestError: the address, the token or the port cannot be used.
            MissingPackageError: aiohttp is not installed.
        """
        wanted = (config.web_address, config.web_port, config.web_token, config.web_follower)
        if wanted == self._served:
            return
        self.stop()
        if config.web_port == 0:
            return
        access = Access(config.web_address, config.web_token)
        require_package('aiohttp', 'web')
        self._start(access, config.web_port)
        self._served = wanted
        hub, follower = self._hub, self._robot.follower
        if hub is not None and follower is not None and config.web_follower:
            hub.follower = self._follower = follower(config.web_follower, hub.tell)
        _LOG.info('operator page: http://%s:%d/%s', _in_url(access.address), config.web_port,
                  ' (asks for web_token)' if access.token else '')

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

    def _start(self, access: Access, port: int) -> None:
        started: Future = Future()
        loop = asyncio.new_event_loop()
        thread = threading.Thread(
            target=_serve, args=(loop, self._robot, access, port, started),
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
           started: Future) -> None:
    """The thread: serve until the loop is stopped."""
    from aiohttp import web

    from refdiff_ros.ros.web.server import make_app

    asyncio.set_event_loop(loop)
    hub = Hub(robot, loop)
    runner = web.AppRunner(make_app(access, hub), access_log=None, handle_signals=False,
                           shutdown_timeout=1.0)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, access.address, port, reuse_address=True).start()
    try:
        loop.run_until_complete(start())
    except Exception as error:  # handed to whoever waits for the start
        started.set_exception(error)
    else:
        pictures = loop.create_task(hub.run())
        started.set_result(hub)
        loop.run_forever()
        pictures.cancel()
    loop.run_until_complete(runner.cleanup())
    loop.close()


def _in_url(address: str) -> str:
    return f'[{address}]' if ':' in address else address
