"""A bounded pool of connections for a driver that brings none."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from gateway.databases.model import PoolStats

T = TypeVar("T")
MAX_IDLE_SECONDS = 60.0


class PoolExhausted(Exception):
    """No place became free in time."""


class Slots:
    """A limit on how many callers are inside at once, which counts those who had to wait."""

    def __init__(self, limit: int, wait_seconds: float) -> None:
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._condition = threading.Condition()
        self._in_use = 0
        self._waits = 0

    @contextmanager
    def one(self, within_seconds: float = math.inf) -> Iterator[None]:
        """Hold one place. Waits for it no longer than `within_seconds`, whatever the limit for all callers is.

        Raises:
            PoolExhausted: none became free in time.
        """
        with self._condition:
            self._waits += self._in_use >= self._limit
            if not self._condition.wait_for(lambda: self._in_use < self._limit, min(self._wait_seconds, within_seconds)):
                raise PoolExhausted
            self._in_use += 1
        try:
            yield
        finally:
            with self._condition:
                self._in_use -= 1
                self._condition.notify()

    def stats(self, idle: int) -> PoolStats:
        return PoolStats(self._in_use, idle, self._limit, self._waits)


class Connections(Generic[T]):
    """Opens at most `limit` connections and hands out the one used last, so that spare ones grow old and are closed."""

    def __init__(
        self,
        open_one: Callable[[float], T],
        close_one: Callable[[T], None],
        is_open: Callable[[T], bool],
        *,
        limit: int,
        wait_seconds: float,
    ) -> None:
        self._open = open_one
        self._close = close_one
        self._is_open = is_open
        self._slots = Slots(limit, wait_seconds)
        self._lock = threading.Lock()
        self._idle: list[tuple[T, float]] = []

    @contextmanager
    def one(self, within_seconds: float) -> Iterator[T]:
        """A connection, had and opened within so many seconds; a block that raises closes it, since nobody knows what is left on its wire.

        Raises:
            PoolExhausted: none became free in time. Or whatever opening raises.
        """
        deadline = time.monotonic() + within_seconds
        with self._slots.one(within_seconds):
            connection = self._take_open() or self._open(max(0.001, deadline - time.monotonic()))
            try:
                yield connection
            except BaseException:
                self._close(connection)
                raise
            if self._is_open(connection):
                self._give_back(connection)

    def stats(self) -> PoolStats:
        return self._slots.stats(len(self._idle))

    def close(self) -> None:
        """Close those that are idle; one in use is closed by its next user, as too old."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            self._close(connection)

    def _take_open(self) -> T | None:
        while (connection := self._take()) is not None:
            if self._is_open(connection):
                return connection
            self._close(connection)
        return None

    def _take(self) -> T | None:
        with self._lock:
            connection = self._idle.pop()[0] if self._idle else None
            fresh_since = time.monotonic() - MAX_IDLE_SECONDS
            old = [entry for entry in self._idle if entry[1] < fresh_since]
            self._idle = [entry for entry in self._idle if entry[1] >= fresh_since]
        for spare, _ in old:
            self._close(spare)
        return connection

    def _give_back(self, connection: T) -> None:
        with self._lock:
            self._idle.append((connection, time.monotonic()))
