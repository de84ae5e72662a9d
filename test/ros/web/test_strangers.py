"""Strangers at the operator page: half-open requests, guessed tokens, TLS that is none."""

from contextlib import contextmanager, suppress
import http.client
from pathlib import Path
import resource
import shutil
import socket
import ssl
import subprocess
import threading

import aiohttp
from free_port import free_port
from pytest import fixture, mark, raises, skip
from ros_graph import image, NodeProcess, running, wait_for
from web_page import browse, of, page, TOKEN, token_file

from refdiff_ros.msg import ReferringMask
from refdiff_ros.ros.web.connections import Limits

_HALF = b'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow:'
_ANSWERED = (ReferringMask.FOUND, ReferringMask.NOT_FOUND, ReferringMask.AMBIGUOUS)
LIMITS = Limits()


class SlowLoris:
    """Connections that send the first half of a request.

    Args:
        port: of the page.
        addresses: of this machine's loopback, one after the other.
        first: what each sends.
    """

    def __init__(self, port, addresses=('127.0.0.1',), first=_HALF):
        self._port, self._addresses, self._first = port, addresses, first
        self._sockets = []

    def open(self, count):
        """Open some more; those that are turned away count as well."""
        for number in range(count):
            source = self._addresses[number % len(self._addresses)], 0
            with suppress(OSError):
                one = socket.create_connection(('127.0.0.1', self._port), 200, source)
                self._sockets.append(one)
                one.sendall(self._first)

    @property
    def held(self):
        """How many the page still holds open."""
        return sum(_is_open(one) for one in self._sockets)

    def close(self):
        for one in self._sockets:
            one.close()


def _is_open(one):
    one.setblocking(False)
    try:
        while data := one.recv(4096):
            pass
        return bool(data)
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextmanager
def slow_loris(*args, **kwargs):
    loris = SlowLoris(*args, **kwargs)
    try:
        yield loris
    finally:
        loris.close()


@contextmanager
def serving(**values):
    """(port, page) with nothing behind it."""
    port = free_port()
    served = page(web_port=port, **values)
    try:
        yield port, served
    finally:
        served.stop()


def get(port, address='127.0.0.2', tls=None, **headers):
    """Status and headers of the page, asked for from an address."""
    kind = http.client.HTTPConnection if tls is None else http.client.HTTPSConnection
    connection = kind('127.0.0.1', port, timeout=200, source_address=(address, 0),
                      **({} if tls is None else {'context': tls}))
    try:
        connection.request('GET', '/', None, {k.replace('_', '-'): v for k, v in headers.items()})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def test_half_open_requests_are_few_end_in_time_and_hold_nobody_up(caplog):
    with serving() as (port, served), slow_loris(port) as loris:
        for _ in range(5):
            loris.open(60)
            assert get(port)[0] == 200
            # From the same address too.
            assert get(port, '127.0.0.1')[0] == 200
        wait_for(lambda: loris.held <= LIMITS.per_address)
        wait_for(lambda: loris.held == 0, message=lambda: f'{loris.held} are held')
        caplog.set_level('WARNING')
        served.stop()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1, lines
    assert 'connections over the limit' in lines[0]
    assert 'connections without a request in time' in lines[0]


def test_what_a_browser_opens_in_advance_is_closed_and_not_told_of(caplog):
    with serving() as (port, served), slow_loris(port, first=b'') as loris:
        loris.open(6)
        wait_for(lambda: loris.held == 0)
        caplog.set_level('WARNING')
        served.stop()
    assert caplog.records == []


def test_many_addresses_get_no_more_than_there_is_in_all():
    addresses = [f'127.0.0.{number}' for number in range(10, 60)]
    with serving() as (port, _), slow_loris(port, addresses) as loris:
        loris.open(300)
        assert get(port)[0] == 200
        wait_for(lambda: loris.held <= LIMITS.in_all)


def test_a_form_that_is_sent_slowly_ends_in_time(tmp_path):
    head = (b'POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n'
            b'Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken=')
    with serving(web_token_file=str(token_file(tmp_path))) as (port, _), \
            slow_loris(port, first=head) as loris:
        loris.open(5)
        wait_for(lambda: loris.held == 0)


def test_who_may_see_the_page_stays_while_strangers_come_and_go():
    with serving() as (port, _), slow_loris(port) as loris:
        async def steps(browser):
            await browser.hear(of('said'))
            loris.open(3 * LIMITS.per_address)
            await browser.tell(do='say', text='')
            await browser.hear(lambda h: h.get('for') == 'say')
        browse(port, steps)


def test_a_stranger_has_one_request_a_connection(tmp_path):
    with serving(web_token_file=str(token_file(tmp_path))) as (port, _):
        status, headers = get(port)
        assert (status, headers['Connection']) == (401, 'close')
        status, headers = get(port, Authorization=f'Bearer {TOKEN}')
        assert (status, headers['Connection']) == (200, None)


