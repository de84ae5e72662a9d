"""Who may see the operator page: loopback alone, or a token.

A browser lets any site that its user visits open connections to 127.0.0.1, and a site may point
its own name there. So the Host header must name this machine's loopback, the Origin must be the
page's own, and off loopback a token is required, which is kept in a cookie that scripts cannot
read and other sites cannot send.
"""

from dataclasses import dataclass, field
import hmac
import ipaddress
import secrets
from urllib.parse import urlsplit

from refdiff_ros.errors import BadRequestError

SHORTEST_TOKEN = 12
_LOOPBACK_NAMES = frozenset(('localhost', '127.0.0.1', '::1'))


@dataclass(frozen=True)
class Access:
    """The rules for one server.

    Attributes:
        address: IP address that is listened on, or 'localhost'.
        token: what a visitor must know; '' for nothing.
        session: what the cookie of a visitor who knew it holds; new in each process.

    Raises:
        BadRequestError: the address is none, or the token is missing or short.
    """

    address: str
    token: str = field(default='', repr=False)
    session: str = field(default_factory=secrets.token_urlsafe, repr=False)

    def __post_init__(self):
        if not self.loopback and not self.token:
            raise BadRequestError(
                f"expected web_token_file with web_address '{self.address}', which other machines "
                f'reach: write a token of {SHORTEST_TOKEN} characters or more into a file of mode '
                '0600 and set web_token_file to its path, or leave web_address at 127.0.0.1')
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise BadRequestError(
                f'expected {SHORTEST_TOKEN} characters or more in web_token_file, got '
                f'{len(self.token)}: write a longer token into it')

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the address."""
        if self.address == 'localhost':
            return True
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError as error:
            raise BadRequestError(
                "expected web_address as an IP address, such as 127.0.0.1 for this machine alone "
                f"or 0.0.0.0 for all its networks, got '{self.address}'") from error

    def host_allowed(self, host: str) -> bool:
        """Whether a request's Host header is this machine's; off loopback the token decides.

        The port may be any: a tunnel has its own.
        """
        return not self.loopback or _name(f'//{host}') in _LOOPBACK_NAMES | {self.address}

    @staticmethod
    def origin_allowed(origin: str | None, host: str) -> bool:
        """Whether the page that asks is this server's; programs that are no browser send none."""
        if origin is None:
            return True
        try:
            return urlsplit(origin).netloc.lower() == host.lower() != ''
        except ValueError:
            return False

    def knows_token(self, token: str) -> bool:
        """Compare a visitor's token, in a time that does not tell how much of it is right."""
        return bool(self.token) and _same(token, self.token)

    def knows_session(self, cookie: str) -> bool:
        """Whether a visitor needs no token: none is asked for, or the cookie is the session's."""
        return not self.token or _same(cookie, self.session)


def bearer_token(authorization: str) -> str:
    """The token in an Authorization header 'Bearer <token>', for programs; '' for none."""
    kind, _, token = authorization.partition(' ')
    return token.strip() if kind.lower() == 'bearer' else ''


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ''
    except ValueError:
        return ''


def _same(first: str, second: str) -> bool:
    return hmac.compare_digest(first.encode(errors='replace'), second.encode(errors='replace'))
