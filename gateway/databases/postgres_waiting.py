"""A deadline on everything psycopg2 waits for: connecting, a statement, a commit, even when the peer acknowledges and never answers.

statement_timeout is the server's own and a hung server enforces nothing; libpq itself waits for ever. So this process waits in its place.
A request that makes several transactions waits for a server that says nothing as long as one that makes a single one: the silence adds up.
Source: https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries (the wait callback; COPY does not work with it).
"""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg2
from psycopg2 import extensions, extras

_thread = threading.local()
RECEIVED = struct.Struct("=128xQ")  # tcpi_bytes_received in Linux's struct tcp_info: linux/tcp.h


class AnswerTooLong(psycopg2.OperationalError):
    """More came in one wait than the block may receive."""


class BoundedConnection(extensions.connection):
    """A connection whose waits end. Others of this process wait as ever."""

    connect_seconds: float = 2.0
    wait_seconds: float = 6.0


def bounded_connection(connect_seconds: float, wait_seconds: float) -> type[BoundedConnection]:
    """A connection class whose every single wait ends: while connecting, and afterwards."""
    return type("BoundedConnection", (BoundedConnection,), {"connect_seconds": connect_seconds, "wait_seconds": wait_seconds})


def install() -> None:
    """Make psycopg2 wait through us. Process-wide, harmless when repeated, and only BoundedConnection is bounded."""
    extensions.set_wait_callback(_wait)


@contextmanager
def _holding(name: str, value: float) -> Iterator[None]:
    """This thread holds it inside the block, and afterwards what it held before."""
    before = getattr(_thread, name, None)
    setattr(_thread, name, value)
    try:
        yield
    finally:
        setattr(_thread, name, before)


def by(deadline: float) -> AbstractContextManager[None]:
    """Bound every wait of this thread inside the block by one deadline (of time.monotonic) too."""
    before: float | None = getattr(_thread, "deadline", None)
    return _holding("deadline", deadline if before is None else min(before, deadline))


def one_request() -> AbstractContextManager[None]:
    """The block is one request: from a server's last answer on, all its waits together last no longer than a single one may."""
    return _holding("silent_seconds", 0.0)


def silent_seconds() -> float:
    """How long the request of this thread has waited in vain since PostgreSQL last answered it; 0 outside of a request."""
    return getattr(_thread, "silent_seconds", None) or 0.0


def at_most(wait_seconds: float) -> AbstractContextManager[None]:
    """Let each wait of this thread inside the block last `wait_seconds`, in place of the connection's own limit."""
    return _holding("wait_seconds", wait_seconds)


def receiving_at_most(wire_bytes: int) -> AbstractContextManager[None]:
    """Let each wait of this thread inside the block receive about so many bytes: libpq takes a row whole, and a value may have a gigabyte.

    Counted over TCP; a Unix socket does not tell.
    """
    return _holding("wire_bytes", wire_bytes)


class Waits:
    """A `gateway.databases.guarding.Stopwatch` of one thread's waits for PostgreSQL."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None

    def __call__(self) -> float:
        return self._seconds

    def waiting_seconds(self) -> float:
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def begin(self) -> None:
        self._since = time.monotonic()

    def end(self) -> float:
        """The seconds of the wait that ends."""
        seconds, self._since = self.waiting_seconds(), None
        self._seconds += seconds
        return seconds


def waits() -> Waits:
    """Those of this thread."""
    found: Waits | None = getattr(_thread, "waits", None)
    if found is None:
        found = _thread.waits = Waits()
    return found


def waited_in_vain(seconds: float) -> None:
    """Count a wait that brought no answer towards what the request of this thread may wait."""
    if getattr(_thread, "silent_seconds", None) is not None:
        _thread.silent_seconds += seconds


def _wait(connection: Any) -> None:
    own, answered = waits(), False
    own.begin()
    try:
        _wait_bounded(connection)
        answered = True
    finally:
        seconds = own.end()
        waited_in_vain(-silent_seconds() if answered else seconds)


def _wait_bounded(connection: Any) -> None:
    if not isinstance(connection, BoundedConnection):
        extras.wait_select(connection)
        return
    end, most = _end_of_wait(connection), getattr(_thread, "wire_bytes", None)
    before = _received_bytes(connection.fileno()) if most else 0
    while (state := connection.poll()) != extensions.POLL_OK:
        left = end - time.monotonic()
        poller = select.poll()
        poller.register(connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
        if left <= 0 or not poller.poll(left * 1000):
            raise psycopg2.OperationalError("timeout expired")  # the driver closes the connection: what comes late meets nobody
        if most and _received_bytes(connection.fileno()) - before > most:
            raise AnswerTooLong


def _end_of_wait(connection: BoundedConnection) -> float:
    connecting = connection.status == extensions.STATUS_SETUP
    own = connection.connect_seconds if connecting else (getattr(_thread, "wait_seconds", None) or connection.wait_seconds)
    end = time.monotonic() + own - silent_seconds()
    deadline: float | None = getattr(_thread, "deadline", None)
    return end if deadline is None else min(end, deadline)


def _received_bytes(descriptor: int) -> int:
    """What the peer has sent over this connection; 0 when that is not known."""
    with socket.socket(fileno=os.dup(descriptor)) as peer:
        try:
            (count,) = RECEIVED.unpack(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, RECEIVED.size))
        except OSError:  # no TCP
            return 0
    return int(count)
