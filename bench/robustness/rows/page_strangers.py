"""Slow connections, guessed tokens, other sites and other names at the operator page at once."""

from collections import Counter
from contextlib import suppress
import http.client
import json
from pathlib import Path
import subprocess
import sys
import tempfile
import threading
import time

from row import Effort, Outcome, Row

CONNECTIONS, ADDRESSES, GUESSES_HZ = 2000, 40, 50
# Guesses that wait for their answer at a time: a busy page answers late.
_GUESSERS = 50
TOKEN = 'a token that nobody guesses'
# An answer later than this counts as lost, seconds.
PATIENCE_S = 30.0
_LORIS = Path(__file__).resolve().parents[3] / 'test' / 'slow_loris.py'


def ask(port: int, path: str = '/', source: str = '127.0.0.2', **headers: str) -> str:
    """The status of one request, or how it failed."""
    connection = http.client.HTTPConnection('127.0.0.1', port, PATIENCE_S, (source, 0))
    try:
        connection.request('GET', path, None, {k.replace('_', '-'): v for k, v in headers.items()})
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


class Attack:
    """Everything at once, on threads, until it is told to end."""

    def __init__(self, port: int):
        self._port = port
        self._end = threading.Event()
        self.statuses: dict[str, Counter] = {
            name: Counter() for name in ('guess', 'other site', 'other name', 'slow')}
        self._threads = [threading.Thread(target=work)
                         for work in (self._sites, *[self._guess] * _GUESSERS)]
        self._slow = subprocess.Popen(
            [sys.executable, str(_LORIS), str(port), str(CONNECTIONS), str(ADDRESSES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._slow.stdout.readline()
        for thread in self._threads:
            thread.start()

    def _guess(self) -> None:
        began_s, number = time.monotonic(), 0
        while not self._end.wait(
                max(began_s + number * _GUESSERS / GUESSES_HZ - time.monotonic(), 0)):
            number += 1
            self.statuses['guess'][ask(
                self._port, source='127.0.0.3', Authorization=f'Bearer guess {number}')] += 1

    def _sites(self) -> None:
        upgrade = {'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec_WebSocket_Version': '13',
                   'Sec_WebSocket_Key': 'AAAAAAAAAAAAAAAAAAAAAA=='}
        while not self._end.wait(0.2):
            self.statuses['other site'][ask(
                self._port, '/ws', Origin='http://evil.example', **upgrade)] += 1
            self.statuses['other name'][ask(self._port, Host='evil.example')] += 1

    def end(self) -> None:
        """Stop, and take what the slow ones saw."""
        self._end.set()
        for thread in self._threads:
            thread.join()
        self.statuses['slow'].update(json.loads(self._slow.communicate()[0]))

    @property
    def let_in(self) -> int:
        """How many requests of strangers were answered with more than a refusal."""
        answered = Counter()
        for counts in self.statuses.values():
            for what, number in counts.items():
                answered[what.removeprefix('answered ')] += number
        return sum(number for what, number in answered.items() if what[:1] in ('1', '2', '3'))


def measure(effort: Effort) -> Outcome:
    """Calls of a ROS client and a look of somebody with the token, throughout."""
    from free_port import free_port
    from ros_graph import GraphClient, image, NodeProcess

    port, sent = free_port(), image()
    with tempfile.TemporaryDirectory() as folder:
        token = Path(folder, 'token')
        token.touch(0o600)
        token.write_text(TOKEN)
        node = NodeProcess({'web_port': port, 'web_token_file': str(token)})
        client = GraphClient()
        calls, looks, took_s = [], Counter(), []
        try:
            node.wait_for_output('active: images')
            quiet_s = _call(client, sent)[1]
            attack = Attack(port)
            try:
                while effort.left_s > 20:
                    status, seconds = _call(client, sent)
                    calls.append(status)
                    took_s.append(seconds)
                    looks[ask(port, source='127.0.0.4', Authorization=f'Bearer {TOKEN}')] += 1
                    time.sleep(0.1)
            finally:
                attack.end()
        finally:
            client.close()
            node.stop()
    lost = sum(status is None for status in calls)
    figure = (
        f'{len(calls) - lost} of {len(calls)} calls answered, the slowest in '
        f'{max(took_s):.2f} s ({quiet_s:.2f} s before); {looks["200"]} of {looks.total()} looks '
        f'with the token; {attack.statuses["slow"]["opened"]} slow connections, '
        f'{attack.statuses["guess"].total()} guesses, {attack.let_in} let in; '
        f'{sum("turned away" in line for line in node.lines)} lines of log')
    held = not lost and not attack.let_in and bool(calls) and looks['200'] == looks.total()
    return Outcome(figure, held, {
        'strangers': {name: dict(counts) for name, counts in attack.statuses.items()},
        'looks': dict(looks), 'calls': len(calls)})


def _call(client: object, sent: object) -> tuple[int | None, float]:
    began_s, status = time.monotonic(), None
    with suppress(AssertionError):
        status = client.result(client.call_async('the box', sent), PATIENCE_S).status
    return status, time.monotonic() - began_s


ROW = Row('page: 2,000 slow connections, 50 tokens guessed a second, cross-origin, rebinding',
          'nothing lost, nobody in', measure)
