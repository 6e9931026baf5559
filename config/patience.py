"""The reading side of a connection whose client may be slow on purpose (Slowloris: heads and bodies sent a byte at a time)."""

import contextlib
import select
import socket
import time

from config.broken_request import BrokenRequest

READ_BYTES = 8192
HEAD_BYTES = 64 * 1024  # whoever sends more without an end of the head is refused by the parser
HEAD_END = b"\r\n\r\n"


class PatientSocket:
    """Where gunicorn's parser reads. A head may take `seconds` to arrive, and so long, in all, may a thread wait for what follows it."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._seconds = seconds
        self._ahead = b""
        self.gettimeout, self.settimeout = sock.gettimeout, sock.settimeout  # gunicorn bounds the reading of what a view left
        self.begin()

    def begin(self) -> None:
        """Another request."""
        self._began_at: float | None = None
        self._left = self._seconds

    def put_back(self, data: bytes) -> None:
        """These bytes are the next to be read."""
        self._ahead = data + self._ahead

    def has_head(self) -> bool:
        """Whether what has come is enough for the parser: the head of a request, something that will be none, or the end.

        Reads what is there and waits for nothing. A head that is late counts too: `recv` then says so.
        """
        with contextlib.suppress(BlockingIOError):
            while not self._is_enough():
                read = self._sock.recv(READ_BYTES, socket.MSG_DONTWAIT)
                if not read:
                    return True
                self._ahead += read
        if self._ahead and self._began_at is None:
            self._began_at = time.monotonic()
        if self._began_at is not None and time.monotonic() - self._began_at >= self._seconds:
            self._left = 0.0
        return self._is_enough() or self._left == 0.0

    def give_up(self) -> bool:
        """Wait for no more of a head of which something has come; False when nothing has."""
        self._left = 0.0 if self._ahead else self._left
        return bool(self._ahead)

    def _is_enough(self) -> bool:
        has_bare_newline = self._ahead.count(b"\n") != self._ahead.count(b"\r\n")
        return has_bare_newline or HEAD_END in self._ahead or len(self._ahead) >= HEAD_BYTES

    def recv(self, size: int) -> bytes:
        """What has come; empty at the end.

        Raises:
            BrokenRequest: 408, the request did not arrive in time.
        """
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        with contextlib.suppress(BlockingIOError):
            return self._sock.recv(size, socket.MSG_DONTWAIT)
        started = time.monotonic()
        waiting = select.poll()
        waiting.register(self._sock, select.POLLIN)
        arrived = waiting.poll(max(0.0, self._left) * 1000)
        self._left -= time.monotonic() - started
        if not arrived:
            raise BrokenRequest("The request did not arrive in time", status=408)
        return self._sock.recv(size)
