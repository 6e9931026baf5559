"""What stands around every call of the house to a database: a breaker, where the container wires one."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from gateway.databases.model import DatabaseName


class Stopwatch(Protocol):
    """Tells of one thread how long it waits for a database, whatever else it does."""

    def __call__(self) -> float:
        """Seconds that it has waited in all. The difference of two readings is the time of what lies between."""

    def waiting_seconds(self) -> float:
        """Seconds of the wait under way; 0 without one. Any thread may ask."""


class Guard(Protocol):
    """Entered around each call; raises a DatabaseError on entering instead of letting the call through."""

    def __call__(self, name: DatabaseName, stopwatch: Stopwatch | None = None, /) -> AbstractContextManager[Any]:
        """`stopwatch`: of the calling thread, where the block does more than wait for the database."""


def unguarded(_name: DatabaseName, _stopwatch: Stopwatch | None = None) -> AbstractContextManager[Any]:
    """Where no breaker is wired."""
    return nullcontext()
