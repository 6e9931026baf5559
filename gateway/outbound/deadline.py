"""One deadline over a whole exchange, enforced at the socket: urllib3's own timeouts start anew with each byte that drips in.

The connection classes take the exchange under way from a context variable, because urllib3 hands nothing of ours down to them.
"""

import io
import socket
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from gateway.errors import UpstreamInvalid
from gateway.outbound.names import resolve

MAX_HEADER_BYTES = 256 * 1024  # of the status line and all header lines together


@dataclass
class Exchange:
    """One request and its answer, and what is known of how far it got."""

    remaining: Callable[[], float]
    force_fresh: bool = False  # close a kept connection before sending
    connected: bool = False  # a new connection was opened for it
    sent: bool = False  # bytes of the request were handed to the system
    received: int = 0  # bytes of the answer

    def time_left(self) -> float:
        """Seconds left, > 0.

        Raises:
            TimeoutError: none is left; urllib3 takes it for the socket's own.
        """
        seconds = self.remaining()
        if seconds <= 0:
            raise TimeoutError("deadline passed")
        return seconds


current_exchange: ContextVar[Exchange] = ContextVar("current_exchange")


class DeadlineReader(io.RawIOBase):
    """A socket's incoming bytes: each wait gets what is left of the whole, and the headers get a limit in bytes."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, exchange: Exchange) -> None:
        self._sock = sock
        self._raw = raw  # the socket's own file: it keeps the socket open after http.client has let go of it
        self._exchange = exchange
        self._header_limit: int | None = MAX_HEADER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.time_left())
        count = self._raw.readinto(buffer)
        self._exchange.received += count or 0
        if self._header_limit is not None and self._exchange.received > self._header_limit:
            raise UpstreamInvalid("The called service answered with headers that are too large")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()

    def headers_done(self) -> None:
        """The body has limits of its own."""
        self._header_limit = None


class DeadlineResponse(HTTPResponse):
    """http.client's reader of answers, over a DeadlineReader instead of the socket's own file."""

    def __init__(self, sock: socket.socket, *args: Any, **keywords: Any) -> None:
        super().__init__(sock, *args, **keywords)
        raw = self.fp.detach()
        self._reader = DeadlineReader(sock, raw, current_exchange.get())
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        self._reader.headers_done()


class _Deadlined(HTTPConnection):
    """What both connection classes do differently."""

    response_class = DeadlineResponse

    def request(self, *args: Any, **keywords: Any) -> None:
        if current_exchange.get().force_fresh and not current_exchange.get().connected:
            self.close()
        super().request(*args, **keywords)

    def connect(self) -> None:
        exchange = current_exchange.get()
        exchange.connected = True
        super().connect()

    def send(self, data: Any) -> None:
        exchange = current_exchange.get()
        if self.sock is None:
            self.connect()
        cast("socket.socket", self.sock).settimeout(exchange.time_left())
        exchange.sent = True
        super().send(data)

    def _new_conn(self) -> socket.socket:
        """Try each address of the name; all of them together have what is left of the exchange."""
        exchange = current_exchange.get()
        try:
            return _connect_any(resolve(self._dns_host, self.port or 80, exchange.time_left()), exchange, self.socket_options)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "connecting took too long") from error
        except OSError as error:
            raise NewConnectionError(self, "no address accepted a connection") from error


def _connect_any(addresses: list[Any], exchange: Exchange, options: Any) -> socket.socket:
    failure: OSError = OSError("the name has no address")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(exchange.time_left() / (len(addresses) - position))
            sock.connect(address)
            sock.settimeout(exchange.time_left())
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class DeadlineHTTPConnection(_Deadlined):
    """Plain HTTP under a deadline."""


class DeadlineHTTPSConnection(_Deadlined, HTTPSConnection):
    """HTTPS under a deadline; the handshake has one too, since the socket's timeout covers all of it."""
