"""What the Cache role needs of a backend."""

from collections.abc import Iterable, Mapping
from typing import Protocol


class CacheBackend(Protocol):
    """Bytes under a key, each for a limited time. Safe to use from many threads; bounded in time by its driver.

    Every method raises DatabaseError when the backend cannot serve; a backend in this process never does.
    """

    name: str

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or its time is over."""

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        """Those of the keys that have a value."""

    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store for `ttl_seconds` (> 0, to the millisecond), in place of what was there."""

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove them; how many there were."""

    def close(self) -> None:
        """Let go of every connection; the next call opens another."""

    def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a counter and return it. The first increment starts its time; later ones do not prolong it.

        Raises:
            NotACounter: the value was set, not counted.
        """