def test_guessed_tokens_wait_and_nobody_else_does(tmp_path):
    with serving(web_token_file=str(token_file(tmp_path))) as (port, _):
        answers = [get(port, Authorization=f'Bearer guess number {number}')
                   for number in range(50)]
        statuses = [status for status, _ in answers]
        # Three are free; on a slow machine a second may have passed before the last.
        assert statuses[:4] == [401, 401, 401, 429]
        assert statuses.count(401) < 10
        assert int(answers[3][1]['Retry-After']) == 1
        assert get(port, Authorization='Bearer guess')[0] in (401, 429)
        assert get(port, Authorization=f'Bearer {TOKEN}')[0] == 429
        assert get(port, '127.0.0.3', Authorization=f'Bearer {TOKEN}')[0] == 200


def test_a_guesser_at_the_same_address_closes_no_session(tmp_path):
    with serving(web_token_file=str(token_file(tmp_path))) as (port, _):
        cookie = _log_in(port)
        for number in range(8):
            get(port, Authorization=f'Bearer guess number {number}')
        assert get(port, Authorization=f'Bearer {TOKEN}')[0] == 429
        assert get(port, Cookie=cookie)[0] == 200


def _log_in(port):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=200,
                                            source_address=('127.0.0.2', 0))
    connection.request('POST', '/login', 'token=' + TOKEN.replace(' ', '+'), {
        'Content-Type': 'application/x-www-form-urlencoded',
        'Origin': f'http://127.0.0.1:{port}'})
    cookie = connection.getresponse().headers['Set-Cookie']
    connection.close()
    assert 'Secure' not in cookie
    return cookie.split(';')[0]


def test_rubbish_ends_its_own_connection_alone(capfd):
    with serving() as (port, _):
        for data in (b'\x16\x03\x01\x02\x00\x01\x00', b'\0' * 9000, b'GET\r\n\r\n',
                     b'GET / HTTP/9.9\r\n\r\n', b'\r\n' * 50, b'A' * 20000 + b'\r\n\r\n'):
            with socket.create_connection(('127.0.0.1', port), 200) as one, suppress(OSError):
                one.sendall(data)
                while one.recv(4096):
                    pass
        assert get(port)[0] == 200
    assert 'Traceback' not in ''.join(capfd.readouterr())


@fixture(scope='module')
def pair(tmp_path_factory):
    """Certificate and key, for 127.0.0.1."""
    if shutil.which('openssl') is None:
        skip('openssl is not installed')
    folder = tmp_path_factory.mktemp('tls')
    files = folder / 'certificate.pem', folder / 'key.pem'
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
         '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-out', files[0], '-keyout', files[1],
         '-addext', 'subjectAltName=IP:127.0.0.1'], check=True, capture_output=True, timeout=200)
    return files


def test_over_tls_the_page_is_private_and_half_handshakes_end(pair, tmp_path):
    trusted = ssl.create_default_context(cafile=pair[0])
    values = {'web_token_file': str(token_file(tmp_path)), 'web_certificate': str(pair[0]),
              'web_key': str(pair[1])}
    with serving(**values) as (port, _), slow_loris(port, first=b'\x16\x03') as loris:
        loris.open(100)
        assert get(port, tls=trusted)[0] == 401
        assert get(port, tls=trusted, Authorization=f'Bearer {TOKEN}')[0] == 200
        with raises((http.client.HTTPException, OSError)):
            get(port)  # in the clear there is nothing
        connection = http.client.HTTPSConnection('127.0.0.1', port, timeout=200, context=trusted)
        connection.request('POST', '/login', 'token=' + TOKEN.replace(' ', '+'), {
            'Content-Type': 'application/x-www-form-urlencoded',
            'Origin': f'https://127.0.0.1:{port}'})
        cookie = connection.getresponse().headers['Set-Cookie']
        assert 'Secure' in cookie and 'HttpOnly' in cookie
        connection.close()
        wait_for(lambda: loris.held == 0)
        with raises(ssl.SSLCertVerificationError):
            get(port, tls=ssl.create_default_context())


def test_a_ros_client_is_answered_while_slow_connections_take_all_they_get():
    port = free_port()
    with running({'web_port': port}) as (node, client):
        sent = image()
        assert client.call('the box', sent).status in _ANSWERED
        # Few descriptors are left: the page may have none of those that are kept.
        limit = _descriptors(node) + LIMITS.reserved + 20
        resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (limit, limit))
        addresses = [f'127.0.0.{number}' for number in range(10, 60)]
        with slow_loris(port, addresses) as loris:
            flood = threading.Thread(target=loris.open, args=(400,))
            flood.start()
            answers = [client.call('the box', sent) for _ in range(10)]
            flood.join()
            assert _descriptors(node) <= limit - LIMITS.reserved + 10
            assert {answer.status for answer in answers} == {answers[0].status}
            assert answers[0].status in _ANSWERED
            # A new client, new descriptors: discovery goes on too.
            assert client.state() == 'active'
    assert 'Too many open files' not in node.output


def _descriptors(node: NodeProcess) -> int:
    return sum(1 for _ in Path(f'/proc/{node.pid}/fd').iterdir())


@mark.parametrize('header', ['Origin', 'Host'])
def test_other_sites_get_nothing_with_or_without_a_token(tmp_path, header):
    for values in ({}, {'web_token_file': str(token_file(tmp_path))}):
        with serving(**values) as (port, _), \
                raises(aiohttp.WSServerHandshakeError, match='403'):
            browse(port, None, **{header: f'http://evil.example:{port}'})
