"""The token and the certificate of the operator page, from files."""

import os
import shutil
import subprocess

from pytest import fixture, mark, raises

from refdiff_ros.errors import BadRequestError
from refdiff_ros.ros.web.credentials import file_state, read_token, tls_context

TOKEN = 'a token long enough'


@fixture
def token_file(tmp_path):
    path = tmp_path / 'token'
    path.write_text(f'{TOKEN}\n')
    path.chmod(0o600)
    return path


def test_the_token_is_the_line_of_the_file(token_file, monkeypatch):
    assert read_token(str(token_file)) == TOKEN
    assert read_token('') == ''
    token_file.chmod(0o400)
    assert read_token(str(token_file)) == TOKEN
    monkeypatch.setenv('HOME', str(token_file.parent))
    assert read_token('~/token') == TOKEN


@mark.parametrize('mode', [0o640, 0o604, 0o660, 0o610, 0o601, 0o644])
def test_a_file_that_others_reach_is_refused(token_file, mode):
    token_file.chmod(mode)
    with raises(BadRequestError, match=rf'with mode 0600.* got {mode:04o}: run .chmod 600 '):
        read_token(str(token_file))


def test_the_file_behind_a_link_is_what_counts(token_file, tmp_path):
    link = tmp_path / 'link'
    link.symlink_to(token_file)
    assert read_token(str(link)) == TOKEN
    token_file.chmod(0o644)
    with raises(BadRequestError, match='0644'):
        read_token(str(link))


@mark.skipif(os.geteuid() != 0, reason='only root gives files away')
def test_a_file_of_another_user_is_refused(token_file):
    os.chown(token_file, 12345, 12345)
    with raises(BadRequestError, match='belongs to id 12345: give it'):
        read_token(str(token_file))


def test_what_is_no_file_is_refused_and_holds_nobody(tmp_path):
    with raises(BadRequestError, match=r'No such file.*umask 077; openssl rand'):
        read_token(str(tmp_path / 'none'))
    with raises(BadRequestError, match='expected web_token_file as a regular file'):
        read_token(str(tmp_path))
    os.mkfifo(tmp_path / 'pipe', 0o600)
    with raises(BadRequestError, match='as a regular file'):
        read_token(str(tmp_path / 'pipe'))
    with raises(BadRequestError, match='null'):
        read_token('a\0b')


@mark.parametrize('data', [b'', b' \n', b'first\nsecond', b'\xff\xfe\xff' * 8, b'x' * 2000,
                           b'bell\x07 in between'])
def test_what_is_no_token_is_refused(token_file, data):
    token_file.write_bytes(data)
    with raises(BadRequestError, match='expected one line of text, the token'):
        read_token(str(token_file))


def _openssl(*arguments):
    subprocess.run(['openssl', *arguments], check=True, capture_output=True, timeout=200)


@fixture(scope='module')
def pair(tmp_path_factory):
    """Certificate and key, for localhost."""
    if shutil.which('openssl') is None:
        from pytest import skip
        skip('openssl is not installed')
    folder = tmp_path_factory.mktemp('tls')
    certificate, key = folder / 'certificate.pem', folder / 'key.pem'
    _openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
             '-days', '2', '-subj', '/CN=localhost', '-keyout', str(key), '-out', str(certificate))
    return certificate, key


def test_certificate_and_key_that_belong_together_are_taken(pair):
    assert tls_context('', '') is None
    assert tls_context(*map(str, pair)) is not None


def test_one_without_the_other_is_refused(pair):
    with raises(BadRequestError, match='got no web_key: set both'):
        tls_context(str(pair[0]), '')
    with raises(BadRequestError, match='got no web_certificate: set both'):
        tls_context('', str(pair[1]))


def test_what_cannot_be_read_is_said(pair, tmp_path):
    with raises(BadRequestError, match='expected web_certificate as a PEM file.*No such file'):
        tls_context(str(tmp_path / 'none'), str(pair[1]))
    with raises(BadRequestError, match='expected web_key as a PEM file.*Is a directory'):
        tls_context(str(pair[0]), str(tmp_path))
    rubbish = tmp_path / 'rubbish'
    rubbish.write_text('no PEM')
    with raises(BadRequestError, match='as PEM files with a certificate and its private key'):
        tls_context(str(rubbish), str(pair[1]))


def test_a_key_of_another_certificate_is_refused(pair, tmp_path):
    other = tmp_path / 'other.pem'
    _openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out',
             str(other))
    with raises(BadRequestError, match='is not that of.*take the two that were made together'):
        tls_context(str(pair[0]), str(other))


def test_a_key_with_a_passphrase_is_refused_and_asks_nobody(pair, tmp_path):
    locked = tmp_path / 'locked.pem'
    _openssl('pkey', '-in', str(pair[1]), '-aes256', '-passout', 'pass:secret', '-out',
             str(locked))
    with raises(BadRequestError, match='expected web_key without a passphrase'):
        tls_context(str(pair[0]), str(locked))


def test_a_file_that_was_written_again_is_another_one(token_file):
    before = file_state(str(token_file))
    os.utime(token_file, ns=(1, 1))
    assert file_state(str(token_file)) != before
    assert file_state('') == ('', 0)
