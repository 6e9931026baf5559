"""A deadline on every reply that redis-py reads: its socket timeout bounds one wait, and a server that drips makes waits without end."""

import socket
import time
from typing import Any

from redis._parsers import _RESP3Parser

NON_BLOCKING = 0


class BoundedParser(_RESP3Parser):
    """redis-py's parser, whose replies are each complete within the connection's socket timeout or fail."""

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        buffer: Any = self._buffer
        self._bounded = _BoundedSocket(buffer._sock, connection.socket_timeout)
        buffer._sock = self._bounded

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """One reply.

        Raises:
            redis.exceptions.TimeoutError: it was not complete in time.
        """
        self._bounded.begin()
        return super().read_response(*args, **kwargs)


class _BoundedSocket:
    """What the parser reads from: as many waits as it likes, all within one deadline."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._socket = connection
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._timeout: float | None = seconds

    def begin(self) -> None:
        self._deadline = time.monotonic() + self._seconds

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._socket.settimeout(timeout)

    def recv(self, size: int) -> bytes:
        if self._timeout == NON_BLOCKING:  # the pool asks whether the server hung up
            return self._socket.recv(size)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv(size)
