"""One value in each process: what keeps a connection from being shared across a fork."""

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# A child may neither use nor destroy what its parent opened: most drivers say goodbye to the server when collected,
# on the socket that the parent still uses. So what was inherited is kept, unused, until the child ends.
_inherited: list[Any] = []


class ProcessLocal(Generic[T]):
    """Builds its value at first use, once in each process; a fork starts anew and leaves the parent's value alone."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._value: T | None = None
        self._pid = os.getpid()

    def get(self) -> T:
        """This process's value, built when there is none. Whatever `build` raises passes, and the next call builds again."""
        value = self._value
        if value is not None and self._pid == os.getpid():
            return value
        self._leave_parents_value()
        with self._lock:
            if self._value is None:
                self._value = self._build()
            return self._value

    def find(self) -> T | None:
        """This process's value when it is built; never builds, never waits."""
        return self._value if self._pid == os.getpid() else None

    def take(self) -> T | None:
        """Remove this process's value, for closing it; the next `get` builds another."""
        self._leave_parents_value()
        with self._lock:
            value, self._value = self._value, None
            return value

    def _leave_parents_value(self) -> None:
        if self._pid == os.getpid():
            return
        # The lock itself may have been held by a thread that does not exist here; only this process's first thread can be here so early.
        self._lock = threading.Lock()
        _inherited.append(self._value)
        self._value = None
        self._pid = os.getpid()
