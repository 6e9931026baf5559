"""One load at a time for each key in a process: the others wait for its result."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: T | None = None
        self.error: BaseException | None = None


class Flights(Generic[T]):
    """Who comes first loads; who comes while that goes on gets the same value or the same error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, _Flight[T]] = {}

    def is_under_way(self, key: str) -> bool:
        """Whether somebody is loading this key."""
        return key in self._under_way

    def run(self, key: str, load: Callable[[], T], wait_seconds: float) -> T:
        """The loaded value.

        Raises:
            TimeoutError: the one who loads took longer than `wait_seconds`. Or whatever `load` raised.
        """
        with self._lock:
            flight = self._under_way.get(key)
            mine = flight is None
            if flight is None:
                flight = self._under_way[key] = _Flight()
        return self._lead(key, flight, load) if mine else _follow(flight, wait_seconds)

    def _lead(self, key: str, flight: _Flight[T], load: Callable[[], T]) -> T:
        try:
            flight.value = load()
            return flight.value
        except BaseException as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._under_way[key]
            flight.done.set()


def _follow(flight: _Flight[T], wait_seconds: float) -> T:
    if not flight.done.wait(wait_seconds):
        raise TimeoutError
    if flight.error is not None:
        raise flight.error
    return flight.value  # type: ignore[return-value]  # set by the leader; T itself may be None
