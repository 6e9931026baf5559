"""Concurrent calls for the same thing become one: who comes first makes it, the others wait for its outcome."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from gateway.clock import Clock

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Flights(Generic[K, T]):
    """The calls under way in this process, by key. Safe for threads."""

    def __init__(self, wait_seconds: float, clock: Clock) -> None:
        """`wait_seconds`: how long the others wait, counted from the first one's start; the call itself has its own limit."""
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[K, tuple[Future[T], float]] = {}

    def is_under_way(self, key: K) -> bool:
        """Whether somebody makes this call now."""
        return key in self._under_way

    def run(self, key: K, call: Callable[[], T]) -> T:
        """The outcome of `call`, made by whoever came first.

        Raises:
            TimeoutError: the first one takes too long. Or whatever `call` raises.
        """
        with self._lock:
            flying = self._under_way.get(key)
            if flying is None:
                mine: Future[T] = Future()
                self._under_way[key] = mine, self._clock.monotonic()
        if flying is None:
            return self._lead(key, mine, call)
        future, started = flying
        return future.result(max(0.0, self._wait_seconds - (self._clock.monotonic() - started)))

    def _lead(self, key: K, mine: "Future[T]", call: Callable[[], T]) -> T:
        try:
            mine.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed to everybody who waits, and raised again here by result()
            mine.set_exception(error)
        finally:
            with self._lock:
                del self._under_way[key]
        return mine.result()
