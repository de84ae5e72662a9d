"""Wrong tokens make the next try wait, for the address that they come from and for no other."""

from collections.abc import Callable
import time

# People mistype; these cost nothing.
FREE = 3
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
# So long after its last wrong token an address begins anew.
_FORGOTTEN_S = 600.0
_MOST_ADDRESSES = 4096


class Guesses:
    """Counts wrong tokens by address: after three, each next one doubles the wait, up to 60 s.

    Nobody waits on an open connection: a try that comes too early is not looked at. The right
    token clears nothing, so that guesses beside a visitor at the same address stay slow.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        # By address, the last wrong one last: how many, and when the last came.
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait_s(self, address: str) -> float:
        """How long until a token from `address` is looked at again; 0.0 for now."""
        count, last_s = self._wrong.get(address, (0, 0.0))
        if count < FREE:
            return 0.0
        # The exponent has a bound of its own: two to the power of a million is slow to work out.
        wait_s = min(_FIRST_WAIT_S * 2.0 ** min(count - FREE, 16), _LONGEST_WAIT_S)
        return max(last_s + wait_s - self._clock(), 0.0)

    def wrong(self, address: str) -> None:
        """A wrong token came."""
        now_s = self._clock()
        count, last_s = self._wrong.pop(address, (0, now_s))
        self._wrong[address] = (1 if now_s - last_s > _FORGOTTEN_S else count + 1, now_s)
        if len(self._wrong) > _MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]
