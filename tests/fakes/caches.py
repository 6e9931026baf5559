"""A cache backend that a test can take away, let hang, and give back."""

import threading
from collections.abc import Iterable, Mapping

from gateway.caching.in_process import InProcessCache
from gateway.clock import Clock
from gateway.databases.errors import DatabaseUnreachable


class BreakableCache:
    """An in-process backend that fails while `down`, lets a call wait while `answering` is not set, and counts the calls that reach it."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.down = False
        self.answering, self.asked = threading.Event(), threading.Event()
        self.answering.set()
        self.calls = 0
        self._held = InProcessCache(clock)

    def get(self, key: str) -> bytes | None:
        self._reach()
        return self._held.get(key)

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        self._reach()
        return self._held.get_many(keys)

    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        self._reach()
        self._held.set(key, value, ttl_seconds)

    def delete_many(self, keys: Iterable[str]) -> int:
        self._reach()
        return self._held.delete_many(keys)

    def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        self._reach()
        return self._held.increment(key, amount, ttl_seconds)

    def close(self) -> None:
        """Nothing to let go of."""

    def _reach(self) -> None:
        self.calls += 1
        self.asked.set()
        self.answering.wait()
        if self.down:
            raise DatabaseUnreachable(self.name, "gone")
