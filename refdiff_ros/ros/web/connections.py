"""Which connections the operator page keeps, when there are more than it should have.

A connection costs a descriptor, and the node needs those for ROS. So there is a limit for each
address and one in all. A connection that has not shown that it may see the page makes room for a
newer one: who opens many and sends nothing only closes their own.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
import ipaddress
import itertools

# Hosts get at least that much of an IPv6 address to choose from.
_IPV6_NETWORK = 64


@dataclass(frozen=True)
class Limits:
    """How many connections there may be, and for how long without a request.

    Attributes:
        in_all: most connections.
        per_address: most connections of one address: eight browsers behind one tunnel open up to
            seven each.
        silent_s: a connection that has shown no right to see the page by then is closed, seconds.
        reserved: descriptors that are left to the rest of the process.
    """

    in_all: int = 96
    per_address: int = 56
    silent_s: float = 5.0
    reserved: int = 64


@dataclass(eq=False)
class Connection:
    """One connection.

    Attributes:
        address: whose it is, see `address_of`.
        close: ends it.
        trusted: whether a request on it was from somebody who may see the page.
    """

    address: str
    close: Callable[[], None]
    trusted: bool = False
    number: int = field(default_factory=itertools.count().__next__)


class Connections:
    """Those that are open, oldest first."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, connection: object) -> bool:
        return connection in self._open

    def add(self, connection: Connection) -> Connection | None:
        """Keep `connection`, in place of another one where there are too many.

        Returns:
            The one that has to be closed, already forgotten: one from the same address, or one
            of the address that has most; `connection` itself where all of those are trusted; None
            where there is room.
        """
        self._open.add(connection)
        of_address = [each for each in self._open if each.address == connection.address]
        if len(of_address) > self._limits.per_address:
            return self._drop(of_address)
        if len(self._open) > self._limits.in_all:
            return self._drop(list(self._open))
        return None

    def remove(self, connection: Connection) -> None:
        """Forget one that is closed, once or more often."""
        self._open.discard(connection)

    def all(self) -> list[Connection]:
        """Every open one."""
        return list(self._open)

    def _drop(self, among: list[Connection]) -> Connection:
        count = Counter(each.address for each in self._open)
        newest = max(among, key=lambda each: each.number)
        others = [each for each in among if not each.trusted and each is not newest]
        dropped = min(others, key=lambda each: (-count[each.address], each.number), default=newest)
        self._open.discard(dropped)
        return dropped


def address_of(host: str) -> str:
    """What stands for one visitor: an IPv4 address, or the /64 network of an IPv6 address.

    Args:
        host: the address as a socket tells it; '%' and an interface may follow.
    """
    address = ipaddress.ip_address(host.partition('%')[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
