"""A bounded memory of immutable things."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    """
    A dictionary that forgets what was not asked for longest. For one event loop.

    `size` bounds the number of values or, with `weigh`, the sum of their weights. A value that is
    heavier than all of it is not remembered.
    """

    def __init__(self, size: int, weigh: Callable[[V], int] | None = None) -> None:
        self._size = size
        self._weigh = weigh or _one
        self._weight = 0
        self._items: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value, now the most recently used, or None."""
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember a value."""
        self.pop(key)
        self._items[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._size:
            _, oldest = self._items.popitem(last=False)
            self._weight -= self._weigh(oldest)

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._weight = 0

    def pop(self, key: K) -> None:
        """Forget a value."""
        value = self._items.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)

    def __len__(self) -> int:
        return len(self._items)


def _one(_value: object) -> int:
    return 1
