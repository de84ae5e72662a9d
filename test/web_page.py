"""The operator page alone, and what a browser would say to it and hear from it."""

import asyncio
import http.client
import json

import aiohttp
from web_answers import unpack

from refdiff_ros.ros.parameters import NodeConfig
from refdiff_ros.ros.web.hub import Robot
from refdiff_ros.ros.web.page import OperatorPage

TOKEN = 'a token long enough'


def token_file(folder):
    """A file of the right mode with the token in it."""
    path = folder / 'token'
    path.write_text(TOKEN)
    path.chmod(0o600)
    return path


def page(**values):
    """A page with nothing behind it."""
    served = OperatorPage(Robot(lambda text: '', lambda answer: '', lambda: None, lambda: ''))
    served.apply(NodeConfig(**values))
    return served


def request(port, method='GET', path='/', body=None, **headers):
    """(status, headers, body) of one HTTP request; names of headers with _ for -."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=250)
    connection.request(method, path, body, {k.replace('_', '-'): v for k, v in headers.items()})
    answer = connection.getresponse()
    body = answer.read().decode(errors='replace')
    connection.close()
    return answer.status, answer.headers, body


class Browser:
    """What a browser's websocket would say and hear."""

    def __init__(self, socket):
        self._socket = socket
        self.heard = []

    async def tell(self, **message):
        await self._socket.send_json(message)

    async def send_text(self, text):
        await self._socket.send_str(text)

    async def hear(self, wanted, timeout_s=200.0):
        """Until a message of which `wanted(head)` is true; its head, parts with 'parts'."""
        async with asyncio.timeout(timeout_s):
            while True:
                msg = await self._socket.receive()
                if msg.type is aiohttp.WSMsgType.BINARY:
                    _, head, head['parts'] = unpack(msg.data)
                    await self.tell(do='shown')
                else:
                    assert msg.type is aiohttp.WSMsgType.TEXT, msg
                    head = json.loads(msg.data)
                self.heard.append(head)
                if wanted(head):
                    return head


def browse(port, steps, **headers):
    """Run `steps(browser)` on a websocket."""
    async def run():
        async with aiohttp.ClientSession() as session, session.ws_connect(
                f'http://127.0.0.1:{port}/ws', headers=headers) as link:
            return await steps(Browser(link))
    return asyncio.run(run())


def of(what):
    return lambda head: head['what'] == what
