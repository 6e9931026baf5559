"""A deadline for connections in use.

`statement_timeout` is kept by the server, and a server that hangs (stopped, swapped out, behind a dead route) keeps nothing: psycopg2
then waits in libpq for ever. So one thread for each engine looks at the connections in use and shuts the socket of one that is overdue;
libpq sees the end of the connection and raises.
"""

import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Engine, event

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
IDLE_LOOKS = 60  # the thread ends after half a minute without any use


@dataclass(frozen=True)
class InUse:
    """A connection that was handed out, and the moment (`time.monotonic`) by which it must be back."""

    connection: Any
    due: float


class ConnectionGuard:
    """Knows the connections in use. Its thread runs only while there are some."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._in_use: dict[int, InUse] = {}
        self._lock = threading.Lock()
        self._watching = False

    def taken(self, connection: Any, *_: Any) -> None:
        """The pool hands a connection out."""
        with self._lock:
            self._in_use[id(connection)] = InUse(connection, time.monotonic() + self._seconds)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="configservice-deadlines", daemon=True).start()

    def returned(self, connection: Any, *_: Any) -> None:
        """It came back, or was thrown away."""
        with self._lock:
            self._in_use.pop(id(connection), None)

    def _watch(self) -> None:
        idle_looks = 0
        while idle_looks < IDLE_LOOKS:
            time.sleep(LOOK_SECONDS)
            with self._lock:
                idle_looks = 0 if self._in_use else idle_looks + 1
                self._watching = idle_looks < IDLE_LOOKS
                self._cut_overdue()

    def _cut_overdue(self) -> None:
        now = time.monotonic()
        for each in [each for each in self._in_use.values() if each.due < now]:
            del self._in_use[id(each.connection)]
            _cut(each.connection)


def _cut(connection: Any) -> None:
    """Shut the socket under libpq. One that is closed already is as good."""
    from psycopg2 import InterfaceError

    with contextlib.suppress(OSError, InterfaceError), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        log.warning("connection_cut", reason="deadline")
        duplicate.shutdown(socket.SHUT_RDWR)


def guard_connections(engine: Engine, *, seconds: float) -> None:
    """Give every connection of the engine `seconds` from being taken out of the pool to being back."""
    guard = ConnectionGuard(seconds)
    event.listen(engine, "checkout", guard.taken)
    event.listen(engine, "checkin", guard.returned)
    event.listen(engine, "invalidate", guard.returned)
