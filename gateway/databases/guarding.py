"""What stands around every call of the house to a database: a breaker, where the container wires one."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from gateway.databases.model import DatabaseName


class Guard(Protocol):
    """Entered around each call; raises a DatabaseError on entering instead of letting the call through."""

    def __call__(self, name: DatabaseName, stopwatch: Callable[[], float] | None = None, /) -> AbstractContextManager[Any]:
        """`stopwatch`: seconds that the block spent waiting for the database, where it does more than that."""


def unguarded(_name: DatabaseName, _stopwatch: Callable[[], float] | None = None) -> AbstractContextManager[Any]:
    """Where no breaker is wired."""
    return nullcontext()
