"""A headless Chromium that tests drive through its DevTools protocol."""

import asyncio
import base64
import itertools
import json
from pathlib import Path
import shutil
import subprocess
import time
from typing import Any

import aiohttp

WHY_SKIPPED = "no Chromium here: 'apt-get install -y chromium' brings it"
_NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')


def find() -> str | None:
    """The browser's path, or None where none is installed."""
    return next((path for path in map(shutil.which, _NAMES) if path), None)


class Chromium:
    """One browser with one page.

    Args:
        folder: for its profile; a new one.
        dark: whether the page is told that its user wants it dark.
        size: width and height of the window, pixels.
    """

    def __init__(self, folder: Path, dark: bool = False, size: tuple[int, int] = (1280, 900)):
        self._process = subprocess.Popen(
            [find(), '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run',
             '--disable-dev-shm-usage', '--remote-debugging-port=0', '--hide-scrollbars',
             f'--user-data-dir={folder}', 'about:blank'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._loop = asyncio.new_event_loop()
        self._numbers = itertools.count(1)
        self.trouble: list[str] = []
        self._do(self._connect(folder / 'DevToolsActivePort'))
        for domain in ('Page', 'Runtime', 'Log'):
            self.command(f'{domain}.enable')
        self.resize(*size)
        self.command('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])

    def _do(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)

    async def _connect(self, port_file: Path) -> None:
        end = time.monotonic() + 200
        while not (port_file.exists() and port_file.read_text().strip()):
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError('Chromium did not start')
            await asyncio.sleep(0.05)
        self._http = aiohttp.ClientSession()
        port = port_file.read_text().splitlines()[0]
        async with self._http.get(f'http://127.0.0.1:{port}/json/list') as answer:
            pages = [p for p in await answer.json(content_type=None) if p['type'] == 'page']
        self._socket = await self._http.ws_connect(
            pages[0]['webSocketDebuggerUrl'], max_msg_size=0)

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """One DevTools command and its result."""
        return self._do(self._command(method, params))

    async def _command(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({'id': number, 'method': method, 'params': params})
        while True:
            message = json.loads((await self._socket.receive(timeout=250)).data)
            if message.get('id') == number:
                if 'error' in message:
                    raise AssertionError(f'{method}: {message["error"]}')
                return message['result']
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get('params', {})
        if message['method'] == 'Runtime.exceptionThrown':
            self.trouble.append(json.dumps(params['exceptionDetails'])[:500])
        if message['method'] == 'Log.entryAdded' and params['entry']['level'] == 'error':
            self.trouble.append(params['entry']['text'] + ' ' + params['entry'].get('url', ''))

    def open(self, url: str) -> None:
        """Go to a page; does not wait for it."""
        self.command('Page.navigate', url=url)

    def js(self, expression: str) -> Any:
        """The value of a JavaScript expression, promises awaited."""
        result = self.command('Runtime.evaluate', expression=expression, returnByValue=True,
                              awaitPromise=True)
        if 'exceptionDetails' in result:
            raise AssertionError(f'{expression}: {json.dumps(result["exceptionDetails"])[:500]}')
        return result['result'].get('value')

    def wait_for(self, expression: str, timeout_s: float = 200.0) -> Any:
        """Until a JavaScript expression is true; its value."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                value = self.js(expression)
            except AssertionError:  # the page is not there yet
                value = None
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f'never true: {expression}\n{self.trouble}\n' + str(self.js(
                    'document.body && document.body.innerText')))
            time.sleep(0.05)

    def text(self, id_: str) -> str:
        """The text of an element."""
        return self.js(f'document.getElementById({json.dumps(id_)}).textContent')

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.command('Input.insertText', text=text)

    def press(self, key: str) -> None:
        """Press a key: 'Enter', 'Tab', 'Escape'."""
        code = {'Enter': 13, 'Tab': 9, 'Escape': 27}[key]
        extra = {'text': '\r'} if key == 'Enter' else {}
        self.command('Input.dispatchKeyEvent', type='keyDown', key=key, code=key,
                     windowsVirtualKeyCode=code, **extra)
        self.command('Input.dispatchKeyEvent', type='keyUp', key=key, code=key,
                     windowsVirtualKeyCode=code)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window, CSS pixels."""
        for kind in ('mousePressed', 'mouseReleased'):
            self.command('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left',
                         clickCount=1)

    def resize(self, width: int, height: int) -> None:
        """Another size of the window."""
        self.command('Emulation.setDeviceMetricsOverride', width=width, height=height,
                     deviceScaleFactor=1, mobile=width < 600)

    def dark(self, on: bool) -> None:
        """Whether the user wants pages dark."""
        self.command('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme', 'value': 'dark' if on else 'light'}])

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        data = self.command('Page.captureScreenshot', format='png', captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(data['data']))

    def close(self) -> None:
        """End the browser."""
        self._do(self._end())
        self._loop.close()
        self._process.terminate()
        self._process.wait(30)

    async def _end(self) -> None:
        await self._socket.close()
        await self._http.close()
