"""The last results of a computation, kept by what they were made from."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar('T')


class RecentCache:
    """The results that were used last, found again by their key.

    Encoded texts are kept so over frames: a standing expression is encoded once, not once a
    frame. Not thread-safe: it belongs to the engine's one worker.
    """

    def __init__(self, capacity: int = 64):
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The result kept under `key`, computed now if there is none."""
        if key not in self._kept:
            self._kept[key] = compute()
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)
