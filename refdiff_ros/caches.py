"""Results that are kept: of the last frames, and of the last computations by their keys."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from refdiff_ros.results import Frame

T = TypeVar('T')


class FrameCache:
    """Stage results of the last few frames, keyed by the picture's content.

    A result is found again only under the same frame content and the same key; the key names
    the stage and everything besides the frame that its result depends on (its configuration,
    the seed, the direction words). Not thread-safe: it belongs to the engine's one worker.
    """

    def __init__(self, capacity: int = 1):
        self._capacity = max(1, capacity)
        self._frames: OrderedDict[str, dict[Hashable, Any]] = OrderedDict()

    def get(self, frame: Frame, key: Hashable, compute: Callable[[], T]) -> T:
        """The result kept for `frame` under `key`, computed now if there is none."""
        results = self._frames.get(frame.digest)
        if results is None:
            while len(self._frames) >= self._capacity:
                self._frames.popitem(last=False)
            results = self._frames[frame.digest] = {}
        self._frames.move_to_end(frame.digest)
        if key not in results:
            results[key] = compute()
        return results[key]

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()

    def __len__(self) -> int:
        return len(self._frames)


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
