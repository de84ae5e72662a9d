"""The operator page's web server: page, login and websocket, with the rules of `access`."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
import json
import math
from typing import Any

from aiohttp import web, WSMsgType

from refdiff_ros.errors import BadRequestError, RefDiffError
from refdiff_ros.ros.web.access import Access, bearer_token
from refdiff_ros.ros.web.answer_view import grasp_view
from refdiff_ros.ros.web.choice import choose
from refdiff_ros.ros.web.connections import address_of
from refdiff_ros.ros.web.guesses import Guesses
from refdiff_ros.ros.web.hub import Hub, Viewer
from refdiff_ros.ros.web.refusals import Refusals

COOKIE = 'refdiff_session'
# More browsers than this are sent away.
MOST_VIEWERS = 8
# Characters of an expression; the text encoder reads far fewer.
LONGEST_EXPRESSION = 500
_LONGEST_MESSAGE = 8192
# What a browser may ask of the node that follows orders.
_FOLLOWER = ('order', 'answer', 'stop', 'cancel', 'resume', 'put_back')
_HEADERS = {
    'Content-Security-Policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    # With 'no-referrer' browsers send the login form with the Origin 'null'.
    'Referrer-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-store',
}
_TYPES = {'.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript',
          '.svg': 'image/svg+xml'}


def make_app(access: Access, hub: Hub, refusals: Refusals,
             trust: Callable[[Any], None]) -> web.Application:
    """The application: GET /, POST /login, GET /ws, and the files of `assets`.

    Args:
        access: who may see the page.
        hub: what it shows.
        refusals: counts who may not.
        trust: takes the peer, as a transport tells it, whose connection is kept open.
    """
    server = _Server(access, hub, refusals, trust)
    app = web.Application(middlewares=[server.guard], client_max_size=_LONGEST_MESSAGE)
    app.add_routes([
        web.get('/', server.page), web.post('/login', server.login),
        web.get('/ws', server.websocket), web.get('/assets/{name}', server.asset)])
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(server.close)
    return app


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    if not request.get('admitted'):  # a stranger has one request a connection
        response.headers['Connection'] = 'close'
        response.force_close()


def _assets() -> dict[str, bytes]:
    folder = resources.files('refdiff_ros.ros.web') / 'assets'
    return {item.name: item.read_bytes() for item in folder.iterdir()
            if '.' + item.name.rpartition('.')[2] in _TYPES}


class _Server:
    def __init__(self, access: Access, hub: Hub, refusals: Refusals,
                 trust: Callable[[Any], None]):
        self._access = access
        self._hub = hub
        self._refusals = refusals
        self._trust = trust
        self._guesses = Guesses()
        self._assets = _assets()
        self._sockets: set[web.WebSocketResponse] = set()
        self._tasks: set[asyncio.Task] = set()

    @web.middleware
    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Turn away what comes under another name, and learn who may see the page."""
        if not self._access.host_allowed(request.host):
            self._refuse(request, 'requests under a name that is not this machine\'s')
            raise web.HTTPForbidden(
                text='expected to be asked for as localhost or 127.0.0.1: open the page under '
                     'that name (through a tunnel too), or set web_address and web_token_file')
        if self._admitted(request):
            request['admitted'] = True
            self._trust(request.get_extra_info('peername'))
        return await handler(request)

    def _admitted(self, request: web.Request) -> bool:
        if self._access.knows_session(request.cookies.get(COOKIE, '')):
            return True
        token = bearer_token(request.headers.get('Authorization', ''))
        if not token:
            return False
        wait_s = self._guesses.wait_s(_address(request))
        if wait_s > 0:
            self._refuse(request, 'tokens too soon after wrong ones')
            raise web.HTTPTooManyRequests(
                text=_wait_words(wait_s), headers={'Retry-After': str(math.ceil(wait_s))})
        return self._right(request, token)

    def _right(self, request: web.Request, token: str) -> bool:
        """Whether it is the token; a wrong one is counted."""
        if self._access.knows_token(token):
            return True
        self._guesses.wrong(_address(request))
        self._refuse(request, 'wrong tokens')
        return False

    def _refuse(self, request: web.Request, kind: str) -> None:
        self._refusals.count(kind, _address(request))

    def _file(self, name: str, status: int = 200) -> web.Response:
        kind = _TYPES['.' + name.rpartition('.')[2]]
        return web.Response(body=self._assets[name], content_type=kind, charset='utf-8',
                            status=status)

    def _login_form(self, status: int, text: str = '') -> web.Response:
        form = self._assets['login.html'].decode()
        if text:
            form = form.replace('<!-- wrong -->', f'<p class="error" role="alert">{text}</p>')
        return web.Response(text=form, content_type='text/html', status=status)

    async def page(self, request: web.Request) -> web.Response:
        """The page, or the form that asks for the token."""
        if request.get('admitted'):
            return self._file('page.html')
        return self._login_form(401)

    async def asset(self, request: web.Request) -> web.Response:
        """A file of the page; they hold no secret."""
        name = request.match_info['name']
        if name not in self._assets:
            raise web.HTTPNotFound(text=f'there is no file {name[:80]!r}')
        return self._file(name)

    async def login(self, request: web.Request) -> web.Response:
        """Take the token of the form and give the session's cookie."""
        self._same_origin(request)
        token = str((await request.post()).get('token', ''))
        wait_s = self._guesses.wait_s(_address(request))
        if wait_s > 0:
            self._refuse(request, 'tokens too soon after wrong ones')
            return self._login_form(429, _wait_words(wait_s))
        if not self._right(request, token):
            return self._login_form(401, 'This is not the token.')
        response = web.HTTPSeeOther('/')
        response.set_cookie(COOKIE, self._access.session, httponly=True, samesite='Strict',
                            secure=request.secure)
        raise response

    def _same_origin(self, request: web.Request) -> None:
        if not self._access.origin_allowed(request.headers.get('Origin'), request.host):
            self._refuse(request, 'requests from pages of other sites')
            raise web.HTTPForbidden(text='expected to be asked by the operator page itself, not '
                                         'by another site')

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        """What one browser shows and says, until it goes."""
        self._same_origin(request)
        if not request.get('admitted'):
            raise web.HTTPUnauthorized(text='expected the token: open the page and enter it')
        if len(self._sockets) >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(
                text=f'{MOST_VIEWERS} browsers look already: close one')
        socket, viewer = web.WebSocketResponse(
            heartbeat=10.0, max_msg_size=_LONGEST_MESSAGE, compress=False), Viewer()
        self._sockets.add(socket)
        try:
            await socket.prepare(request)
            self._hub.join(viewer)
            sender = asyncio.create_task(_send(socket, viewer))
            try:
                async for msg in socket:
                    if msg.type is WSMsgType.TEXT:
                        await self._take(viewer, msg.data)
            finally:
                sender.cancel()
        finally:
            self._hub.viewers.discard(viewer)
            self._sockets.discard(socket)
        return socket

    async def close(self, _app: web.Application) -> None:
        """Tell the browsers that the server ends."""
        for socket in list(self._sockets):
            await socket.close(code=1001, message=b'the node ends its page')

    async def _take(self, viewer: Viewer, text: str) -> None:
        asked = ''
        try:
            message = json.loads(text)
            asked = message['do']
            done = await self._do(viewer, asked, message)
        except RefDiffError as error:
            viewer.tell('done', {'for': asked, 'ok': False, 'text': str(error)})
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            viewer.tell('done', {'for': str(asked)[:20], 'ok': False,
                                 'text': f'this message cannot be read: {error!r:.200}'})
        else:
            if done:
                viewer.tell('done', {'for': asked, 'ok': True, **done})

    async def _do(self, viewer: Viewer, asked: str, message: dict[str, Any]) -> dict[str, Any]:
        """Do what the browser asks; what to tell its user."""
        if asked == 'shown':
            viewer.ready = True
            viewer.wake.set()
        elif asked == 'look':
            viewer.live, viewer.attention = bool(message['live']), bool(message['attention'])
            self._hub.refresh()
        elif asked == 'say':
            return self._say(message['text'])
        elif asked == 'choose':
            return await self._choose(message)
        elif asked in _FOLLOWER:
            # In a task: a stop must not wait for the answer to an order.
            task = asyncio.create_task(self._follow(viewer, asked, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            wanted = ', '.join(('shown', 'look', 'say', 'choose', *_FOLLOWER))
            raise BadRequestError(f"expected 'do' as one of {wanted}, got {asked!r:.40}")
        return {}

    async def _follow(self, viewer: Viewer, asked: str, message: dict[str, Any]) -> None:
        """What is for the node that follows orders."""
        try:
            text = await self._of_follower(asked, message)
        except RefDiffError as error:
            viewer.tell('done', {'for': asked, 'ok': False, 'text': str(error)})
        except (KeyError, TypeError, ValueError, OverflowError, AssertionError) as error:
            viewer.tell('done', {'for': asked, 'ok': False,
                                 'text': f'this message cannot be read: {error!r:.200}'})
        else:
            viewer.tell('done', {'for': asked, 'ok': True, 'text': text})

    async def _of_follower(self, asked: str, message: dict[str, Any]) -> str:
        follower = self._hub.follower
        if follower is None:
            raise BadRequestError('this page gives no orders: set web_follower to the name of '
                                  'the node that follows them')
        if asked == 'order':
            return await follower.order(' '.join(str(message['text']).split()))
        if asked == 'answer':
            return await follower.answer(message)
        if asked == 'stop':
            return await follower.stop()
        return await (follower.cancel() if asked == 'cancel' else follower.trigger(asked))

    def _say(self, text: Any) -> dict[str, Any]:
        if not isinstance(text, str) or len(text) > LONGEST_EXPRESSION:
            raise BadRequestError(
                f'expected an expression of at most {LONGEST_EXPRESSION} characters: say it '
                'shorter')
        reason = self._hub.robot.say(' '.join(text.split()))
        if reason:
            raise BadRequestError(reason)
        return {'text': 'asked' if text.strip() else 'cleared'}

    async def _choose(self, message: dict[str, Any]) -> dict[str, Any]:
        shown = self._hub.shown
        if shown is None:
            raise BadRequestError('there is no answer to choose from')
        point = int(message['point'][0]), int(message['point'][1])
        box = [float(side) for side in message['box'][:4]]
        # The grasp region takes milliseconds: not on the loop.
        chosen = await asyncio.to_thread(choose, shown.answer, point, box, shown.candidates)
        topic = self._hub.robot.select(chosen)
        return {'text': f'{chosen.reason}: sent on {topic}', 'box': box,
                'grasp': grasp_view(chosen.grasp)}


def _address(request: web.Request) -> str:
    peer = request.get_extra_info('peername')
    return address_of(peer[0]) if peer else 'one that is gone'


def _wait_words(wait_s: float) -> str:
    return f'Too many wrong tokens from this address: try again in {math.ceil(wait_s)} s.'


async def _send(socket: web.WebSocketResponse, viewer: Viewer) -> None:
    with suppress(ConnectionError):  # the browser went
        while not socket.closed:
            await viewer.wake.wait()
            viewer.wake.clear()
            for text in viewer.texts():
                await socket.send_str(text)
            picture = viewer.picture()
            if picture is not None:
                await socket.send_bytes(picture)
