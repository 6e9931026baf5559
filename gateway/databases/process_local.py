"""One value in each process: what keeps a connection from being shared across a fork."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ProcessLocal(Generic[T]):
    """Builds its value at first use, once in each process; a fork starts anew and leaves the parent's value alone."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._value: T | None = None
        _all.add(self)

    def get(self) -> T:
        """This process's value, built when there is none. Whatever `build` raises passes, and the next call builds again."""
        value = self._value
        if value is not None:
            return value
        with self._lock:
            if self._value is None:
                self._value = self._build()
            return self._value

    def find(self) -> T | None:
        """This process's value when it is built; never builds, never waits."""
        return self._value

    def take(self) -> T | None:
        """Remove this process's value, for closing it; the next `get` builds another."""
        with self._lock:
            value, self._value = self._value, None
            return value

    def _begin_anew(self) -> None:
        """In a child, before anything else runs there."""
        self._lock = threading.Lock()  # the old one may be held by a thread that does not exist here
        if self._value is not None:
            _inherited.append(self._value)
            self._value = None


_all: "weakref.WeakSet[ProcessLocal[Any]]" = weakref.WeakSet()
# A child may neither use nor destroy what its parent opened: most drivers say goodbye to the server when collected,
# on the socket that the parent still uses. So what was inherited is kept, unused, until the child ends.
_inherited: list[Any] = []


def _begin_anew_everywhere() -> None:
    for local in list(_all):
        local._begin_anew()


os.register_at_fork(after_in_child=_begin_anew_everywhere)
