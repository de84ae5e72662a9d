"""The token and the certificate of the operator page, from files.

A parameter would not do for a secret: every node of the graph may read every parameter, and every
user of the machine the command line.
"""

from collections.abc import Callable
import os
from pathlib import Path
import ssl
import stat

from refdiff_ros.errors import BadRequestError

_LONGEST_TOKEN = 1024
_MAKE_ONE = '''make one by "(umask 077; openssl rand -hex 24 > FILE)"'''


def read_token(path: str) -> str:
    """The token in a file that nobody but its owner may read.

    Args:
        path: parameter `web_token_file`; '' for no token.

    Returns:
        The file's text, without spaces and line ends around it; '' for no file.

    Raises:
        BadRequestError: it cannot be read, is no regular file of this user, others may read or
            write it, or it does not hold one line of text.
    """
    if not path:
        return ''
    try:
        # A pipe must not hold the node.
        descriptor = os.open(Path(path).expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise BadRequestError(
            f"expected web_token_file as a file that holds the token, got '{path}' "
            f'({getattr(error, "strerror", None) or error}): {_MAKE_ONE}') from error
    try:
        _check_private(path, os.fstat(descriptor))
        data = os.read(descriptor, _LONGEST_TOKEN + 1)
    finally:
        os.close(descriptor)
    try:
        token = data.decode().strip()
    except UnicodeDecodeError:
        token = ''
    if not token or len(data) > _LONGEST_TOKEN or not token.isprintable():
        raise BadRequestError(
            f"expected one line of text, the token, in web_token_file '{path}', at most "
            f'{_LONGEST_TOKEN} bytes: {_MAKE_ONE}')
    return token


def _check_private(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BadRequestError(
            f"expected web_token_file as a regular file, got '{path}': {_MAKE_ONE}")
    if status.st_uid not in (os.geteuid(), 0):
        raise BadRequestError(
            f"expected web_token_file '{path}' to belong to the user that runs the node (id "
            f'{os.geteuid()}) or to root, it belongs to id {status.st_uid}: give it to that user')
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise BadRequestError(
            f"expected web_token_file '{path}' with mode 0600, so that nobody else reads it, got "
            f"{stat.S_IMODE(status.st_mode):04o}: run 'chmod 600 {path}', and change the token if "
            'others have seen it')


def tls_context(certificate: str, key: str) -> ssl.SSLContext | None:
    """What serves the page over HTTPS; None where neither file is named.

    Args:
        certificate: parameter `web_certificate`, a PEM file: the certificate, then those between
            it and its authority.
        key: parameter `web_key`, a PEM file without a passphrase.

    Raises:
        BadRequestError: one of two is missing, cannot be read, or they do not belong together.
    """
    if not certificate and not key:
        return None
    for name, path in (('web_certificate', certificate), ('web_key', key)):
        if not path:
            raise BadRequestError(
                f'expected web_certificate and web_key together, got no {name}: set both, or '
                'neither to serve the page without TLS')
        _check_readable(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = str(Path(certificate).expanduser()), str(Path(key).expanduser())
    try:
        context.load_cert_chain(*files, password=_no_passphrase(key))
    except (ssl.SSLError, OSError) as error:
        raise BadRequestError(_tls_fault(error, certificate, key)) from error
    return context


def file_state(path: str) -> tuple[str, int]:
    """Something that changes with the file: its path and when it was written last, ns."""
    return path, Path(path).expanduser().stat().st_mtime_ns if path else 0


def _no_passphrase(key: str) -> Callable[[], str]:
    """In place of OpenSSL's own question on the terminal, at which a node would wait for ever."""
    def refuse() -> str:
        raise BadRequestError(
            f"expected web_key without a passphrase, '{key}' has one: write it without by "
            '"openssl pkey -in OLD -out NEW", mode 0600')
    return refuse


def _check_readable(name: str, path: str) -> None:
    try:
        with Path(path).expanduser().open('rb') as file:
            file.read(1)
    except (OSError, ValueError) as error:
        raise BadRequestError(
            f"expected {name} as a PEM file that the node may read, got '{path}' "
            f'({getattr(error, "strerror", None) or error}): set it to the right path') from error


def _tls_fault(error: OSError, certificate: str, key: str) -> str:
    reason = str(getattr(error, 'reason', None) or error)
    if 'MISMATCH' in reason:
        return (f"expected web_key to be the key of web_certificate, '{key}' is not that of "
                f"'{certificate}': take the two that were made together")
    return (f"expected web_certificate '{certificate}' and web_key '{key}' as PEM files with a "
            f'certificate and its private key, OpenSSL says {reason!r}: see what they hold by '
            '"openssl x509 -in CERTIFICATE -noout -subject" and "openssl pkey -in KEY -check"')
