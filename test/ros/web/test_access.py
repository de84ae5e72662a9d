"""Who may see the operator page."""

from pytest import mark, raises

from refdiff_ros.errors import BadRequestError
from refdiff_ros.ros.web.access import Access, bearer_token

TOKEN = 'a token long enough'


@mark.parametrize('address', ['0.0.0.0', '192.168.1.7', '::', '10.0.0.1'])
def test_off_loopback_a_token_is_required(address):
    with raises(BadRequestError, match=f"expected web_token_file with web_address '{address}'"):
        Access(address)
    assert not Access(address, TOKEN).loopback


@mark.parametrize('address', ['127.0.0.1', '127.0.0.2', '::1', 'localhost'])
def test_on_loopback_none_is(address):
    assert Access(address).loopback
    assert Access(address).knows_session('')


def test_a_short_token_and_a_name_as_address_are_refused():
    with raises(BadRequestError, match='12 characters or more in web_token_file, got 5'):
        Access('127.0.0.1', 'short')
    with raises(BadRequestError, match="as an IP address.*got 'robot.example'"):
        Access('robot.example', TOKEN)


@mark.parametrize(('host', 'allowed'), [
    ('127.0.0.1:8080', True), ('localhost', True), ('LOCALHOST:9000', True), ('[::1]:80', True),
    ('evil.example:8080', False), ('127.0.0.1.evil.example', False), ('localhost.evil', False),
    ('', False), ('[::1', False),
])
def test_a_name_that_only_points_here_is_no_host_of_the_page(host, allowed):
    # A site may let its own name point to 127.0.0.1 (DNS rebinding).
    assert Access('127.0.0.1').host_allowed(host) == allowed


@mark.parametrize(('origin', 'allowed'), [
    (None, True), ('http://127.0.0.1:8080', True), ('https://127.0.0.1:8080', True),
    ('http://127.0.0.1:8081', False), ('http://evil.example', False), ('null', False),
    ('', False), ('http://[', False),
])
def test_only_the_page_s_own_origin_opens_a_websocket(origin, allowed):
    assert Access.origin_allowed(origin, '127.0.0.1:8080') == allowed


def test_token_and_cookie_admit_and_nothing_else_does():
    access = Access('0.0.0.0', TOKEN)
    assert access.knows_token(TOKEN)
    assert access.knows_session(access.session)
    for wrong in ('', TOKEN[:-1], TOKEN + 'x', '\udcff', 'ü'):
        assert not access.knows_token(wrong)
        assert not access.knows_session(wrong)
    assert not access.knows_session(TOKEN) and not access.knows_token(access.session)
    assert Access('0.0.0.0', TOKEN).session != access.session
    assert access.session not in repr(access) and TOKEN not in repr(access)


def test_a_program_gives_its_token_in_a_header():
    assert bearer_token(f'Bearer {TOKEN}') == bearer_token(f'bearer  {TOKEN} ') == TOKEN
    for other in ('', TOKEN, f'Basic {TOKEN}', 'Bearer', 'Bearer '):
        assert bearer_token(other) == ''


def test_without_a_token_none_is_known():
    assert not Access('127.0.0.1').knows_token('')
